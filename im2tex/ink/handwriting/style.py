"""How handwriting varies: from writer to writer, and from one symbol to the next.

The paper's synthetic handwriting takes an independent sample for each symbol, in the place and size
that TeX gives it, "with no variation of baseline, size or noise": `FAITHFUL`. `NATURAL` is ours: a
formula has one writer, whose own samples are kept together as far as there are any, and who writes
on a line that is not quite one, larger here and tighter there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Manner:
    """What may vary. Lengths are in em of the text size, angles in radians; 0 for none.

    Attributes:
        keeping: probability that a symbol is one of the formula's own writer, if there are any;
            else, that it is the sample which stood for the same symbol before.
        spread: standard deviation of how far apart a formula's symbols stand, a factor's
            logarithm; TeX's own distances are tight for a pen.
        airiness: mean of the same.
        closest: least of the same. Closer than TeX sets them, pen strokes run into each other.
        script: standard deviation of the size of scripts, a factor's logarithm.
        slant: standard deviation of a formula's shear.
        slope: standard deviation of the line's slope.
        drift: standard deviation of how far the line wanders up and down.
        size: standard deviation of a symbol's size, a factor's logarithm.
        place: standard deviation of a symbol's place, either way.
        turn: standard deviation of a symbol's rotation.
        signs: size of operators and relations, a factor; TeX sets them wider than people do.
        stretch: how far a symbol may be narrower or wider than its sample, a factor, to fill the
            place that TeX gives it.
        room: share of what a symbol is wider than its place that it gets: at 1 it keeps the
            distance from its neighbours that TeX gives them, at 0 it may run into them.
        straight: length beyond which bars and other lines are drawn straighter.
    """

    keeping: float = 0.0
    spread: float = 0.0
    airiness: float = 0.0
    closest: float = 0.0
    script: float = 0.0
    slant: float = 0.0
    slope: float = 0.0
    drift: float = 0.0
    size: float = 0.0
    place: float = 0.0
    turn: float = 0.0
    signs: float = 1.0
    stretch: float = 1.5
    room: float = 0.0
    straight: float = math.inf

    def hand(self, rng: np.random.Generator) -> Hand:
        """One writer's hand in one formula."""
        across, down, script = rng.normal(size=3)
        apart = np.maximum(self.airiness + self.spread * np.array([across, down]), self.closest)
        return Hand(
            across=float(np.exp(apart[0])),
            down=float(np.exp(0.5 * apart[1])),
            script=float(np.exp(self.script * script)),
            slant=float(self.slant * rng.normal()),
            slope=float(self.slope * rng.normal()),
            drift=float(self.drift * rng.normal()),
            wave=float(rng.uniform(4.0, 12.0)),
            phase=float(rng.uniform(0.0, 2 * np.pi)),
        )


FAITHFUL = Manner()
"""As in the paper."""

NATURAL = Manner(
    keeping=0.85,
    spread=0.14,
    airiness=0.08,
    closest=-0.05,
    script=0.12,
    slant=0.1,
    slope=0.025,
    drift=0.05,
    size=0.09,
    place=0.035,
    turn=0.05,
    signs=0.8,
    stretch=1.25,
    room=0.85,
    straight=1.5,
)
"""As people write."""


@dataclass(frozen=True, slots=True)
class Hand:
    """A hand in one formula.

    Attributes:
        across: factor of distances from left to right.
        down: factor of distances from top to bottom.
        script: factor of the size of scripts.
        slant: shear, x for each y.
        slope: of the line, y for each x.
        drift: height of the wave that the line makes, em.
        wave: its length, em.
        phase: where it begins, radians.
    """

    across: float
    down: float
    script: float
    slant: float
    slope: float
    drift: float
    wave: float
    phase: float

    def bend(self, points: np.ndarray, em: float) -> np.ndarray:
        """Slant, slope and drift of all ink at once.

        Args:
            points: (n, 2) float.
            em: units in an em.
        """
        x, y = points[:, 0], points[:, 1]
        wave = self.drift * em * np.sin(2 * np.pi * x / (self.wave * em) + self.phase)
        return np.stack([x - self.slant * y, y + self.slope * x + wave], axis=1)  # (n, 2)
