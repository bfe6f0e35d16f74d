"""Room above and below bars: what they divide or cover is moved off them.

TeX leaves a hair's breadth between a small fraction's bar and what stands at it, and as little
under a root's. Drawn bars rise and bend, and drawn symbols are higher than printed ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.handwriting.fitting import Points
from im2tex.ink.handwriting.pieces import Piece, RadicalStrokes, StretchedStrokes
from im2tex.ink.handwriting.spacing import HorizontalSpacing, reaches
from im2tex.render.layout.layout import UNIT

_AIR = 0.06 * UNIT  # between a bar and what stands at it
_MOST = 0.4 * UNIT  # that anything is moved for one bar
_ROOF = 0.5  # of a root's height: how far below its top its bar may sag


def resolve_overlaps(pieces: Sequence[Piece], ruler: HorizontalSpacing) -> list[list[Points]]:
    """The strokes of pieces in their places, or so far above and below that none runs into a bar.

    A fraction's bar stays, what stands above it moves up as one and what stands below it down. A
    root's content stays, and its bar moves up.

    Args:
        pieces: of a formula.
        ruler: where they stand from left to right.
    """
    drawn = [piece.put(ruler) for piece in pieces]
    if not any(_is_bar(piece) for piece in pieces):
        return drawn
    low, high = reaches(drawn, 1).T  # (n,), (n,)
    left, _, right, _ = np.array([ruler.span(piece.box) for piece in pieces]).T
    across, width = (left + right) / 2, right - left
    down, lift = np.zeros(len(pieces)), np.zeros(len(pieces))
    # From the inside out. A bar is no shorter than what it divides or covers.
    order = sorted(
        range(len(pieces)), key=lambda k: (width[k], isinstance(pieces[k], StretchedStrokes))
    )
    bars = [k for k in order if _is_bar(pieces[k])]
    for number, bar in enumerate(bars):
        line = _line(pieces[bar], np.concatenate(drawn[bar]))
        level = np.interp(across, line[:, 0], line[:, 1]) + down[bar]  # (n,) at each piece
        at = (across > left[bar]) & (across < right[bar]) & (width <= width[bar])
        at[bar] = False
        middle = (low + high) / 2
        ceiling, floor = _bounds(bar, bars[number + 1 :], left, right, middle, across)
        over = at & (middle < level) & (middle > ceiling)
        under = at & (middle > level) & (middle < floor)
        if isinstance(pieces[bar], RadicalStrokes):
            under &= middle < high[bar]
            lift[bar] = _needed(level + _AIR - low, under)
            low[bar] -= lift[bar]
        else:
            moved = _needed(level + _AIR - low, under) * under
            moved = moved - _needed(high + _AIR - level, over) * over
            down, low, high = down + moved, low + moved, high + moved
    for k in np.flatnonzero(down).tolist():
        move = np.array([0.0, down[k]])
        drawn[k] = [points + move for points in drawn[k]]
    for k in np.flatnonzero(lift).tolist():
        x, top, end, bottom = pieces[k].box
        box = (x, top + down[k] - lift[k], end, bottom + down[k])
        drawn[k] = replace(pieces[k], box=box).put(ruler)
    return drawn


def _is_bar(piece: Piece) -> bool:
    return isinstance(piece, RadicalStrokes) or (
        isinstance(piece, StretchedStrokes) and piece.divides
    )


def _line(piece: Piece, ink: Points) -> Points:
    """The points of a bar, from left to right."""
    if isinstance(piece, RadicalStrokes):
        low, high = ink[:, 1].min(), ink[:, 1].max()
        foot = ink[np.argmax(ink[:, 1]), 0]
        bar = (ink[:, 0] > foot) & (ink[:, 1] < low + _ROOF * (high - low))
        ink = ink[bar] if bar.any() else ink[[np.argmin(ink[:, 1])]]
    return ink[np.argsort(ink[:, 0], kind="stable")]


def _bounds(
    bar: int,
    outer: Sequence[int],
    left: Points,
    right: Points,
    middle: Points,
    across: Points,
) -> tuple[float, float]:
    """How far up and down that reaches which stands at a bar: to the next of those around it."""
    around = [k for k in outer if left[k] < across[bar] < right[k]]
    above = [middle[k] for k in around if middle[k] < middle[bar]]
    below = [middle[k] for k in around if middle[k] > middle[bar]]
    return max(above, default=-np.inf), min(below, default=np.inf)


def _needed(distances: NDArray[np.float64], where: NDArray[np.bool_]) -> float:
    return float(min(np.max(distances, where=where, initial=0.0), _MOST))
