"""`resolve_overlaps`: vertical space at bars, so that the symbols there do not touch them.

TeX leaves little space between a small fraction's bar and the symbols above and below it, and under
the bar of a radical. Drawn bars rise and bend, and drawn symbols are higher than printed ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.handwriting.fitting import Points, RadicalStrokes, StretchedStrokes
from im2tex.render.layout.layout import UNIT

_MIN_GAP = 0.06 * UNIT  # between a bar and a symbol
_MAX_SHIFT = 0.4 * UNIT  # for one bar
_BAR_HEIGHT = 0.5  # of a radical's height: the bar lies above it

Values = NDArray[np.float64]


def resolve_overlaps(
    pieces: Mapping[int, StretchedStrokes | RadicalStrokes],
    boxes: Values,
    low: Values,
    high: Values,
    drawn: dict[int, list[Points]],
) -> Values:
    """How far each of n parts of a formula moves off the bars that it would touch.

    The symbols above a fraction bar move up together, those below it down. The contents of a
    radical stay, and its bar moves up.

    Args:
        pieces: the parts that cover others, by index.
        boxes: (n, 4) of all parts, at their horizontal positions.
        low: (n,) smallest y of the strokes of the other parts.
        high: (n,) largest.
        drawn: the strokes of `pieces`; they are moved.

    Returns:
        (n,) shifts in y.
    """
    lines = {
        k: _line(piece, np.concatenate(drawn[k])) for k, piece in pieces.items() if _is_bar(piece)
    }
    if not lines:
        return np.zeros(len(boxes))
    for k, strokes in drawn.items():
        heights = np.concatenate(strokes)[:, 1]
        low[k], high[k] = heights.min(), heights.max()
    left, right = boxes[:, 0], boxes[:, 2]
    centre, width = (left + right) / 2, right - left
    shift, lift = np.zeros(len(boxes)), np.zeros(len(boxes))
    # From inner to outer bars. A bar is at least as long as the symbols at it.
    order = sorted(lines, key=lambda k: (width[k], isinstance(pieces[k], StretchedStrokes), k))
    for index, bar in enumerate(order):
        line = lines[bar]
        level = np.interp(centre, line[:, 0], line[:, 1]) + shift[bar]  # (n,) at each piece
        at_bar = (centre > left[bar]) & (centre < right[bar]) & (width <= width[bar])
        at_bar[bar] = False
        middle = (low + high) / 2
        # The symbols at a bar reach to the next outer bar above and below it.
        outer = [k for k in order[index + 1 :] if left[k] < centre[bar] < right[k]]
        ceiling = max((middle[k] for k in outer if middle[k] < middle[bar]), default=-np.inf)
        floor = min((middle[k] for k in outer if middle[k] > middle[bar]), default=np.inf)
        above = at_bar & (middle < level) & (middle > ceiling)
        below = at_bar & (middle > level) & (middle < floor)
        if isinstance(pieces[bar], RadicalStrokes):
            below &= middle < high[bar]
            lift[bar] = _needed_shift(level + _MIN_GAP - low, below)
            low[bar] -= lift[bar]
        else:
            moved = _needed_shift(level + _MIN_GAP - low, below) * below
            moved = moved - _needed_shift(high + _MIN_GAP - level, above) * above
            shift, low, high = shift + moved, low + moved, high + moved
    for k, piece in pieces.items():
        if lift[k]:
            x, top, end, bottom = boxes[k].tolist()
            drawn[k] = piece.draw((x, top + shift[k] - lift[k], end, bottom + shift[k]))
        elif shift[k]:
            drawn[k] = [points + np.array([0.0, shift[k]]) for points in drawn[k]]
    return shift


def _is_bar(piece: StretchedStrokes | RadicalStrokes) -> bool:
    return isinstance(piece, RadicalStrokes) or piece.is_fraction_bar


def _line(piece: StretchedStrokes | RadicalStrokes, points: Points) -> Points:
    """The points of a bar, from left to right."""
    if isinstance(piece, RadicalStrokes):
        low, high = points[:, 1].min(), points[:, 1].max()
        foot = points[np.argmax(points[:, 1]), 0]
        bar = (points[:, 0] > foot) & (points[:, 1] < low + _BAR_HEIGHT * (high - low))
        points = points[bar] if bar.any() else points[[np.argmin(points[:, 1])]]
    return points[np.argsort(points[:, 0], kind="stable")]


def _needed_shift(distances: Values, where: NDArray[np.bool_]) -> float:
    return float(min(np.max(distances, where=where, initial=0.0), _MAX_SHIFT))
