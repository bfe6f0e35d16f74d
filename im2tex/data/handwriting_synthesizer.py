"""Composes synthetic handwriting when a sample is loaded."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.data.geometry import box_widths
from im2tex.data.sample import Sample
from im2tex.errors import Im2TexError
from im2tex.ink.handwriting import Composer
from im2tex.ink.handwriting.style import HandwritingStyle, WriterStyle, WriterStyles
from im2tex.ink.ink import Ink
from im2tex.utils.philox import philox_uniform

# Measured on 1000 layouts of formulas like CROHME's, in the style `natural`.
_WIDENING = 0.04  # of the width, by `HandwritingStyle.widening`
_RISE = 0.5  # of the rise of the baseline that adds to the height
_STREAM = 1  # of the random numbers of a sample in an epoch


@dataclass(frozen=True, slots=True)
class HandwritingSynthesizer:
    """Composes the ink of samples that have a layout only.

    Example::

        synthesizer = HandwritingSynthesizer(Composer(built_in_bank(), NATURAL), seed=0)
        ink = synthesizer(sample)  # of validation and tests
        writers = synthesizer.writers(np.array([7]), epoch=3)
        ink = synthesizer.compose(sample, np.random.default_rng(0), writers.writer(0))

    Attributes:
        composer: composes ink from a layout.
        seed: seed of the handwriting.
        resample_strokes: whether each training epoch composes new ink for a sample.
    """

    composer: Composer
    seed: int = 0
    resample_strokes: bool = True

    def __call__(self, sample: Sample) -> Ink:
        """The ink of a sample in validation and tests: a function of seed and key."""
        return self.compose(sample, self._first_generator(sample.key), None)

    def compose(self, sample: Sample, rng: np.random.Generator, writer: WriterStyle | None) -> Ink:
        """New ink of a sample.

        Args:
            sample: a sample with a layout.
            rng: source of randomness.
            writer: style of the writer; drawn with `rng` if not given.

        Raises:
            Im2TexError: if the glyph bank lacks a symbol of the sample.
        """
        assert sample.layout is not None
        try:
            return self.composer.compose(sample.layout.layout, rng, writer)
        except KeyError as error:
            raise Im2TexError(
                f"sample {sample.key}: the glyph bank has no {error.args[0]}. Prepare the data "
                "again with this bank."
            ) from None

    def writers(self, indices: NDArray[np.int64], epoch: int) -> WriterStyles:
        """Writer styles of samples in an epoch.

        Args:
            indices: (n,) samples.
            epoch: index of the epoch.
        """
        count = HandwritingStyle.WRITER_DRAWS
        draws = philox_uniform(self.seed, epoch, indices, count, _STREAM)
        return self.composer.style.writers(draws)

    def extents(
        self, width: NDArray[np.float32], height: NDArray[np.float32], writers: WriterStyles
    ) -> NDArray[np.float64]:
        """Estimated widths of inks; the variation of single symbols is ignored.

        Args:
            width: (n,) width of each layout, or of a part of it. The layout predicts the ink better
                than the ink of another writer does, whose own variation adds to the error.
            height: (n,) height of each.
            writers: (n,) styles.

        Returns:
            (n, directions), see `Geometry`.
        """
        widening = 1 + _WIDENING * self.composer.style.widening
        composed_width = widening * writers.horizontal_scale * width
        composed_height = writers.vertical_scale * height
        composed_height += _RISE * np.abs(writers.slope) * composed_width
        return box_widths(composed_width, composed_height)

    def _first_generator(self, key: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(key.encode()), 0])
