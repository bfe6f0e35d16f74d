"""The lines of ruled and squared paper: found, and taken out.

A line of the paper runs straight from border to border of the picture. A fraction bar or an
overline does so only where the picture is cropped to the formula; so one or two lines count only
if the ink keeps clear of the border, three or more if they lie at regular distances. Lines are
taken out as staff lines are from music: where a stroke crosses or is darker, the pixels stay.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from im2tex.ink.images.stroke_width import stroke_width

_VISIBLE = 24  # of 255: fainter lines do not matter
_PIECES = 24  # pieces of a line that are straight along rows, at most, in a picture's width
_SHORTEST = 12  # pixels of such a piece
_REACH = 0.93  # of the picture's width that a line covers
_CUT = 0.1  # likewise of one that leaves the picture at its top or bottom
_END = 0.03  # of the width: how far from the border it may end
_TILT = 0.08  # of the width that it may rise
_STRAIGHT = 0.45  # of its columns, at least, that are no thicker and on the curve
_OFF = 2.0  # pixels that its middle may be from a smooth curve
_THICK = 0.35  # of the distance between lines
_THICKEST = 16  # pixels
_REGULAR = 0.25  # of the distance by which distances may differ
_CLEAR = 2  # pixels between ink and border where there are one or two lines
_THINNER = 0.6  # pens: width of a lone line, or
_PALER = 0.75  # its level by that of the ink
_DARKEST = 0.9  # share of the ink's pixels: what is beyond is not its edge
_DARKER = 1.3  # times a line's own level: ink that crosses it


class RuledLinesResult(NamedTuple):
    """A picture without the lines of its paper.

    Attributes:
        ink: (H, W), 0 = paper … 255 = ink.
        lines: how many were taken out.
    """

    ink: NDArray[np.uint8]
    lines: int


class _Line(NamedTuple):
    """A line along rows.

    Attributes:
        middle: (W,) row of its middle in each column.
        thickness: pixels.
        level: its darkness.
        whole: whether it runs from border to border.
    """

    middle: NDArray[np.float64]
    thickness: float
    level: float
    whole: bool


def remove_ruled_lines(ink: NDArray[np.uint8]) -> RuledLinesResult:
    """Takes the lines of ruled or squared paper out of a picture.

    Args:
        ink: (H, W), 0 = paper … 255 = ink; the whole picture, not cropped.
    """
    visible = ink > _VISIBLE
    along, across = _lines(ink, visible), _lines(ink.T, visible.T)
    if not along and not across:
        return RuledLinesResult(ink, 0)
    rows = _zones(ink, along)
    columns = _zones(ink.T, across).T
    if not _are_rules(along, across, ink, visible & ~rows & ~columns):
        return RuledLinesResult(ink, 0)
    # A line of the one direction is no stroke that crosses those of the other.
    cleaned = ink.copy()
    beside = np.where(columns, 0, ink)
    for line in along:
        _take_out(cleaned, beside, line)
    beside = np.where(rows, 0, ink)
    for line in across:
        _take_out(cleaned.T, beside.T, line)
    _drop_remains(cleaned, rows | columns)
    left = int(cleaned.max())
    if left < _VISIBLE:
        return RuledLinesResult(ink, 0)
    if left < 255:  # the lines were darker than the ink
        cleaned = (cleaned * np.float32(255 / left)).astype(np.uint8)
    return RuledLinesResult(cleaned, len(along) + len(across))


def _lines(ink: NDArray[np.uint8], visible: NDArray[np.bool_]) -> list[_Line]:
    height, width = ink.shape
    if width < 2 * _SHORTEST or height < 8:
        return []
    length = max(_SHORTEST, width // _PIECES)
    straight = ndimage.minimum_filter1d(visible.view(np.uint8), length, axis=1, mode="nearest")
    straight = ndimage.maximum_filter1d(straight, length, axis=1, mode="nearest")
    straight &= visible
    labels, count = ndimage.label(straight, np.ones((3, 3), bool))
    lines, cut = [], []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels, count), 1):
        if rows.stop - rows.start > _THICKEST + _TILT * width:
            continue
        ends = (columns.start <= _END * width) + (columns.stop >= (1 - _END) * width)
        if ends == 2:
            lines.append(_traced(ink, labels[rows] == number, rows.start))
        elif ends == 1:
            cut.append(_traced(ink, labels[rows] == number, rows.start, _CUT))
    found = [line for line in lines if line is not None]
    if _are_regular(found):
        # Tilted, some leave the picture at its top or bottom; in a shadow, some are seen in part.
        found += [line for line in cut if line is not None and _is_of(line, found)]
        found += _hidden(found, visible)
    return found


def _hidden(lines: list[_Line], visible: NDArray[np.bool_]) -> list[_Line]:
    """Lines between regular ones, and next to the outer ones, that strokes along them hide."""
    lines = sorted(lines, key=lambda line: float(line.middle.mean()))
    step = float(np.median(np.diff([line.middle.mean() for line in lines])))
    found = []
    for first, second in itertools.pairwise(lines):
        many = round(float((second.middle - first.middle).mean()) / step)
        for k in range(1, many):
            middle = first.middle + (second.middle - first.middle) * (k / many)
            found.append(first._replace(middle=middle))
    found.append(lines[0]._replace(middle=lines[0].middle - step))
    found.append(lines[-1]._replace(middle=lines[-1].middle + step))
    columns = np.arange(visible.shape[1])
    kept = []
    for line in found:
        rows = np.rint(line.middle).astype(int)
        if rows.min() >= 1 and rows.max() < len(visible) - 1:
            seen = visible[rows - 1, columns] | visible[rows, columns] | visible[rows + 1, columns]
            if seen.mean() >= _REACH:
                kept.append(line)
    return kept


def _is_of(one: _Line, lines: list[_Line]) -> bool:
    """Whether it is parallel to lines that are regular, and at their distance."""
    rises = [line.middle[-1] - line.middle[0] for line in (one, lines[0])]
    if abs(rises[0] - rises[1]) > _TILT / 2 * len(one.middle):
        return False
    middles = np.sort([line.middle.mean() for line in lines])
    steps = np.abs(middles - one.middle.mean()) / np.median(np.diff(middles))
    return bool(np.abs(steps - np.rint(steps)).min() <= _REGULAR)


def _traced(
    ink: NDArray[np.uint8], cells: NDArray[np.bool_], top: int, reach: float = _REACH
) -> _Line | None:
    """A line along the cells of one part, (h, W); None if they are no thin straight line."""
    depths = cells.sum(0)
    columns = np.flatnonzero(depths)
    if len(columns) < reach * cells.shape[1]:
        return None
    thickness = float(np.median(depths[columns]))
    if thickness > _THICKEST:
        return None
    plain = columns[depths[columns] <= thickness + 1]  # without strokes along the line
    rows = np.arange(len(cells))[:, None]
    middles = (rows * cells[:, plain]).sum(0) / depths[plain]
    curve = np.polynomial.Polynomial.fit(plain, middles, 1)
    for degree in (1, 2):
        near = np.abs(curve(plain) - middles) <= max(_OFF, thickness)
        if near.sum() < _STRAIGHT * len(columns):
            return None
        curve = np.polynomial.Polynomial.fit(plain[near], middles[near], degree)
    middle = top + curve(np.arange(cells.shape[1]))
    level = float(
        np.median(ink[np.clip(np.rint(middle), 0, len(ink) - 1).astype(int)[plain], plain])
    )
    whole = bool(columns[0] <= 1 and columns[-1] >= cells.shape[1] - 2)
    return _Line(middle, thickness, level, whole)


def _zones(ink: NDArray[np.uint8], lines: list[_Line]) -> NDArray[np.bool_]:
    """Where the lines along rows lie, but for what is darker."""
    found = np.zeros(ink.shape, bool)
    rows = np.arange(len(ink))[:, None]
    for line in lines:
        zone = np.abs(rows - line.middle) <= line.thickness / 2 + 1
        found |= zone & (ink <= _darker(line))
    return found


def _drop_remains(ink: NDArray[np.uint8], zones: NDArray[np.bool_]) -> None:
    """Clears, in place, what lies wholly within two pixels of where lines were."""
    labels, count = ndimage.label(ink > _VISIBLE, np.ones((3, 3), bool))
    apart = np.zeros(count + 1, bool)
    apart[labels[~ndimage.maximum_filter(zones, 5)]] = True
    ink[~apart[labels]] = 0


def _darker(line: _Line) -> float:
    """The level above which pixels belong to a stroke; 255 for a line as dark as strokes."""
    return _DARKER * line.level + 12 if line.level < 200 else 255


def _are_rules(
    along: list[_Line], across: list[_Line], ink: NDArray[np.uint8], marks: NDArray[np.bool_]
) -> bool:
    """Whether the lines can only be the paper's, given the ink beside them."""
    if not marks.any():
        return False
    if _are_regular(along) or _are_regular(across):
        return True
    ends = (marks[:_CLEAR], marks[-_CLEAR:], marks[:, :_CLEAR], marks[:, -_CLEAR:])
    if any(end.any() for end in ends):
        return False
    lines = along + across
    if not all(line.whole for line in lines):
        return False
    # Lone lines are the paper's only if they do not look like the ink, as bars of any kind do.
    pen, darkest = stroke_width(np.pad(marks, 1)), float(np.quantile(ink[marks], _DARKEST))
    return all(line.thickness < _THINNER * pen or line.level < _PALER * darkest for line in lines)


def _are_regular(lines: list[_Line]) -> bool:
    if len(lines) < 3:
        return False
    middles = np.sort([line.middle.mean() for line in lines])
    steps = np.diff(middles)
    usual = float(np.median(steps))
    if max(line.thickness for line in lines) > _THICK * usual:
        return False
    off = np.abs(steps / usual - np.maximum(1, np.rint(steps / usual)))  # lines may be missed
    return bool((off <= _REGULAR).mean() >= 0.6)


def _take_out(ink: NDArray[np.uint8], beside: NDArray[np.uint8], line: _Line) -> None:
    """Clears a line's pixels, in place, but for those of strokes that cross it.

    Args:
        ink: (H, W), from which the line is taken.
        beside: (H, W), strokes above and below the line.
        line: along rows.
    """
    half = line.thickness / 2 + 1
    columns = np.arange(ink.shape[1])
    above = np.clip(np.floor(line.middle - half) - 1, 0, len(ink) - 1).astype(int)
    below = np.clip(np.ceil(line.middle + half) + 1, 0, len(ink) - 1).astype(int)
    dark = max(0.6 * line.level, 90)
    reach = 2 * int(np.ceil(half)) + 3  # columns within which a slanting stroke crosses
    crossed = ndimage.maximum_filter1d(beside[above, columns] > dark, reach)
    crossed &= ndimage.maximum_filter1d(beside[below, columns] > dark, reach)
    top, bottom = int(above.min()), int(below.max()) + 1
    part = ink[top:bottom]
    zone = np.abs(np.arange(top, bottom)[:, None] - line.middle) <= half
    part[zone & (part <= _darker(line)) & ~crossed] = 0
