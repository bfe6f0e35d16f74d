"""Points far away from the formula: a tap at the tablet's corner, a reading that went wrong.

The formula begins as the box of the middle four fifths of the points and grows by every stroke
whose box is at most `_GAP` times the longer side of it away. What has not joined it in the end is
far away; so are single points of a long stroke at that distance, while the ends of a stroke of few
points may lie anywhere, as those of a fraction bar do. No ink of CROHME 2014 has such points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_GAP = 1.5  # longer sides of the formula
_CORE = (0.1, 0.9)  # quantiles of the coordinates between which the formula begins
_MOST = 0.1  # share of all points that may be left out
_LONG = 8  # points of a stroke from which single ones may be left out
_SINGLE = 0.15  # share of a stroke's points that are single ones
_ROUNDS = 16


def far_points(strokes: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Which points lie far away from the formula.

    Args:
        strokes: each (n, 2), n >= 1, finite.

    Returns:
        (all points,) true for those far away, the strokes one after the other.
    """
    points = np.concatenate(strokes)
    counts = np.array([len(stroke) for stroke in strokes])
    starts = np.cumsum(counts) - counts
    lows = np.minimum.reduceat(points, starts)  # (strokes, 2)
    highs = np.maximum.reduceat(points, starts)
    low, high = np.quantile(points, _CORE, axis=0)
    outside = np.zeros(len(points), dtype=np.bool_)
    for _ in range(_ROUNDS):
        reach = _GAP * float((high - low).max())
        if reach <= 0:  # nearly all points are one
            return np.zeros(len(points), dtype=np.bool_)
        apart = np.maximum(lows - high, low - highs).max(axis=1) > reach  # (strokes,)
        stray = np.maximum(points - high, low - points).max(axis=1) > reach  # (points,)
        share = np.add.reduceat(stray, starts, dtype=np.int64) / counts
        single = (counts >= _LONG) & (share <= _SINGLE)
        outside = np.repeat(apart, counts) | (stray & np.repeat(single, counts))
        if outside.all():
            return np.zeros(len(points), dtype=np.bool_)
        before = low, high
        low = np.minimum(low, points[~outside].min(axis=0))
        high = np.maximum(high, points[~outside].max(axis=0))
        if (low == before[0]).all() and (high == before[1]).all():
            break
    return outside


def are_removable(outside: NDArray[np.bool_]) -> bool:
    """Whether the points outside are few enough to be left out."""
    return bool(outside.mean() <= _MOST)
