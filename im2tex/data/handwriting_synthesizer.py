"""Composes synthetic handwriting when a sample is loaded: a function of (seed, key, epoch)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from im2tex.data.sample import Sample
from im2tex.ink.handwriting import Composer
from im2tex.ink.ink import Ink


@dataclass(frozen=True, slots=True)
class HandwritingSynthesizer:
    """Composes the ink of samples that have a layout only.

    Example::

        synthesizer = HandwritingSynthesizer(Composer(built_in_bank(), NATURAL), seed=0)
        ink = synthesizer(sample, epoch=3)

    Attributes:
        composer: composes ink from a layout.
        seed: seed of the handwriting.
        resample_strokes: whether each training epoch composes new ink for a sample.
    """

    composer: Composer
    seed: int = 0
    resample_strokes: bool = True

    def __call__(self, sample: Sample, epoch: int | None = None) -> Ink:
        """Returns the ink of a sample.

        Args:
            sample: a sample with a layout.
            epoch: training epoch; None for the ink of validation and tests.
        """
        assert sample.layout is not None
        return self.composer.compose(sample.layout.layout, self._rng(sample, epoch))

    def extent(self, sample: Sample, epoch: int | None = None) -> tuple[float, float]:
        """Returns the approximate width and height of the ink, in units of the layout.

        Scales the stored extent of the sample's first ink by the ratio of the writer styles of
        both inks; the variation of single symbols is ignored.
        """
        assert sample.layout is not None
        width, height = sample.layout.width, sample.layout.height
        styles = [self.composer.style.sample_writer(self._rng(sample, e)) for e in (None, epoch)]
        first, now = styles
        width *= now.horizontal_scale / first.horizontal_scale
        upright = max(height - abs(first.slope) * width, 0.5 * height)
        height = upright * now.vertical_scale / first.vertical_scale
        return width, height + abs(now.slope) * width

    def _rng(self, sample: Sample, epoch: int | None) -> np.random.Generator:
        stream = 0 if epoch is None or not self.resample_strokes else epoch + 1
        return np.random.default_rng([self.seed, zlib.crc32(sample.key.encode()), stream])
