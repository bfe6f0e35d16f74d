"""Synthetic handwriting, composed when a sample is loaded: a function of (seed, key, epoch)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from im2tex.data.sample import Sample
from im2tex.ink.handwriting import Composer
from im2tex.ink.ink import Ink


@dataclass(frozen=True, slots=True)
class HandwritingSynthesizer:
    """Writes laid-out samples by hand.

    Attributes:
        composer: composes the ink.
        seed: of the handwriting.
        resample_each_epoch: whether each training epoch composes new ink for a sample.
    """

    composer: Composer
    seed: int = 0
    resample_each_epoch: bool = True

    def __call__(self, sample: Sample, epoch: int | None = None) -> Ink:
        """The ink of a sample that is laid out.

        Args:
            sample: the sample.
            epoch: of training; None for the ink that the sample has outside of it.
        """
        assert sample.layout is not None
        return self.composer.compose(sample.layout.layout, self._rng(sample, epoch))

    def extent(self, sample: Sample, epoch: int | None = None) -> tuple[float, float]:
        """About the width and height of the ink, in the layout's unit, without writing it.

        Its first ink is known; the spacing of the hand that writes it now is compared with that
        one's. What single symbols do is not foretold.
        """
        assert sample.layout is not None
        width, height = sample.layout.width, sample.layout.height
        first, now = (
            self.composer.style.sample_writer(self._rng(sample, e)) for e in (None, epoch)
        )
        width *= now.horizontal_scale / first.horizontal_scale
        height = (
            max(height - abs(first.slope) * width, 0.5 * height)
            * now.vertical_scale
            / first.vertical_scale
        )
        return width, height + abs(now.slope) * width

    def _rng(self, sample: Sample, epoch: int | None) -> np.random.Generator:
        turn = 0 if epoch is None or not self.resample_each_epoch else epoch + 1
        return np.random.default_rng([self.seed, zlib.crc32(sample.key.encode()), turn])
