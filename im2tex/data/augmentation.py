"""Training augmentation of ink: symbol swaps, sub-formula crops and geometric distortion.

The result depends on (seed, epoch, key) alone, so that the order of loading, the number of workers
and interruptions do not change it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from im2tex.data.sample import Sample
from im2tex.ink.augment import Augmentation
from im2tex.ink.ink import Ink
from im2tex.ink.recombination.recombine import SwapBank, crop, swap


@dataclass(frozen=True, slots=True)
class AugmentedSample:
    """Ink and label of a sample in one epoch.

    Attributes:
        ink: the strokes.
        tokens: the label of the strokes.
        scale_factor: factor on the scale of the image.
        stroke_width_factor: factor on the stroke width.
        is_cropped: whether the ink is a sub-formula, so that its scale must be measured again.
    """

    ink: Ink
    tokens: tuple[str, ...]
    scale_factor: float = 1.0
    stroke_width_factor: float = 1.0
    is_cropped: bool = False


@dataclass(frozen=True, slots=True)
class TrainingAugmentation:
    """Augments a sample for one epoch.

    Example:
        >>> augment = TrainingAugmentation(seed=0, augmentation=Augmentation())
        >>> augment(sample, epoch=3).ink

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

    def __call__(self, sample: Sample, epoch: int) -> AugmentedSample:
        """Augments a sample, which must have ink, for an epoch."""
        assert sample.ink is not None
        rng = np.random.default_rng([self.seed, epoch, zlib.crc32(sample.key.encode())])
        ink, tokens = sample.ink, sample.tokens
        if self.subformula_crop_prob and rng.random() < self.subformula_crop_prob:
            ink, tokens = crop(ink, tokens, rng)
        is_cropped = ink is not sample.ink
        if self.bank is not None and rng.random() < self.swap_fraction:
            ink, tokens = swap(ink, tokens, self.bank, rng, self.swap_probability)
        if self.augmentation is None:
            return AugmentedSample(ink, tokens, is_cropped=is_cropped)
        ink, stroke_width, scale = self.augmentation.apply(ink, rng)
        return AugmentedSample(ink, tokens, scale, stroke_width, is_cropped)
