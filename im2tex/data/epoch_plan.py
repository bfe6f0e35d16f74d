"""`EpochPlanner`: sizes and augmentation of the samples of an epoch, from stored numbers alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2tex.data.augmentation import AugmentationPlan, TrainingAugmentation
from im2tex.data.bucketing import Indices, Sizes
from im2tex.data.geometry import DIRECTIONS, Geometry, SampleKind, box_widths
from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.preprocessing import Preprocessing
from im2tex.ink.handwriting.style import WriterStyles

_CHUNK = 16_384


class SamplePlan(NamedTuple):
    """How samples are drawn in an epoch.

    Attributes:
        scale: (n,) pixels per unit of the ink or per pixel of the image.
        stroke_width: (n,) factor on the stroke width.
        augmentation: crops, swaps and variation; None if samples are not augmented.
        writers: styles of synthesised handwriting; None if samples have no new ink in each epoch.
    """

    scale: NDArray[np.float64]
    stroke_width: NDArray[np.float64]
    augmentation: AugmentationPlan | None
    writers: WriterStyles | None


@dataclass(frozen=True, slots=True)
class EpochPlanner:
    """Plans samples without reading them.

    The size of a sample is that of its image, except that the ink of a layout and the variation of
    single symbols are estimated.

    Example:
        >>> planner = EpochPlanner(split.geometry, Preprocessing())
        >>> planner.sizes(np.array([3, 5]), epoch=0)

    Attributes:
        geometry: of all samples.
        preprocessing: makes the images.
        augmentation: for training; None for evaluation.
        synthesizer: composes the ink of layouts.
    """

    geometry: Geometry
    preprocessing: Preprocessing
    augmentation: TrainingAugmentation | None = None
    synthesizer: HandwritingSynthesizer | None = None

    @property
    def varies(self) -> bool:
        """Whether sizes differ between epochs."""
        return self.augmentation is not None and (
            self.augmentation.is_active or self._resampling_synthesizer is not None
        )

    def plan(self, indices: Indices, epoch: int) -> SamplePlan:
        """Plans samples for an epoch.

        Args:
            indices: (n,) samples.
            epoch: index of the epoch.
        """
        unit = self.geometry.unit[indices].astype(np.float64)
        has_ink = self._has_ink(indices)
        if self.augmentation is None:
            scale = self.preprocessing.scales(unit, has_ink)
            return SamplePlan(scale, np.ones(len(indices)), None, None)
        plan = self.augmentation.plan(self.geometry, indices, epoch)
        cropped = plan.crop >= 0
        unit[cropped] = self.geometry.crop_unit[plan.crop[cropped]]
        factor, stroke_width = (
            np.where(has_ink, values, 1.0)
            for values in (plan.variation.scale, plan.variation.stroke_width)
        )
        composer = self._resampling_synthesizer
        writers = None if composer is None else composer.writers(indices, epoch)
        scale = self.preprocessing.scales(unit, has_ink) * factor
        return SamplePlan(scale, stroke_width, plan, writers)

    def sizes(self, indices: Indices, epoch: int) -> Sizes:
        """Heights, widths and label lengths of samples in an epoch.

        Args:
            indices: (n,) samples.
            epoch: index of the epoch.

        Returns:
            (n, 3); heights and widths are within the limits of the preprocessing.
        """
        parts = [self._sizes(chunk, epoch) for chunk in _chunks(indices)]
        sizes = np.concatenate(parts)
        sizes[:, :2] = np.minimum(sizes[:, :2], self.preprocessing.limits)
        return sizes

    def exceed_limits(self) -> NDArray[np.bool_]:
        """Whether each image exceeds the limits of the preprocessing without augmentation, (n,)."""
        plain = replace(self, augmentation=None)
        limits = self.preprocessing.max_height, self.preprocessing.max_width
        parts = [plain._sizes(chunk, 0) for chunk in _chunks(np.arange(len(self.geometry)))]
        exceeding: NDArray[np.bool_] = np.any(np.concatenate(parts)[:, :2] > limits, axis=1)
        return exceeding

    def _sizes(self, indices: Indices, epoch: int) -> Sizes:
        """Sizes of samples without the limits of the preprocessing."""
        geometry = self.geometry
        plan = self.plan(indices, epoch)
        kind, length = geometry.kind[indices], geometry.length[indices]
        widths = geometry.widths[indices].astype(np.float64)  # (n, directions)
        has_ink = self._has_ink(indices)
        matrix = np.tile(np.eye(2), (len(indices), 1, 1))
        if plan.augmentation is not None:
            cropped = plan.augmentation.crop >= 0
            candidates = plan.augmentation.crop[cropped]
            width, height = geometry.layout_width[indices], geometry.layout_height[indices]
            width[cropped] = geometry.crop_width[candidates]
            height[cropped] = geometry.crop_height[candidates]
            widths[cropped] = box_widths(width[cropped], height[cropped])
            length[cropped] = geometry.crop_end[candidates] - geometry.crop_start[candidates]
            if plan.writers is not None and self.synthesizer is not None:
                composed = kind == SampleKind.LAYOUT
                widths[composed] = self.synthesizer.extents(width, height, plan.writers)[composed]
            matrix[has_ink] = plan.augmentation.variation.matrix[has_ink]
        extents = np.stack([_project(widths, matrix[:, :, axis]) for axis in (1, 0)], axis=1)
        sizes = self.preprocessing.sizes(extents, plan.scale, plan.stroke_width, has_ink)
        sizes[kind == SampleKind.NONE] = self.preprocessing.stride
        return np.concatenate([sizes, length[:, None]], axis=1)

    def _has_ink(self, indices: Indices) -> NDArray[np.bool_]:
        kind = self.geometry.kind[indices]
        has_ink: NDArray[np.bool_] = (kind == SampleKind.INK) | (kind == SampleKind.LAYOUT)
        return has_ink

    @property
    def _resampling_synthesizer(self) -> HandwritingSynthesizer | None:
        """The synthesizer, if it composes new ink in each epoch."""
        resamples = self.synthesizer is not None and self.synthesizer.resample_strokes
        return self.synthesizer if resamples else None


def _chunks(indices: Indices) -> list[Indices]:
    """Parts of the indices, so that temporary arrays stay small."""
    return np.array_split(indices, max(1, -(-len(indices) // _CHUNK)))


def _project(widths: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Extents of inks along vectors.

    The width of an ink in direction u is h(u) = max p.u - min p.u over its points p. h is
    sublinear, so for v = a u_k + b u_(k+1) with a, b >= 0, the bound a h(u_k) + b h(u_(k+1)) is
    never too small, and exact if the same points are extreme in both directions.

    Args:
        widths: (n, directions) h of each of `DIRECTIONS`.
        vectors: (n, 2).

    Returns:
        (n,) h of each vector.
    """
    angle = np.arctan2(vectors[:, 1], vectors[:, 0]) % np.pi
    bounds = np.append(DIRECTIONS, np.pi)  # the width at pi is that at 0
    k = np.minimum(np.searchsorted(bounds, angle, side="right"), len(DIRECTIONS)) - 1
    low, high = bounds[k], bounds[k + 1]
    a, b = np.sin(high - angle), np.sin(angle - low)
    row = np.arange(len(widths))
    bound = a * widths[row, k] + b * widths[row, (k + 1) % len(DIRECTIONS)]
    extents: NDArray[np.float64] = bound * (np.hypot(*vectors.T) / np.sin(high - low))
    return extents
