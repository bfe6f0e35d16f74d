"""Label-preserving variation of an ink: another hand, another day, the same formula.

The paper (section 5.2) resizes and rotates the symbols of CROHME's training inks at random, without
figures. Here both come with the writing as a whole: slant, rotation and stretch of the line, a
smooth wobble of the plane (Simard et al. 2003, on points instead of pixels), pen and size. Every
step is one array operation over all points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much an ink may vary. Zero, or (1, 1) for a range, switches a part off.

    Attributes:
        scale: range of the factor on the drawn size, log-uniform. The ink keeps its unit (its size
            would be normalised away again): the factor is handed back for the drawing.
        thickness: range of the factor on the pen, log-uniform, handed back likewise.
        rotation: degrees either way, of the whole line.
        slant: tangent of the angle that uprights lean by, either way.
        stretch: largest factor between width and height, either way, log-uniform.
        symbol_resize: largest factor on a symbol's size, either way, log-uniform.
        symbol_rotation: degrees either way, of a symbol about its middle.
        symbol_shift: how far a symbol may move each way, as a share of a symbol's size.
        wobble: how far a point may move, as a share of a symbol's size (standard deviation).

    Raises:
        Im2TexError: if a value is out of range.
    """

    scale: tuple[float, float] = (0.7, 1.4)
    thickness: tuple[float, float] = (0.7, 1.6)
    rotation: float = 4.0
    slant: float = 0.25
    stretch: float = 1.2
    symbol_resize: float = 1.15
    symbol_rotation: float = 6.0
    symbol_shift: float = 0.06
    wobble: float = 0.04

    # Wave lengths of the wobble in symbol sizes: shorter ones look like a tremor, longer ones like
    # another rotation.
    _WAVES: ClassVar[tuple[float, float]] = (1.5, 5.0)
    _COUNT: ClassVar[int] = 4

    def __post_init__(self) -> None:
        for name in ("scale", "thickness"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise Im2TexError(f"augmentation: {name}={[low, high]} must be 0 < low <= high.")
        for name in ("stretch", "symbol_resize"):
            if getattr(self, name) < 1:
                raise Im2TexError(f"augmentation: {name}={getattr(self, name)} must be at least 1.")
        for name in ("rotation", "slant", "symbol_rotation", "symbol_shift", "wobble"):
            if getattr(self, name) < 0:
                raise Im2TexError(
                    f"augmentation: {name}={getattr(self, name)} must not be below 0."
                )

    def apply(self, ink: Ink, rng: np.random.Generator) -> tuple[Ink, float, float]:
        """One variation.

        Args:
            ink: at least one stroke; per-symbol changes act where it has symbols.
            rng: the only source of chance.

        Returns:
            The varied ink, with the same strokes and symbols in the same order; the factor on the
            pen; the factor on the drawn size.
        """
        thickness = _between(self.thickness, rng)
        factor = _between(self.scale, rng)
        lengths = [len(stroke) for stroke in ink.strokes]
        starts = np.cumsum([0, *lengths[:-1]])
        points = np.concatenate(ink.strokes).astype(np.float64)  # (n, 2)
        low = np.minimum.reduceat(points, starts)
        high = np.maximum.reduceat(points, starts)  # (strokes, 2)
        size = _typical(low, high)
        moved = False
        if ink.symbols and (self.symbol_resize > 1 or self.symbol_rotation or self.symbol_shift):
            points = self._symbols(ink, points, lengths=lengths, low=low, high=high, rng=rng)
            moved = True
        if self.wobble:
            points = points + self._field(points / size, rng) * size
            moved = True
        if self.rotation or self.slant or self.stretch > 1:
            points = points @ self._matrix(rng)
            moved = True
        if not moved:
            return ink, thickness, factor
        strokes = np.split(points.astype(np.float32), starts[1:])
        return Ink(tuple(strokes), ink.symbols), thickness, factor

    def _symbols(
        self,
        ink: Ink,
        points: NDArray[np.float64],
        *,
        lengths: list[int],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        size = _typical(low, high)
        count = len(ink.symbols)
        owner = np.full(len(lengths), count)  # the last row is for strokes of no symbol
        box = np.zeros((2, count + 1, 2))
        for i, symbol in enumerate(ink.symbols):
            chosen = list(symbol.strokes)
            owner[chosen] = i
            box[0, i] = low[chosen].min(axis=0)
            box[1, i] = high[chosen].max(axis=0)
        extent = (box[1] - box[0]).max(axis=1)  # (count + 1,)
        # A long bar or a radical turned or resized like a letter would leave what it belongs to.
        tame = np.minimum(1.0, 1.5 * size / np.maximum(extent, 1e-9))
        tame[count] = 0.0
        draws = rng.uniform(-1, 1, (4, count + 1))
        angle = np.radians(self.symbol_rotation) * draws[0] * tame
        factor = np.exp(np.log(self.symbol_resize) * draws[1] * tame)
        # A dot or a comma may not move as far as a letter.
        reach = np.minimum(size, np.maximum(extent, 0.25 * size)) * self.symbol_shift
        reach[count] = 0.0
        shift = (draws[2:] * reach).T  # (count + 1, 2)
        cos, sin = factor * np.cos(angle), factor * np.sin(angle)
        of = np.repeat(owner, lengths)  # (n,)
        middle = (box[0] + box[1])[of] / 2
        x, y = (points - middle).T
        turned = np.stack([cos[of] * x - sin[of] * y, sin[of] * x + cos[of] * y], axis=1)
        out: NDArray[np.float64] = turned + middle + shift[of]  # (n, 2)
        return out

    def _field(self, points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """A smooth random displacement of the plane at the points (n, 2), both in symbol sizes."""
        shortest, longest = self._WAVES
        length = shortest * (longest / shortest) ** rng.random(self._COUNT)
        direction = rng.uniform(0, 2 * np.pi, self._COUNT)
        waves = np.stack([np.cos(direction), np.sin(direction)]) * (2 * np.pi / length)
        phase = points @ waves + rng.uniform(0, 2 * np.pi, self._COUNT)  # (n, waves)
        amplitude = rng.normal(size=(self._COUNT, 2)) * (self.wobble * np.sqrt(2 / self._COUNT))
        out: NDArray[np.float64] = np.sin(phase) @ amplitude  # (n, 2)
        return out

    def _matrix(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """The line's slant, stretch and rotation, for row vectors on its left."""
        turn, lean, wide = rng.uniform(-1, 1, 3)
        angle = np.radians(self.rotation) * turn
        half = np.exp(0.5 * np.log(self.stretch) * wide)
        slant = np.array([[1.0, 0.0], [-self.slant * lean, 1.0]])
        stretch = np.diag([half, 1 / half])
        rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        out: NDArray[np.float64] = slant @ stretch @ rotation
        return out


def _between(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    low, high = bounds
    return float(low * (high / low) ** rng.random())


def _typical(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """A symbol's size as far as strokes tell it at no cost: the median of their longer sides."""
    sides = (high - low).max(axis=1)
    sides = sides[sides > 0.05 * sides.max()]
    return float(np.median(sides)) if len(sides) else 1.0
