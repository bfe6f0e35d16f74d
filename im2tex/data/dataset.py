"""`Batch`, and the dataset that loads whole batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.epoch_plan import EpochPlanner, SamplePlan
from im2tex.data.fixed_sizes import Buckets
from im2tex.data.geometry import Geometry
from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.preprocessing import Preprocessing, RasterizedFormula
from im2tex.data.sample import Sample
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink
from im2tex.utils.philox import sample_generators


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
        failed: why the image of a row could not be loaded, in evaluation; such an image is blank.
        replaced: why a sample of the batch could not be loaded, by its key, in training; its row
            repeats another sample.
        downscaled: number of images reduced to fit the size that was planned for the batch.
    """

    keys: list[str]
    images: Tensor
    sizes: Tensor
    tokens: list[tuple[str, ...]]
    boxes: Tensor | None = None
    failed: dict[int, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    downscaled: int = 0

    def to(self, device: torch.device) -> Batch:
        """Copies the tensors to a device."""
        return self._map(lambda tensor: tensor.to(device))

    def pin_memory(self) -> Batch:
        """Copies the tensors to page-locked memory; called by loaders with `pin_memory`."""
        return self._map(Tensor.pin_memory)

    def _map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        boxes = None if self.boxes is None else function(self.boxes)
        return replace(self, images=function(self.images), sizes=function(self.sizes), boxes=boxes)


class Request(NamedTuple):
    """An item of a sampler: a batch to load.

    Attributes:
        epoch: index of the epoch.
        indices: samples of the batch.
        limits: largest height and width of an image in pixels; those of the preprocessing if not
            given.
    """

    epoch: int
    indices: Sequence[int]
    limits: tuple[int, int] | None = None


class _Loaded(NamedTuple):
    key: str
    tokens: tuple[str, ...]
    drawn: RasterizedFormula
    ink: Ink | None = None


class FormulaDataset(Dataset[Batch]):
    """Loads batches. The epoch is part of the index, so that worker processes hold no state.

    Example:
        >>> dataset = FormulaDataset(split, Preprocessing())
        >>> dataset[Request(epoch=0, indices=[3, 5])].images.shape

    Args:
        samples: the samples to load.
        preprocessing: makes the images.
        augmentation: for training; None loads every sample unchanged.
        buckets: sizes to pad batches to; without them a batch is padded to its largest image.

    Attributes:
        planner: plans the samples of an epoch.
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
        self.planner = self._make_planner()

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the geometry, which a worker process maps again."""
        return {name: value for name, value in self.__dict__.items() if name != "planner"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.planner = self._make_planner()

    def _make_planner(self) -> EpochPlanner:
        geometry = getattr(self.samples, "geometry", None) or Geometry.of(self.samples)
        return EpochPlanner(geometry, self.preprocessing, self.augmentation, self.synthesizer)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, request: Request | tuple[int, Sequence[int]]) -> Batch:
        request = Request(*request)
        indices = np.asarray(request.indices, dtype=np.int64)
        plan = self.planner.plan(indices, request.epoch)
        seed = 0 if self.augmentation is None else self.augmentation.seed
        generators = sample_generators(seed, request.epoch, request.indices)
        rows: list[_Loaded] = []
        failed: dict[int, str] = {}
        for row, (index, rng) in enumerate(zip(indices.tolist(), generators, strict=True)):
            blank = _Loaded(f"row {index}", (), self.preprocessing.blank())
            try:
                sample = self.samples[index]
                blank = blank._replace(key=sample.key, tokens=sample.tokens)
                rows.append(self._load(sample, plan, row, request.limits, rng))
            except Im2TexError as error:
                failed[row] = str(error)
                rows.append(blank)
        replaced: dict[str, str] = {}
        if self.augmentation is not None and failed:
            replaced = {rows[row].key: reason for row, reason in failed.items()}
            rows, failed = _replace(rows, failed), {}
        tokens = [loaded.tokens for loaded in rows]
        limited = self.augmentation is not None and request.limits is not None
        return Batch(
            keys=[loaded.key for loaded in rows],
            tokens=tokens,
            boxes=self._boxes(rows, 1 + max(map(len, tokens))),
            failed=failed,
            replaced=replaced,
            downscaled=sum(loaded.drawn.downscaled for loaded in rows) if limited else 0,
            **stack([loaded.drawn.image for loaded in rows], self.buckets),
        )

    def _load(
        self,
        sample: Sample,
        plan: SamplePlan,
        row: int,
        limits: tuple[int, int] | None,
        rng: np.random.Generator,
    ) -> _Loaded:
        """Draws a sample, augmented in training.

        Raises:
            Im2TexError: if it cannot be drawn.
        """
        ink, tokens = sample.ink, sample.tokens
        if sample.layout is not None:
            if self.synthesizer is None:
                raise Im2TexError(
                    "these samples are layouts of handwriting: open them through their source."
                )
            if plan.writers is None:
                ink = self.synthesizer(sample)
            else:
                ink = self.synthesizer.compose(sample, rng, plan.writers.writer(row))
        if ink is None:
            drawn = self.preprocessing.load_image(_image(sample))
            return _Loaded(sample.key, tokens, drawn)
        if not ink.strokes:
            raise Im2TexError("there is no stroke to draw.")
        if self.augmentation is not None and plan.augmentation is not None:
            geometry = self.planner.geometry
            ink, tokens = self.augmentation(ink, tokens, plan.augmentation, row, geometry, rng)
        drawn = self.preprocessing.rasterize(
            ink,
            scale=float(plan.scale[row]),
            stroke_width_factor=float(plan.stroke_width[row]),
            limits=limits,
        )
        return _Loaded(sample.key, tokens, drawn, ink)

    def _boxes(self, rows: Sequence[_Loaded], length: int) -> Tensor | None:
        """The symbol boxes of a training batch, also if all are unknown.

        Without boxes, parameters of a loss would get no gradient in some steps, for which
        distributed training raises.
        """
        if self.augmentation is None:
            return None
        boxes = np.tile(np.array([0, 0, -1, -1], dtype=np.float32), (len(rows), length, 1))
        for row, loaded in zip(boxes, rows, strict=True):
            if loaded.ink is not None:
                count = len(loaded.tokens)
                row[:count] = self.preprocessing.boxes(loaded.drawn, loaded.ink, count)
        return torch.from_numpy(boxes)


def _replace(rows: Sequence[_Loaded], failed: Mapping[int, str]) -> list[_Loaded]:
    """Replaces the samples that could not be loaded by others of the batch.

    If none could be loaded, they remain blank images with an empty label.
    """
    loaded = [row for number, row in enumerate(rows) if number not in failed]
    if not loaded:
        return [row._replace(tokens=()) for row in rows]
    return [
        loaded[number % len(loaded)] if number in failed else row for number, row in enumerate(rows)
    ]


def _image(sample: Sample) -> bytes:
    """The image of a sample without ink.

    Raises:
        Im2TexError: if it has no image.
    """
    if sample.image is None:
        raise Im2TexError(sample.extra.get("failed") or "there is no image.")
    return sample.image


def stack(images: Sequence[np.ndarray], buckets: Buckets | None = None) -> dict[str, Tensor]:
    """Pads images at the bottom and right to one size.

    Args:
        images: each (H_i, W_i) uint8.
        buckets: sizes to pad to; the size of the largest image if not given.

    Returns:
        `images` (B, 1, H, W) uint8 and `sizes` (B, 2).
    """
    sizes = np.array([image.shape for image in images])  # (B, 2)
    height, width = sizes.max(axis=0).tolist()
    if buckets is not None:
        height, width = buckets.fit(height, width)
    padded = np.zeros((len(images), 1, height, width), np.uint8)
    for row, image in zip(padded, images, strict=True):
        row[0, : image.shape[0], : image.shape[1]] = image
    return {"images": torch.from_numpy(padded), "sizes": torch.from_numpy(sizes)}
