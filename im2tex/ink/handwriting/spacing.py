"""`HorizontalSpacing`: more horizontal space where handwriting is wider than the printed symbols.

TeX sets its letters close. A drawn sample is often wider than the printed letter, or not centred in
its box; without more space, neighbours overlap four times as often as in CROHME. Where a box is too
narrow, all x coordinates are stretched, for the symbols above and below as well, so that scripts
stay behind their base and bars over the symbols that they cover.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FAR = 1e6  # layout units: left of every formula
_MIN_HALF_WIDTH = 1.0  # layout units: of a box


class HorizontalSpacing:
    """A monotone, piecewise linear map from the x of a layout to the x of the handwriting.

    Args:
        boxes: left and right of the box of each symbol, (n, 2).
        extents: left (negative) and right end of the symbol's ink, relative to the centre of the
            box, (n, 2).
        widening: fraction of the excess width that is added: 0 changes nothing.
    """

    def __init__(
        self,
        boxes: Sequence[tuple[float, float]],
        extents: Sequence[tuple[float, float]] | NDArray[np.float64],
        widening: float,
    ) -> None:
        # Segment k begins at x = _starts[k], where the map has _values[k] and _slopes[k].
        self._starts, self._values, self._slopes = [-_FAR], [-_FAR], [1.0]
        if not (widening and boxes):
            return
        left, right = np.array(boxes, np.float64).T  # (n,), (n,)
        low, high = np.array(extents, np.float64).T
        centre = (left + right) / 2
        # Each half of a box is stretched separately.
        starts, ends = np.concatenate([left, centre]), np.concatenate([centre, right])  # (2 n,)
        excess = np.concatenate([-low, high]) / np.maximum(ends - starts, _MIN_HALF_WIDTH) - 1
        growth = 1 + widening * np.maximum(excess, 0)
        marks = np.unique(np.concatenate([starts, ends, [0.0, 1.0]]))  # (e + 1,)
        covers = (starts[:, None] <= marks[:-1]) & (ends[:, None] >= marks[1:])  # (2 n, e)
        slopes = np.where(covers, growth[:, None], 1).max(axis=0)  # (e,)
        values = marks[0] + np.concatenate([[0.0], np.cumsum(np.diff(marks) * slopes)])  # (e + 1,)
        self._starts += marks.tolist()
        self._values += values.tolist()
        self._slopes += [*slopes.tolist(), 1.0]

    def __call__(self, x: float) -> float:
        """The x of the handwriting; outside of the boxes, distances are kept."""
        k = bisect_right(self._starts, x) - 1
        return self._values[k] + (x - self._starts[k]) * self._slopes[k]

    def stretch(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        """A box with its left and right side moved."""
        return self(box[0]), box[1], self(box[2]), box[3]


def stroke_extents(
    symbols: Sequence[Sequence[NDArray[np.float64]]], axis: int
) -> NDArray[np.float64]:
    """Minimum and maximum coordinate of the strokes of each symbol, (n, 2).

    Args:
        symbols: the strokes of each symbol, (k, 2).
        axis: 0 for x, 1 for y.
    """
    if not symbols:
        return np.zeros((0, 2))
    along = np.concatenate([stroke[:, axis] for strokes in symbols for stroke in strokes])
    lengths = [sum(map(len, strokes)) for strokes in symbols]
    starts = np.cumsum([0, *lengths[:-1]])
    return np.stack([np.minimum.reduceat(along, starts), np.maximum.reduceat(along, starts)], 1)
