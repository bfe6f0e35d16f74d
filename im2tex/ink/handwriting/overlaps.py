"""`resolve_overlaps`: vertical space at bars, so that the symbols there do not touch them.

TeX leaves little space between a small fraction's bar and the symbols above and below it, and under
the bar of a radical. Drawn bars rise and bend, and drawn symbols are higher than printed ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.handwriting.fitting import Piece, Points, RadicalStrokes, StretchedStrokes
from im2tex.ink.handwriting.spacing import HorizontalSpacing, stroke_extents
from im2tex.render.layout.layout import UNIT

_MIN_GAP = 0.06 * UNIT  # between a bar and a symbol
_MAX_SHIFT = 0.4 * UNIT  # for one bar
_BAR_HEIGHT = 0.5  # of a radical's height: the bar lies above it


def resolve_overlaps(pieces: Sequence[Piece], spacing: HorizontalSpacing) -> list[list[Points]]:
    """The strokes of each piece at their final position, moved off bars that they would touch.

    The symbols above a fraction bar move up together, those below it down. The contents of a
    radical stay, and its bar moves up.

    Args:
        pieces: of a formula.
        spacing: their horizontal positions.
    """
    drawn = [piece.draw(spacing) for piece in pieces]
    if not any(_is_bar(piece) for piece in pieces):
        return drawn
    low, high = stroke_extents(drawn, axis=1).T  # (n,), (n,)
    left, _, right, _ = np.array([spacing.stretch(piece.box) for piece in pieces]).T
    centre, width = (left + right) / 2, right - left
    shift, lift = np.zeros(len(pieces)), np.zeros(len(pieces))
    # From inner to outer bars. A bar is at least as long as the symbols at it.
    stretched = [isinstance(piece, StretchedStrokes) for piece in pieces]
    order = sorted(range(len(pieces)), key=lambda k: (width[k], stretched[k]))
    bars = [k for k in order if _is_bar(pieces[k])]
    for index, bar in enumerate(bars):
        line = _bar_points(pieces[bar], np.concatenate(drawn[bar]))
        level = np.interp(centre, line[:, 0], line[:, 1]) + shift[bar]  # (n,) at each piece
        at_bar = (centre > left[bar]) & (centre < right[bar]) & (width <= width[bar])
        at_bar[bar] = False
        middle = (low + high) / 2
        # The symbols at a bar reach to the next outer bar above and below it.
        outer = [k for k in bars[index + 1 :] if left[k] < centre[bar] < right[k]]
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
    for k in np.flatnonzero(shift).tolist():
        drawn[k] = [points + np.array([0.0, shift[k]]) for points in drawn[k]]
    for k in np.flatnonzero(lift).tolist():
        x, top, end, bottom = pieces[k].box
        box = (x, top + shift[k] - lift[k], end, bottom + shift[k])
        drawn[k] = replace(pieces[k], box=box).draw(spacing)
    return drawn


def _is_bar(piece: Piece) -> bool:
    if isinstance(piece, StretchedStrokes):
        return piece.is_fraction_bar
    return isinstance(piece, RadicalStrokes)


def _bar_points(piece: Piece, points: Points) -> Points:
    """The points of a bar, from left to right."""
    if isinstance(piece, RadicalStrokes):
        low, high = points[:, 1].min(), points[:, 1].max()
        foot = points[np.argmax(points[:, 1]), 0]
        bar = (points[:, 0] > foot) & (points[:, 1] < low + _BAR_HEIGHT * (high - low))
        points = points[bar] if bar.any() else points[[np.argmin(points[:, 1])]]
    return points[np.argsort(points[:, 0], kind="stable")]


def _needed_shift(distances: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    return float(min(np.max(distances, where=where, initial=0.0), _MAX_SHIFT))
