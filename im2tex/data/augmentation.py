"""Training augmentation of ink: sub-formula crops, symbol swaps and geometric distortion.

The result depends on (seed, epoch, index of the sample) alone, so that the order of loading, the
number of workers and interruptions do not change it. The numbers that determine the size of the
image are drawn for many samples at once, by the planner of the batches and again by the worker that
loads a sample; all others come from a generator of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2tex.data.geometry import Geometry
from im2tex.ink.augment import Augmentation, PlannedVariation
from im2tex.ink.ink import Ink
from im2tex.ink.recombination.recombine import SwapBank, crop, swap
from im2tex.utils.philox import philox_uniform

_NO_CROP = -1


class AugmentationPlan(NamedTuple):
    """What happens to samples in an epoch, as far as it determines their sizes.

    Attributes:
        crop: (n,) index of the sub-formula in the geometry's candidates; -1 for the whole formula.
        swap: (n,) whether symbols are swapped.
        variation: scale, stroke width and matrix of each sample.
    """

    crop: NDArray[np.int64]
    swap: NDArray[np.bool_]
    variation: PlannedVariation


@dataclass(frozen=True, slots=True)
class TrainingAugmentation:
    """Augments samples for one epoch.

    Example:
        >>> augment = TrainingAugmentation(seed=0, augmentation=Augmentation())
        >>> plan = augment.plan(geometry, np.array([5, 9]), epoch=3)
        >>> ink, tokens = augment(split[9].ink, split[9].tokens, plan, 1, geometry, rng)

    Attributes:
        seed: seed of the run.
        augmentation: geometric augmentation, which keeps the label.
        bank: symbols of other samples, for swaps.
        swap_fraction: fraction of samples in which symbols are swapped.
        swap_probability: probability that a symbol of such a sample is swapped.
        subformula_crop_prob: probability that a sample is cropped to a sub-formula.
    """

    seed: int = 0
    augmentation: Augmentation | None = None
    bank: SwapBank | None = None
    swap_fraction: float = 0.0
    swap_probability: float = 0.5
    subformula_crop_prob: float = 0.0

    @property
    def is_active(self) -> bool:
        """Whether samples may differ between epochs."""
        random = self.swap_fraction or self.subformula_crop_prob
        return self.augmentation is not None or bool(random)

    def plan(self, geometry: Geometry, indices: NDArray[np.int64], epoch: int) -> AugmentationPlan:
        """Draws what determines the sizes of samples.

        Args:
            geometry: of all samples.
            indices: (n,) samples.
            epoch: index of the epoch.
        """
        draws = philox_uniform(self.seed, epoch, indices, 3 + Augmentation.PLANNED_DRAWS)
        chosen = np.full(len(indices), _NO_CROP)
        if self.subformula_crop_prob:
            counts = np.diff(geometry.crop_offsets)[indices]
            cropped = (draws[:, 0] < self.subformula_crop_prob) & (counts > 0)
            # The keys of a sample's candidates are its index plus their cumulative probability,
            # whose sum may be below 1.
            found = np.searchsorted(geometry.crop_key, indices[cropped] + draws[cropped, 1])
            end = geometry.crop_offsets[indices[cropped] + 1]
            chosen[cropped] = np.where(found < end, found, _NO_CROP)
        swapped = (draws[:, 2] < self.swap_fraction) & geometry.aligned[indices]
        return AugmentationPlan(
            chosen, swapped & (self.bank is not None), self._variation(draws[:, 3:])
        )

    def __call__(
        self,
        ink: Ink,
        tokens: tuple[str, ...],
        plan: AugmentationPlan,
        row: int,
        geometry: Geometry,
        rng: np.random.Generator,
    ) -> tuple[Ink, tuple[str, ...]]:
        """Augments the ink of one sample.

        Args:
            ink: the strokes of the sample.
            tokens: its label.
            plan: of the epoch.
            row: of the sample in the plan.
            geometry: of all samples.
            rng: source of the random numbers that are not in the plan.

        Returns:
            The ink and its label.
        """
        candidate = int(plan.crop[row])
        if candidate != _NO_CROP:
            start, end = int(geometry.crop_start[candidate]), int(geometry.crop_end[candidate])
            ink, tokens = crop(ink, tokens, start, end)
        if self.bank is not None and plan.swap[row]:
            ink, tokens = swap(ink, tokens, self.bank, rng, self.swap_probability)
        if self.augmentation is not None:
            ink = self.augmentation.apply(ink, rng, plan.variation.matrix[row])
        return ink, tokens

    def _variation(self, draws: NDArray[np.float64]) -> PlannedVariation:
        if self.augmentation is not None:
            return self.augmentation.plan(draws)
        ones = np.ones(len(draws))
        return PlannedVariation(ones, ones, np.tile(np.eye(2), (len(draws), 1, 1)))
