"""What happens to a training sample before it is drawn: recombination and augmentation.

A pure function of (seed, epoch, key), so that order of loading, number of workers and
interruptions change nothing.
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
class Varied:
    """A sample's ink and label in one epoch.

    Attributes:
        ink: the strokes.
        tokens: the label, changed along with the strokes where symbols were exchanged.
        scale_factor: enlarges the drawing.
        thickness_factor: widens the pen.
        cropped: whether this is a part of the sample, whose size has to be measured anew.
    """

    ink: Ink
    tokens: tuple[str, ...]
    scale_factor: float = 1.0
    thickness_factor: float = 1.0
    cropped: bool = False


@dataclass(frozen=True, slots=True)
class Variation:
    """How training samples vary from epoch to epoch.

    Attributes:
        seed: of the run.
        augmentation: geometric, label-preserving; None for none.
        bank: symbols to exchange for; None for none.
        swap_share: share of samples in which symbols are exchanged.
        swap_probability: in those, the probability that a symbol is.
        crop_share: share of samples cut down to a sub-formula.
    """

    seed: int = 0
    augmentation: Augmentation | None = None
    bank: SwapBank | None = None
    swap_share: float = 0.0
    swap_probability: float = 0.5
    crop_share: float = 0.0

    @property
    def changes(self) -> bool:
        """Whether any sample may differ from epoch to epoch."""
        return self.augmentation is not None or bool(self.swap_share or self.crop_share)

    def __call__(self, sample: Sample, epoch: int) -> Varied:
        """The sample as it is in one epoch; it must have ink."""
        assert sample.ink is not None
        rng = np.random.default_rng([self.seed, epoch, zlib.crc32(sample.key.encode())])
        ink, tokens = sample.ink, sample.tokens
        if self.crop_share and rng.random() < self.crop_share:
            ink, tokens = crop(ink, tokens, rng)
        cropped = ink is not sample.ink
        if self.bank is not None and rng.random() < self.swap_share:
            ink, tokens = swap(ink, tokens, self.bank, rng, self.swap_probability)
        if self.augmentation is None:
            return Varied(ink, tokens, cropped=cropped)
        ink, thickness, scale = self.augmentation.apply(ink, rng)
        return Varied(ink, tokens, scale, thickness, cropped)
