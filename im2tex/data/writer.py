"""`Writer`: synthetic handwriting when it is loaded, a pure function of (seed, key, epoch)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from im2tex.data.sample import Sample
from im2tex.ink.handwriting import Composer
from im2tex.ink.ink import Ink


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes laid-out samples by hand.

    Attributes:
        composer: composes the ink.
        seed: of the handwriting.
        fresh: whether a training sample is written anew each epoch; otherwise it has one ink.
    """

    composer: Composer
    seed: int = 0
    fresh: bool = True

    def __call__(self, sample: Sample, epoch: int | None = None) -> Ink:
        """The ink of a sample that is laid out.

        Args:
            sample: the sample.
            epoch: of training; None for the ink that the sample has outside of it.
        """
        assert sample.laid_out is not None
        turn = 0 if epoch is None or not self.fresh else epoch + 1
        rng = np.random.default_rng([self.seed, zlib.crc32(sample.key.encode()), turn])
        return self.composer.compose(sample.laid_out.layout, rng)
