"""Variation of handwriting between writers and between symbols.

The paper's synthetic handwriting takes an independent sample for each symbol, at the position and
size that TeX gives it, "with no variation of baseline, size or noise": `PAPER`. `NATURAL` is ours:
a formula has one writer, whose own samples are preferred, and slant, slope, spacing and symbol
sizes vary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class HandwritingStyle:
    """Distribution of handwriting styles.

    Example:
        >>> style = dataclasses.replace(NATURAL, slant_std=0.2)
        >>> composer = Composer(bank, style)

    Lengths are in em of the text size, angles in radians. Spacing and sizes are factors whose
    logarithm is normally distributed. 0 switches a variation off.

    Attributes:
        same_writer_prob: probability that a symbol's sample is one of the formula's writer, if the
            writer has any; otherwise, that it is the sample used for the same symbol before.
        spacing_std: standard deviation of the logarithm of the spacing.
        spacing_mean: its mean; TeX's own distances are tight for a pen.
        spacing_min: its minimum. Closer than TeX sets symbols, pen strokes run into each other.
        script_std: standard deviation of the logarithm of the size of scripts.
        slant_std: standard deviation of a formula's shear.
        slope_std: standard deviation of the baseline's slope.
        drift_std: standard deviation of the amplitude of the baseline's wave.
        size_std: standard deviation of the logarithm of a symbol's size.
        position_std: standard deviation of a symbol's position, per axis.
        rotation_std: standard deviation of a symbol's rotation.
        operator_scale: factor on the size of operators and relations, which TeX sets wide.
        max_stretch: largest factor between a sample's horizontal and vertical scale.
        widening: fraction of the width by which a symbol exceeds its TeX box that is added to the
            spacing: 1 keeps TeX's distance to the neighbours, 0 lets symbols overlap.
        straight_above: length above which bars and other lines are drawn straighter.
    """

    same_writer_prob: float = 0.0
    spacing_std: float = 0.0
    spacing_mean: float = 0.0
    spacing_min: float = 0.0
    script_std: float = 0.0
    slant_std: float = 0.0
    slope_std: float = 0.0
    drift_std: float = 0.0
    size_std: float = 0.0
    position_std: float = 0.0
    rotation_std: float = 0.0
    operator_scale: float = 1.0
    max_stretch: float = 1.5
    widening: float = 0.0
    straight_above: float = math.inf

    WRITER_DRAWS: ClassVar[int] = 8
    """Random numbers of each writer for `writers`."""

    def writers(self, draws: NDArray[np.float64]) -> WriterStyles:
        """Determines the styles of many writers, distributed as those of `sample_writer`.

        Args:
            draws: (n, WRITER_DRAWS) uniform random numbers in (0, 1).
        """
        # The method of Box and Muller makes two normal numbers of two uniform ones.
        radius, angle = np.sqrt(-2 * np.log(draws[:, :3])), 2 * np.pi * draws[:, 3:6]
        horizontal, script, slope = (radius * np.cos(angle)).T
        vertical, slant, amplitude = (radius * np.sin(angle)).T
        spacing = [
            np.maximum(self.spacing_mean + self.spacing_std * normal, self.spacing_min)
            for normal in (horizontal, vertical)
        ]
        return WriterStyles(
            np.exp(spacing[0]),
            np.exp(0.5 * spacing[1]),
            np.exp(self.script_std * script),
            self.slant_std * slant,
            self.slope_std * slope,
            self.drift_std * amplitude,
            4.0 + 8.0 * draws[:, 6],
            2 * np.pi * draws[:, 7],
        )

    def sample_writer(self, rng: np.random.Generator) -> WriterStyle:
        """Draws the style of one writer in one formula."""
        horizontal, vertical, script = rng.normal(size=3)
        spacing = np.maximum(
            self.spacing_mean + self.spacing_std * np.array([horizontal, vertical]),
            self.spacing_min,
        )
        return WriterStyle(
            horizontal_scale=float(np.exp(spacing[0])),
            vertical_scale=float(np.exp(0.5 * spacing[1])),
            script_scale=float(np.exp(self.script_std * script)),
            slant=float(self.slant_std * rng.normal()),
            slope=float(self.slope_std * rng.normal()),
            amplitude=float(self.drift_std * rng.normal()),
            wavelength=float(rng.uniform(4.0, 12.0)),
            phase=float(rng.uniform(0.0, 2 * np.pi)),
        )


PAPER = HandwritingStyle()
"""The paper's synthetic handwriting, without variation."""

NATURAL = HandwritingStyle(
    same_writer_prob=0.85,
    spacing_std=0.14,
    spacing_mean=0.08,
    spacing_min=-0.05,
    script_std=0.12,
    slant_std=0.1,
    slope_std=0.025,
    drift_std=0.05,
    size_std=0.09,
    position_std=0.035,
    rotation_std=0.05,
    operator_scale=0.8,
    max_stretch=1.25,
    widening=0.85,
    straight_above=1.5,
)
"""Variation similar to that of CROHME's writers."""


@dataclass(frozen=True, slots=True)
class WriterStyle:
    """Style of one writer in one formula.

    Attributes:
        horizontal_scale: factor on horizontal distances.
        vertical_scale: factor on vertical distances.
        script_scale: factor on the size of scripts.
        slant: shear, x per y.
        slope: slope of the baseline, y per x.
        amplitude: amplitude of the baseline's wave, em.
        wavelength: length of that wave, em.
        phase: phase of that wave at x = 0, radians.
    """

    horizontal_scale: float
    vertical_scale: float
    script_scale: float
    slant: float
    slope: float
    amplitude: float
    wavelength: float
    phase: float

    def transform(self, points: np.ndarray, em: float) -> np.ndarray:
        """Applies slant, slope and the baseline's wave to all points of a formula.

        Args:
            points: (n, 2) float.
            em: units per em.
        """
        x, y = points.T
        phase = 2 * np.pi * x / (self.wavelength * em) + self.phase
        wave = self.amplitude * em * np.sin(phase)
        moved = np.empty_like(points)
        moved[:, 0], moved[:, 1] = x - self.slant * y, y + self.slope * x + wave
        return moved


class WriterStyles(NamedTuple):
    """Styles of many writers: the attributes of `WriterStyle` as arrays, (n,) each.

    Example:
        >>> writers = NATURAL.writers(rng.random((3, HandwritingStyle.WRITER_DRAWS)))
        >>> ink = composer.compose(layout, rng, writers.writer(0))
    """

    horizontal_scale: NDArray[np.float64]
    vertical_scale: NDArray[np.float64]
    script_scale: NDArray[np.float64]
    slant: NDArray[np.float64]
    slope: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    wavelength: NDArray[np.float64]
    phase: NDArray[np.float64]

    def writer(self, row: int) -> WriterStyle:
        """The style of one writer."""
        return WriterStyle(*(float(values[row]) for values in self))
