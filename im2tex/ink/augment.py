"""`Augmentation`: label-preserving variation of handwritten samples.

The paper (section 5.2) resizes and rotates the symbols of CROHME's training samples at random,
without giving values. Here the whole formula is varied as well: slant, rotation and stretch, a
smooth displacement of the plane (Simard et al. 2003, applied to points instead of pixels), stroke
width and size. Each step is one array operation on all points.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink
from im2tex.utils.checks import check_settings

Points = NDArray[np.float64]


class PlannedVariation(NamedTuple):
    """The part of the variation of many inks that determines the sizes of their images.

    Attributes:
        scale: (n,) factors on the rasterised size.
        stroke_width: (n,) factors on the stroke width.
        matrix: (n, 2, 2) slant, stretch and rotation, for row vectors on the left.
    """

    scale: NDArray[np.float64]
    stroke_width: NDArray[np.float64]
    matrix: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of the random variation. Zero, or (1, 1) for a range, switches a part off.

    Example:
        >>> augmentation, rng = Augmentation(rotation=0.0), np.random.default_rng(0)
        >>> plan = augmentation.plan(rng.random((1, Augmentation.PLANNED_DRAWS)))
        >>> ink = augmentation.apply(ink, rng, plan.matrix[0])

    Attributes:
        scale: range of the factor on the rasterised size, log-uniform; for the rasterisation, since
            the size of the ink itself is normalised.
        stroke_width: range of the factor on the stroke width, log-uniform.
        rotation: maximum rotation of the formula, degrees.
        slant: maximum shear, tangent of the angle.
        stretch: maximum factor between width and height, log-uniform.
        symbol_resize: maximum factor on a symbol's size, log-uniform.
        symbol_rotation: maximum rotation of a symbol about its centre, degrees.
        symbol_shift: maximum shift of a symbol per axis, in symbol sizes.
        wobble: standard deviation of the displacement of a point, in symbol sizes.

    Raises:
        Im2TexError: if a value is out of range.
    """

    scale: tuple[float, float] = (0.7, 1.4)
    stroke_width: tuple[float, float] = (0.7, 1.6)
    rotation: float = 4.0
    slant: float = 0.25
    stretch: float = 1.2
    symbol_resize: float = 1.15
    symbol_rotation: float = 6.0
    symbol_shift: float = 0.06
    wobble: float = 0.04

    PLANNED_DRAWS: ClassVar[int] = 5
    """Random numbers of each ink for `plan`."""

    # Wavelengths of the wobble in symbol sizes; shorter waves are a tremor, longer a rotation.
    _WAVELENGTHS: ClassVar[tuple[float, float]] = (1.5, 5.0)
    _WAVES: ClassVar[int] = 4

    def __post_init__(self) -> None:
        for name in ("scale", "stroke_width"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise Im2TexError(
                    f"augmentation: {name} must be [low, high] with 0 < low <= high, "
                    f"got {[low, high]}."
                )
        factors = {name: getattr(self, name) for name in ("stretch", "symbol_resize")}
        check_settings("augmentation: ", 1, **factors)
        limits = ("rotation", "slant", "symbol_rotation", "symbol_shift", "wobble")
        check_settings("augmentation: ", 0, **{name: getattr(self, name) for name in limits})

    def plan(self, draws: NDArray[np.float64]) -> PlannedVariation:
        """Determines what changes the sizes of images.

        Args:
            draws: (n, PLANNED_DRAWS) uniform random numbers in [0, 1).
        """
        rotation_draw, slant_draw, stretch_draw = (2 * draws[:, 2:] - 1).T
        angle = np.radians(self.rotation) * rotation_draw
        half = np.exp(0.5 * np.log(self.stretch) * stretch_draw)
        cos, sin, zero, one = (
            np.cos(angle),
            np.sin(angle),
            np.zeros(len(draws)),
            np.ones(len(draws)),
        )
        slant = _matrices(one, zero, -self.slant * slant_draw, one)
        stretch = _matrices(half, zero, zero, 1 / half)
        return PlannedVariation(
            _log_uniform(self.scale, draws[:, 0]),
            _log_uniform(self.stroke_width, draws[:, 1]),
            slant @ stretch @ _matrices(cos, sin, -sin, cos),
        )

    def apply(
        self, ink: Ink, rng: np.random.Generator, matrix: NDArray[np.float64] | None = None
    ) -> Ink:
        """Varies an ink.

        Args:
            ink: at least one stroke; its symbols are varied if they are known.
            rng: source of randomness.
            matrix: (2, 2) of the plan; drawn with `rng` if not given.

        Returns:
            The new ink with the same strokes and symbols in the same order.
        """
        boxes = ink.boxes.astype(np.float64)
        size = _symbol_size(boxes)
        original = points = ink.points.astype(np.float64)  # (n, 2)
        if ink.symbols and (self.symbol_resize > 1 or self.symbol_rotation or self.symbol_shift):
            points = self._vary_symbols(ink, size, rng)
        if self.wobble:
            points = points + self._displacement(points / size, rng) * size
        if self.rotation or self.slant or self.stretch > 1:
            if matrix is None:
                matrix = self.plan(np.concatenate([np.zeros(2), rng.random(3)])[None]).matrix[0]
            points = points @ matrix
        if points is original:
            return ink
        return Ink.of_points(points.astype(np.float32), ink.offsets, ink.symbols)

    def _vary_symbols(self, ink: Ink, size: float, rng: np.random.Generator) -> Points:
        count = len(ink.symbols)
        box = np.zeros((count + 1, 4))  # the last row is for strokes of no symbol
        box[:-1] = ink.symbol_boxes
        extent = (box[:, 2:] - box[:, :2]).max(axis=1)
        # Long bars and radicals vary less, so that they keep their relation to other symbols.
        strength = np.minimum(1.0, 1.5 * size / np.maximum(extent, 1e-9))
        strength[count] = 0.0
        draws = rng.uniform(-1, 1, (4, count + 1))
        angle = np.radians(self.symbol_rotation) * draws[0] * strength
        factor = np.exp(np.log(self.symbol_resize) * draws[1] * strength)
        # Dots and commas are shifted less than letters.
        reach = np.minimum(size, np.maximum(extent, 0.25 * size)) * self.symbol_shift
        reach[count] = 0.0
        # Points are complex numbers: rotated and resized about the centre, and shifted.
        centre = (box[:, 0] + box[:, 2] + 1j * (box[:, 1] + box[:, 3])) / 2
        turn = factor * np.exp(1j * angle)
        shift = centre - turn * centre + (draws[2] + 1j * draws[3]) * reach
        owner = np.full(len(ink.strokes), count)
        strokes = [symbol.strokes for symbol in ink.symbols]
        owner[[*chain.from_iterable(strokes)]] = np.repeat(np.arange(count), [*map(len, strokes)])
        lengths = np.diff(ink.offsets)
        points = ink.points.astype(np.float64).view(np.complex128)[:, 0]  # (n,)
        points = np.repeat(turn[owner], lengths) * points + np.repeat(shift[owner], lengths)
        varied: Points = points[:, None].view(np.float64)  # (n, 2)
        return varied

    def _displacement(self, points: Points, rng: np.random.Generator) -> Points:
        """A smooth random displacement field at the points (n, 2), both in symbol sizes."""
        shortest, longest = self._WAVELENGTHS
        length = shortest * (longest / shortest) ** rng.random(self._WAVES)
        direction = rng.uniform(0, 2 * np.pi, self._WAVES)
        waves = np.stack([np.cos(direction), np.sin(direction)]) * (2 * np.pi / length)
        phase = points @ waves + rng.uniform(0, 2 * np.pi, self._WAVES)  # (n, waves)
        amplitude = rng.normal(size=(self._WAVES, 2)) * (self.wobble * np.sqrt(2 / self._WAVES))
        # Sines of 32 bits take a thirtieth of the time.
        field: Points = np.sin(phase.astype(np.float32)) @ amplitude  # (n, 2)
        return field


def _matrices(*entries: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices of the entries in the order of rows, (n, 2, 2)."""
    return np.stack(entries, axis=1).reshape(-1, 2, 2)


def _log_uniform(bounds: tuple[float, float], draws: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = bounds
    factors: NDArray[np.float64] = low * (high / low) ** draws
    return factors


def _symbol_size(boxes: NDArray[np.float64]) -> float:
    """Estimate of the symbol size: the median of the longer sides of the strokes' boxes (n, 4)."""
    sides: list[float] = (boxes[:, 2:] - boxes[:, :2]).max(axis=1).tolist()
    least = 0.05 * max(sides)
    return median([side for side in sides if side > least] or [1.0])
