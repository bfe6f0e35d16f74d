"""One horizontal line of ruled paper: fitted to pixels, and erased."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_STRAIGHT = 0.45  # of the columns: they are not thicker, and close to the curve
_MAX_DISTANCE = 2.0  # pixels between a column's middle and the curve
_DARKER = 1.3  # times the line's level, plus
_DARKER_LEVELS = 12  # levels: of a stroke that crosses the line
_PALE = 200  # darker lines are as dark as strokes


class RuledLine(NamedTuple):
    """A horizontal line.

    Attributes:
        middle: (W,) row of its middle in each column.
        thickness: pixels.
        level: its median level.
        is_whole: whether it runs from border to border.
    """

    middle: NDArray[np.float64]
    thickness: float
    level: float
    is_whole: bool

    @property
    def height(self) -> float:
        """Mean row."""
        return float(self.middle.mean())

    @property
    def rise(self) -> float:
        """Difference between the rows of its ends."""
        return float(self.middle[-1] - self.middle[0])

    @property
    def half(self) -> float:
        """Half of the thickness, with one pixel of edge."""
        return self.thickness / 2 + 1

    def shift(self, rows: float | NDArray[np.float64]) -> RuledLine:
        """The line moved down."""
        return self._replace(middle=self.middle + rows)


def fit_line(
    ink: NDArray[np.uint8],
    cells: NDArray[np.bool_],
    top: int,
    covered: float,
    max_thickness: float,
) -> RuledLine | None:
    """Fits a parabola to the pixels of a line; None if they are no thin straight line.

    Args:
        ink: (H, W).
        cells: (h, W), the pixels of a component.
        top: row of `cells` in `ink`.
        covered: minimum fraction of the columns with pixels.
        max_thickness: pixels.
    """
    depths = cells.sum(0)
    columns = np.flatnonzero(depths)
    if len(columns) < covered * cells.shape[1]:
        return None
    thickness = float(np.median(depths[columns]))
    if thickness > max_thickness:
        return None
    plain = columns[depths[columns] <= thickness + 1]  # without strokes along the line
    rows = np.arange(len(cells))[:, None]
    middles = (rows * cells[:, plain]).sum(0) / depths[plain]
    curve = np.polynomial.Polynomial.fit(plain, middles, 1)
    for degree in (1, 2):
        near = np.abs(curve(plain) - middles) <= max(_MAX_DISTANCE, thickness)
        if near.sum() < _STRAIGHT * len(columns):
            return None
        curve = np.polynomial.Polynomial.fit(plain[near], middles[near], degree)
    middle = top + curve(np.arange(cells.shape[1]))
    middle_rows = np.clip(np.rint(middle), 0, len(ink) - 1).astype(int)
    level = float(np.median(ink[middle_rows[plain], plain]))
    is_whole = bool(columns[0] <= 1 and columns[-1] >= cells.shape[1] - 2)
    return RuledLine(middle, thickness, level, is_whole)


def dark_mask(ink: NDArray[np.uint8], line: RuledLine) -> NDArray[np.bool_]:
    """Pixels that are darker than a line, and so belong to a stroke."""
    limit = _DARKER * line.level + _DARKER_LEVELS if line.level < _PALE else 255
    return ink > limit


def erase_line(ink: NDArray[np.uint8], beside: NDArray[np.uint8], line: RuledLine) -> None:
    """Clears the pixels of a line, in place, except those of strokes that cross it.

    Args:
        ink: (H, W), changed.
        beside: (H, W), the strokes above and below the line.
        line: in rows of `ink`.
    """
    columns = np.arange(ink.shape[1])
    above = np.clip(np.floor(line.middle - line.half) - 1, 0, len(ink) - 1).astype(int)
    below = np.clip(np.ceil(line.middle + line.half) + 1, 0, len(ink) - 1).astype(int)
    dark = max(0.6 * line.level, 90)
    reach = 2 * int(np.ceil(line.half)) + 3  # columns, within which a slanted stroke crosses
    crossed = ndimage.maximum_filter1d(beside[above, columns] > dark, reach)
    crossed &= ndimage.maximum_filter1d(beside[below, columns] > dark, reach)
    top, bottom = int(above.min()), int(below.max()) + 1
    part = ink[top:bottom]
    on_line = np.abs(np.arange(top, bottom)[:, None] - line.middle) <= line.half
    part[on_line & ~dark_mask(part, line) & ~crossed] = 0
