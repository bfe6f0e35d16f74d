"""`remove_ruled_lines`: finds and removes the lines of ruled and squared paper.

A line of the paper is straight and runs from border to border of the image. So does a fraction bar
or an overline if the image is cropped to the formula. One or two lines are therefore removed only
if the ink keeps clear of the border, three or more if their distances are regular. Lines are
removed as staff lines are from music scores: where a stroke crosses or is darker, pixels are kept.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from im2tex.ink.images.components import EIGHT_NEIGHBOURS, stroke_width

VISIBLE = 24  # of 255: fainter lines are ignored
_MAX_PIECES = 24  # horizontal pieces of a tilted line in the image's width
_MIN_PIECE = 12  # pixels of such a piece
_COVERED = 0.93  # of the image's width by a line
_COVERED_CUT = 0.1  # likewise, by a line that leaves the image at its top or bottom
_END = 0.03  # of the width: distance of a line's end from the border
_TILT = 0.08  # of the width: rise of a line
_RELATIVE_THICKNESS = 0.35  # of the distance between lines
_MAX_THICKNESS = 16  # pixels
_DEVIATION = 0.25  # of the distance between lines
_REGULAR_FRACTION = 0.6  # of the distances
_CLEAR = 2  # pixels between ink and border, for one or two lines
_THINNER = 0.6  # stroke widths: thickness of a lone line, or
_PALER = 0.75  # its level relative to that of the ink
_DARKEST = 0.9  # quantile of the ink's levels that is not at its edge
_STRAIGHT = 0.45  # of the columns: they are not thicker, and close to the curve
_MAX_DISTANCE = 2.0  # pixels between a column's middle and the curve
_DARKER = 1.3  # times the line's level, plus
_DARKER_LEVELS = 12  # levels: of a stroke that crosses the line
_PALE = 200  # darker lines are as dark as strokes


class _RuledLine(NamedTuple):
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

    def shift(self, rows: float | NDArray[np.float64]) -> _RuledLine:
        """The line moved down."""
        return self._replace(middle=self.middle + rows)


def remove_ruled_lines(ink: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Removes the lines of ruled or squared paper from an image.

    Args:
        ink: (H, W), 0 = paper … 255 = ink; the whole image, not cropped.

    Returns:
        The image, (H, W), and the number of removed lines.
    """
    visible = ink > VISIBLE
    horizontal, vertical = _find_lines(ink, visible), _find_lines(ink.T, visible.T)
    if not horizontal and not vertical:
        return ink, 0
    rows, columns = _line_mask(ink, horizontal), _line_mask(ink.T, vertical).T
    if not _are_ruled(horizontal, vertical, ink, visible & ~rows & ~columns):
        return ink, 0
    cleaned = ink.copy()
    # A line of one direction is no stroke that crosses lines of the other direction.
    for line in horizontal:
        _erase_line(cleaned, np.where(columns, 0, ink), line)
    for line in vertical:
        _erase_line(cleaned.T, np.where(rows, 0, ink).T, line)
    _clear_remains(cleaned, rows | columns)
    darkest = int(cleaned.max())
    if darkest < VISIBLE:
        return ink, 0
    if darkest < 255:  # the lines were darker than the ink
        cleaned = (cleaned * np.float32(255 / darkest)).astype(np.uint8)
    return cleaned, len(horizontal) + len(vertical)


def _find_lines(ink: NDArray[np.uint8], visible: NDArray[np.bool_]) -> list[_RuledLine]:
    """Horizontal lines from border to border."""
    height, width = ink.shape
    left, right = math.floor(_END * width), math.ceil((1 - _END) * width)
    if width < 2 * _MIN_PIECE or height < 8:
        return []
    if not (visible[:, : left + 1].any() and visible[:, right - 1 :].any()):
        return []
    length = max(_MIN_PIECE, width // _MAX_PIECES)
    straight = ndimage.minimum_filter1d(visible.view(np.uint8), length, axis=1, mode="nearest")
    straight = ndimage.maximum_filter1d(straight, length, axis=1, mode="nearest")
    labels, count = ndimage.label(straight & visible, EIGHT_NEIGHBOURS)
    whole: list[_RuledLine] = []
    cut: list[_RuledLine] = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels, count), 1):
        ends = (columns.start <= left) + (columns.stop >= right)
        if not ends or rows.stop - rows.start > _MAX_THICKNESS + _TILT * width:
            continue
        covered = _COVERED if ends == 2 else _COVERED_CUT
        line = _fit_line(ink, labels[rows] == label, rows.start, covered, _MAX_THICKNESS)
        if line is not None:
            (whole if ends == 2 else cut).append(line)
    if _are_regular(whole):
        # Of tilted lines, some leave the image at its top or bottom; in a shadow, lines are cut.
        whole += [line for line in cut if _is_parallel(line, whole)]
        whole += _hidden_lines(whole, visible)
    return whole


def _hidden_lines(lines: list[_RuledLine], visible: NDArray[np.bool_]) -> list[_RuledLine]:
    """Lines between and beside regular ones that are hidden by strokes along them."""
    lines = sorted(lines, key=lambda line: line.height)
    step = float(np.median(np.diff([line.height for line in lines])))
    guesses = [lines[0].shift(-step), lines[-1].shift(step)]
    for first, second in itertools.pairwise(lines):
        steps = round((second.height - first.height) / step)
        offset = second.middle - first.middle
        guesses += [first.shift(offset * (k / steps)) for k in range(1, steps)]
    columns = np.arange(visible.shape[1])
    found = []
    for line in guesses:
        rows = np.rint(line.middle).astype(int)
        if rows.min() >= 1 and rows.max() < len(visible) - 1:
            seen = visible[rows - 1, columns] | visible[rows, columns] | visible[rows + 1, columns]
            if seen.mean() >= _COVERED:
                found.append(line)
    return found


def _is_parallel(line: _RuledLine, lines: list[_RuledLine]) -> bool:
    """Whether a line is parallel to regular lines, and at a multiple of their distance."""
    if abs(line.rise - lines[0].rise) > _TILT / 2 * len(line.middle):
        return False
    heights = np.sort([line.height for line in lines])
    steps = np.abs(heights - line.height) / np.median(np.diff(heights))
    return bool(np.abs(steps - np.rint(steps)).min() <= _DEVIATION)


def _line_mask(ink: NDArray[np.uint8], lines: list[_RuledLine]) -> NDArray[np.bool_]:
    """Pixels of horizontal lines, without those of darker strokes."""
    mask = np.zeros(ink.shape, bool)
    rows = np.arange(len(ink))[:, None]
    for line in lines:
        mask |= (np.abs(rows - line.middle) <= line.half) & ~_dark_mask(ink, line)
    return mask


def _clear_remains(ink: NDArray[np.uint8], lines: NDArray[np.bool_]) -> None:
    """Clears, in place, components that are completely within two pixels of a line."""
    labels, count = ndimage.label(ink > VISIBLE, EIGHT_NEIGHBOURS)
    kept = np.zeros(count + 1, bool)
    kept[labels[~ndimage.maximum_filter(lines, 5)]] = True
    ink[~kept[labels]] = 0


def _are_ruled(
    horizontal: list[_RuledLine],
    vertical: list[_RuledLine],
    ink: NDArray[np.uint8],
    strokes: NDArray[np.bool_],
) -> bool:
    """Whether the lines are the paper's and no bars of a formula, given the ink beside them."""
    if not strokes.any():
        return False
    if _are_regular(horizontal) or _are_regular(vertical):
        return True
    inner = strokes[_CLEAR:-_CLEAR, _CLEAR:-_CLEAR]
    lines = horizontal + vertical
    if inner.sum() < strokes.sum() or not all(line.is_whole for line in lines):
        return False
    # Bars look like the ink.
    pen = stroke_width(np.pad(strokes, 1))
    darkest = float(np.quantile(ink[strokes], _DARKEST))
    return all(line.thickness < _THINNER * pen or line.level < _PALER * darkest for line in lines)


def _are_regular(lines: list[_RuledLine]) -> bool:
    if len(lines) < 3:
        return False
    steps = np.diff(np.sort([line.height for line in lines]))
    median = float(np.median(steps))
    if max(line.thickness for line in lines) > _RELATIVE_THICKNESS * median:
        return False
    # A line may be missing, so steps may be multiples.
    deviation = np.abs(steps / median - np.maximum(1, np.rint(steps / median)))
    return bool((deviation <= _DEVIATION).mean() >= _REGULAR_FRACTION)


def _fit_line(
    ink: NDArray[np.uint8],
    cells: NDArray[np.bool_],
    top: int,
    covered: float,
    max_thickness: float,
) -> _RuledLine | None:
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
    return _RuledLine(middle, thickness, level, is_whole)


def _dark_mask(ink: NDArray[np.uint8], line: _RuledLine) -> NDArray[np.bool_]:
    """Pixels that are darker than a line, and so belong to a stroke."""
    limit = _DARKER * line.level + _DARKER_LEVELS if line.level < _PALE else 255
    return ink > limit


def _erase_line(ink: NDArray[np.uint8], beside: NDArray[np.uint8], line: _RuledLine) -> None:
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
    part[on_line & ~_dark_mask(part, line) & ~crossed] = 0
