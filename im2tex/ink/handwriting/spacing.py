"""Room for symbols: distances from left to right, longer where ink is wider than its place.

TeX sets its own letters close. A drawn sample is often wider than the printed letter whose place it
takes, or stands beside the middle of it; put there all the same, it runs into its neighbours four
times as often as in CROHME. People go on to the right instead, and so does this: where a place is
too narrow, everything is moved apart, what stands above and below included, so that a script stays
behind what carries it and a bar over all that it divides.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST = 1.0  # layout units: half the width that a place is taken to have at least


class HorizontalSpacing:
    """From the x of a layout to that of the handwriting; it only ever grows.

    Args:
        places: left and right of each symbol's place, (n, 2).
        reaches: how far the symbol's ink reaches from the middle of its place to the left (a
            negative number) and to the right, (n, 2).
        room: share of what it is wider that it gets: 0 leaves everything in its place.
    """

    def __init__(
        self,
        places: Sequence[tuple[float, float]],
        reaches: Sequence[tuple[float, float]] | NDArray[np.float64],
        room: float,
    ) -> None:
        self._from, self._to = [0.0, 1.0], [0.0, 1.0]
        if not (room and places):
            return
        left, right = np.array(places, np.float64).T  # (n,), (n,)
        low, high = np.array(reaches, np.float64).T
        middle = (left + right) / 2
        # Either half of a place is a stretch of its own.
        starts, ends = np.concatenate([left, middle]), np.concatenate([middle, right])  # (2 n,)
        wanted = np.concatenate([-low, high]) / np.maximum(ends - starts, _LEAST)
        growth = 1 + room * np.maximum(wanted - 1, 0)
        marks = np.unique(np.concatenate([starts, ends, self._from]))  # (e + 1,)
        covers = (starts[:, None] <= marks[:-1]) & (ends[:, None] >= marks[1:])  # (2 n, e)
        steps = np.diff(marks) * np.where(covers, growth[:, None], 1).max(axis=0)  # (e,)
        self._from = marks.tolist()
        self._to = [self._from[0], *(self._from[0] + np.cumsum(steps)).tolist()]

    def __call__(self, x: float) -> float:
        """Where an x of the layout comes to lie."""
        last = len(self._from) - 1
        if x <= self._from[0]:
            return self._to[0] + x - self._from[0]
        if x >= self._from[last]:
            return self._to[last] + x - self._from[last]
        k = bisect_right(self._from, x)
        share = (x - self._from[k - 1]) / (self._from[k] - self._from[k - 1])
        return self._to[k - 1] + share * (self._to[k] - self._to[k - 1])

    def span(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        """A box whose sides go where they come to lie: of what spans other ink."""
        return self(box[0]), box[1], self(box[2]), box[3]


def reaches(symbols: Sequence[Sequence[NDArray[np.float64]]], axis: int) -> NDArray[np.float64]:
    """How far the strokes of each symbol reach along an axis, (n, 2).

    Args:
        symbols: the strokes of each, of two columns.
        axis: 0 from left to right, 1 downwards.
    """
    if not symbols:
        return np.zeros((0, 2))
    along = np.concatenate([stroke[:, axis] for strokes in symbols for stroke in strokes])
    lengths = [sum(map(len, strokes)) for strokes in symbols]
    starts = np.cumsum([0, *lengths[:-1]])
    return np.stack([np.minimum.reduceat(along, starts), np.maximum.reduceat(along, starts)], 1)
