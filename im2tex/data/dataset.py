"""Batches of drawn formulas, and the dataset that makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from im2tex.data.augmentation import Variation, Varied
from im2tex.data.fixed_sizes import Buckets
from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.preprocessing import Drawn, Preprocessing
from im2tex.data.sample import Sample
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink


@dataclass
class Batch:
    """A padded batch. Labels travel as token strings: numbering them is the model's business.

    Attributes:
        keys: of the samples.
        images: (B, 1, H, W) uint8, 0 for paper to 255 for ink.
        sizes: (B, 2) true height and width, multiples of the stride.
        tokens: labels; empty where there is none.
        boxes: (B, T, 4) float, T the longest label and the end: left, top, right, bottom in
            pixels of each token's symbol, right < left where not known; in training only.
        failed: why the images of some rows could not be drawn; those images are blank.
    """

    keys: list[str]
    images: Tensor
    sizes: Tensor
    tokens: list[tuple[str, ...]]
    boxes: Tensor | None = None
    failed: dict[int, str] = field(default_factory=dict)

    def to(self, device: torch.device) -> Batch:
        """Moves the tensors to a device."""
        boxes = None if self.boxes is None else self.boxes.to(device)
        return replace(
            self, images=self.images.to(device), sizes=self.sizes.to(device), boxes=boxes
        )

    def pin_memory(self) -> Batch:
        """Moves the tensors to page-locked memory, for loaders with `pin_memory`."""
        boxes = None if self.boxes is None else self.boxes.pin_memory()
        return replace(
            self, images=self.images.pin_memory(), sizes=self.sizes.pin_memory(), boxes=boxes
        )


Request = tuple[int, list[int]]
"""What a sampler asks for: the epoch, and the numbers of a batch's samples."""


class FormulaDataset(Dataset[Batch]):
    """Draws whole batches. The epoch travels in the index, so workers need no state.

    Args:
        samples: what to draw.
        preprocessing: how.
        variation: for training; None draws samples as they are.
        buckets: sizes that a batch is padded to; that of its largest image if not given.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocessing: Preprocessing,
        variation: Variation | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        self.samples = samples
        self.preprocessing = preprocessing
        self.variation = variation
        self.buckets = buckets
        self.synthesizer: HandwritingSynthesizer | None = getattr(samples, "synthesizer", None)
        self._scales: dict[int, float] = {}
        self._shapes: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, request: Request) -> Batch:
        epoch, numbers = request
        samples = [self._written(self.samples[number], epoch) for number in numbers]
        varied = [None if one.ink is None else self.vary(one, epoch) for one in samples]
        drawn: list[Drawn] = []
        failed: dict[int, str] = {}
        for row, (number, sample, one) in enumerate(zip(numbers, samples, varied, strict=True)):
            try:
                drawn.append(self._draw(number, sample, one))
            except Im2TexError as error:
                failed[row] = str(error)
                drawn.append(self.preprocessing.blank())
        tokens = [
            sample.tokens if one is None else one.tokens
            for sample, one in zip(samples, varied, strict=True)
        ]
        return Batch(
            keys=[sample.key for sample in samples],
            tokens=tokens,
            boxes=self._boxes(drawn, varied, 1 + max(map(len, tokens))),
            failed=failed,
            **stack([one.image for one in drawn], self.buckets),
        )

    def _draw(self, number: int, sample: Sample, one: Varied | None) -> Drawn:
        if one is not None:
            _require_strokes(one.ink)
            return self.preprocessing.draw(
                one.ink, scale=self.scale(number, one), thickness_factor=one.thickness_factor
            )
        return self.preprocessing.picture(_picture(sample))

    def _written(self, sample: Sample, epoch: int) -> Sample:
        """A sample that is laid out, with its ink; any other as it is."""
        if sample.laid_out is None:
            return sample
        if self.synthesizer is None:
            raise Im2TexError(
                "these samples are layouts of handwriting: open them through their source."
            )
        return replace(
            sample, ink=self.synthesizer(sample, None if self.variation is None else epoch)
        )

    def _outlined(self, sample: Sample, epoch: int | None = None) -> Sample:
        """The same with an outline for its ink: to know a batch's sizes before it is written."""
        if sample.laid_out is None:
            return sample
        right, bottom = sample.laid_out.width, sample.laid_out.height
        if self.synthesizer is not None:
            right, bottom = self.synthesizer.extent(sample, epoch)
        corners = np.array([(0, 0), (right, 0), (right, bottom), (0, bottom)], np.float32)
        return replace(sample, ink=Ink((corners,)))

    def vary(self, sample: Sample, epoch: int) -> Varied:
        """A sample with ink as it is drawn in one epoch."""
        if self.variation is not None:
            return self.variation(sample, epoch)
        assert sample.ink is not None
        return Varied(sample.ink, sample.tokens)

    def scale(self, number: int, one: Varied) -> float:
        """Pixels per unit of a sample's ink as it is drawn; measured once unless it was cropped.

        Measuring takes longer than drawing, and variation within a formula hardly changes it.
        """
        if one.cropped:
            return self.preprocessing.scale_of(one.ink) * one.scale_factor
        if number not in self._scales:
            sample = self.samples[number]
            if sample.laid_out is not None:
                self._scales[number] = self.preprocessing.scale_for(sample.laid_out.unit)
            else:
                assert sample.ink is not None
                self._scales[number] = self.preprocessing.scale_of(sample.ink)
        return self._scales[number] * one.scale_factor

    def plain_size(self, number: int) -> tuple[int, int, int]:
        """As `size`, without variation.

        Raises:
            Im2TexError: if the sample is a picture that cannot be read, or has no stroke.
        """
        sample = self._outlined(self.samples[number])
        if sample.ink is None:
            if number not in self._shapes:
                self._shapes[number] = self.preprocessing.picture_extent(_picture(sample))
            return (*self._shapes[number], len(sample.tokens))
        _require_strokes(sample.ink)
        scale = self.scale(number, Varied(sample.ink, sample.tokens))
        return (*self.preprocessing.extent(sample.ink, scale), len(sample.tokens))

    def size(self, number: int, epoch: int) -> tuple[int, int, int]:
        """Height and width a sample asks for in pixels, before any limit, and its label length.

        Of one that is laid out about that, for it is not written to know it.
        """
        sample = self._outlined(self.samples[number], None if self.variation is None else epoch)
        if sample.ink is None or self.variation is None:
            return self.plain_size(number)
        one = self.vary(sample, epoch)
        return (
            *self.preprocessing.extent(one.ink, self.scale(number, one)),
            len(one.tokens),
        )

    def _boxes(
        self, drawn: Sequence[Drawn], varied: Sequence[Varied | None], length: int
    ) -> Tensor | None:
        if self.variation is None:
            return None
        # In training always: a loss without them would leave parameters out of some steps, which
        # a distributed run does not forgive.
        boxes = np.tile(np.array([0, 0, -1, -1], dtype=np.float32), (len(drawn), length, 1))
        for row, picture, one in zip(boxes, drawn, varied, strict=True):
            if one is not None:
                known = self.preprocessing.boxes(picture, one.ink, len(one.tokens))
                row[: len(known)] = known
        return torch.from_numpy(boxes)


def _picture(sample: Sample) -> bytes:
    """The picture of a sample without ink.

    Raises:
        Im2TexError: if it has none either.
    """
    if sample.image is None:
        raise Im2TexError(sample.extra.get("failed") or "there is no picture.")
    return sample.image


def _require_strokes(ink: Ink) -> None:
    if not ink.strokes:
        raise Im2TexError("there is no stroke to draw.")


def stack(images: Sequence[np.ndarray], buckets: Buckets | None = None) -> dict[str, Tensor]:
    """Pads images at the bottom and right to one size.

    Args:
        images: each (H_i, W_i) uint8.
        buckets: sizes to pad to; that of the largest image if not given.

    Returns:
        `images` (B, 1, H, W) uint8 and `sizes` (B, 2).
    """
    sizes = torch.tensor([image.shape for image in images])  # (B, 2)
    height, width = sizes.amax(0).tolist()
    if buckets is not None:
        height, width = buckets.fit(height, width)
    padded = torch.zeros(len(images), 1, height, width, dtype=torch.uint8)
    for row, image in zip(padded, images, strict=True):
        row[0, : image.shape[0], : image.shape[1]] = torch.from_numpy(np.ascontiguousarray(image))
    return {"images": padded, "sizes": sizes}
