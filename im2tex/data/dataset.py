"""`Batch`, and the dataset that loads whole batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from im2tex.data.augmentation import AugmentedSample, TrainingAugmentation
from im2tex.data.fixed_sizes import Buckets
from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.preprocessing import Preprocessing, RasterizedFormula
from im2tex.data.sample import Sample
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink


@dataclass
class Batch:
    """A padded batch. Labels are token strings; the model maps them to ids.

    Attributes:
        keys: key of each sample.
        images: (B, 1, H, W) uint8, 0 for background to 255 for ink.
        sizes: (B, 2) height and width of each image, multiples of the stride.
        tokens: the labels; empty for a sample without one.
        boxes: (B, T, 4) float, with T the longest label plus one: left, top, right, bottom of each
            token's symbol in pixels, right < left where unknown. None outside training.
        failed: why the image of a row could not be loaded; such an image is blank.
    """

    keys: list[str]
    images: Tensor
    sizes: Tensor
    tokens: list[tuple[str, ...]]
    boxes: Tensor | None = None
    failed: dict[int, str] = field(default_factory=dict)

    def to(self, device: torch.device) -> Batch:
        """Copies the tensors to a device."""
        return self._map(lambda tensor: tensor.to(device))

    def pin_memory(self) -> Batch:
        """Copies the tensors to page-locked memory; called by loaders with `pin_memory`."""
        return self._map(Tensor.pin_memory)

    def _map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        boxes = None if self.boxes is None else function(self.boxes)
        return replace(self, images=function(self.images), sizes=function(self.sizes), boxes=boxes)


Request = tuple[int, list[int]]
"""The items of a sampler: the epoch, and the indices of the samples of a batch."""


class FormulaDataset(Dataset[Batch]):
    """Loads batches. The epoch is part of the index, so that worker processes hold no state.

    Example:
        >>> dataset = FormulaDataset(split, Preprocessing())
        >>> dataset[(0, [3, 5])].images.shape

    Args:
        samples: the samples to load.
        preprocessing: makes the images.
        augmentation: for training; None loads every sample unchanged.
        buckets: sizes to pad batches to; without them a batch is padded to its largest image.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        preprocessing: Preprocessing,
        augmentation: TrainingAugmentation | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        self.samples = samples
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.buckets = buckets
        self.synthesizer: HandwritingSynthesizer | None = getattr(samples, "synthesizer", None)
        self._scales: dict[int, float] = {}
        self._image_sizes: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, request: Request) -> Batch:
        epoch, indices = request
        samples = [self._with_ink(self.samples[index], epoch) for index in indices]
        augmented = [
            None if sample.ink is None else self.augment(sample, epoch) for sample in samples
        ]
        drawn: list[RasterizedFormula] = []
        failed: dict[int, str] = {}
        for row, (index, sample, one) in enumerate(zip(indices, samples, augmented, strict=True)):
            try:
                drawn.append(self._load(index, sample, one))
            except Im2TexError as error:
                failed[row] = str(error)
                drawn.append(self.preprocessing.blank())
        tokens = [
            sample.tokens if one is None else one.tokens
            for sample, one in zip(samples, augmented, strict=True)
        ]
        return Batch(
            keys=[sample.key for sample in samples],
            tokens=tokens,
            boxes=self._boxes(drawn, augmented, 1 + max(map(len, tokens))),
            failed=failed,
            **stack([sample.image for sample in drawn], self.buckets),
        )

    def augment(self, sample: Sample, epoch: int) -> AugmentedSample:
        """A sample with ink, as it is in an epoch."""
        if self.augmentation is not None:
            return self.augmentation(sample, epoch)
        assert sample.ink is not None
        return AugmentedSample(sample.ink, sample.tokens)

    def scale(self, index: int, one: AugmentedSample) -> float:
        """Pixels per unit of an augmented ink.

        The scale of the unaugmented ink is measured once and used in every epoch, because
        measuring takes longer than drawing. A cropped ink is measured itself.
        """
        if one.is_cropped:
            return self.preprocessing.scale_of(one.ink) * one.scale_factor
        if index not in self._scales:
            sample = self.samples[index]
            if sample.layout is not None:
                self._scales[index] = self.preprocessing.scale_for(sample.layout.ink_size)
            else:
                assert sample.ink is not None
                self._scales[index] = self.preprocessing.scale_of(sample.ink)
        return self._scales[index] * one.scale_factor

    def unaugmented_size(self, index: int) -> tuple[int, int, int]:
        """As `size`, without augmentation.

        Raises:
            Im2TexError: if the image cannot be decoded, or the ink has no stroke.
        """
        sample = self._with_outline(self.samples[index])
        if sample.ink is None:
            if index not in self._image_sizes:
                self._image_sizes[index] = self.preprocessing.loaded_size(_image(sample))
            return (*self._image_sizes[index], len(sample.tokens))
        _require_strokes(sample.ink)
        scale = self.scale(index, AugmentedSample(sample.ink, sample.tokens))
        return (*self.preprocessing.rasterized_size(sample.ink, scale), len(sample.tokens))

    def size(self, index: int, epoch: int) -> tuple[int, int, int]:
        """Height and width in pixels, without the limits, and label length of a sample.

        The size of a sample with a layout is an estimate: its ink is not synthesised.
        """
        if self.augmentation is None:
            return self.unaugmented_size(index)
        sample = self._with_outline(self.samples[index], epoch)
        if sample.ink is None:
            return self.unaugmented_size(index)
        one = self.augment(sample, epoch)
        size = self.preprocessing.rasterized_size(one.ink, self.scale(index, one))
        return (*size, len(one.tokens))

    def _load(self, index: int, sample: Sample, one: AugmentedSample | None) -> RasterizedFormula:
        if one is None:
            return self.preprocessing.load_image(_image(sample))
        _require_strokes(one.ink)
        return self.preprocessing.rasterize(
            one.ink, scale=self.scale(index, one), stroke_width_factor=one.stroke_width_factor
        )

    def _with_ink(self, sample: Sample, epoch: int) -> Sample:
        """The sample, with synthesised ink if it has a layout."""
        if sample.layout is None:
            return sample
        if self.synthesizer is None:
            raise Im2TexError(
                "these samples are layouts of handwriting: open them through their source."
            )
        ink = self.synthesizer(sample, None if self.augmentation is None else epoch)
        return replace(sample, ink=ink)

    def _with_outline(self, sample: Sample, epoch: int | None = None) -> Sample:
        """The sample, with a rectangle of about the ink's size for ink if it has a layout."""
        if sample.layout is None:
            return sample
        right, bottom = sample.layout.width, sample.layout.height
        if self.synthesizer is not None:
            right, bottom = self.synthesizer.extent(sample, epoch)
        corners = np.array([(0, 0), (right, 0), (right, bottom), (0, bottom)], np.float32)
        return replace(sample, ink=Ink((corners,)))

    def _boxes(
        self,
        drawn: Sequence[RasterizedFormula],
        augmented: Sequence[AugmentedSample | None],
        length: int,
    ) -> Tensor | None:
        """The symbol boxes of a training batch, also if all are unknown.

        Without boxes, parameters of a loss would get no gradient in some steps, for which
        distributed training raises.
        """
        if self.augmentation is None:
            return None
        boxes = np.tile(np.array([0, 0, -1, -1], dtype=np.float32), (len(drawn), length, 1))
        for row, image, one in zip(boxes, drawn, augmented, strict=True):
            if one is not None:
                row[: len(one.tokens)] = self.preprocessing.boxes(image, one.ink, len(one.tokens))
        return torch.from_numpy(boxes)


def _image(sample: Sample) -> bytes:
    """The image of a sample without ink.

    Raises:
        Im2TexError: if it has no image.
    """
    if sample.image is None:
        raise Im2TexError(sample.extra.get("failed") or "there is no image.")
    return sample.image


def _require_strokes(ink: Ink) -> None:
    if not ink.strokes:
        raise Im2TexError("there is no stroke to draw.")


def stack(images: Sequence[np.ndarray], buckets: Buckets | None = None) -> dict[str, Tensor]:
    """Pads images at the bottom and right to one size.

    Args:
        images: each (H_i, W_i) uint8.
        buckets: sizes to pad to; the size of the largest image if not given.

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
