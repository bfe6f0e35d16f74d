"""`far_points`: points far away from the formula, such as a tap at the corner of the tablet.

The formula begins as the box of the middle 80 % of the coordinates, and grows by every stroke whose
box is at most `_MAX_GAP` times the longer side of the formula away. Strokes outside of the final
box are far away; so are single points of a long stroke at that distance, while the ends of a stroke
of few points may be anywhere, as those of a fraction bar are. No ink of CROHME 2014 has such
points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_MAX_GAP = 1.5  # longer sides of the formula
_CORE = (0.1, 0.9)  # quantiles of the coordinates
_MAX_REMOVABLE = 0.1  # of all points
_LONG = 8  # points of a stroke of which single points are removed
_SINGLE = 0.15  # of a stroke's points
_MAX_ROUNDS = 16


def far_points(strokes: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Marks the points far away from the formula.

    Args:
        strokes: each (n, 2), n >= 1, finite.

    Returns:
        (all points,) true for those far away, stroke by stroke.
    """
    points = np.concatenate(strokes)
    counts = np.array([len(stroke) for stroke in strokes])
    starts = np.cumsum(counts) - counts
    lows = np.minimum.reduceat(points, starts)  # (strokes, 2)
    highs = np.maximum.reduceat(points, starts)
    box = np.quantile(points, _CORE, axis=0)  # (2, 2)
    nothing = np.zeros(len(points), dtype=np.bool_)
    far = nothing
    for _ in range(_MAX_ROUNDS):
        low, high = box
        reach = _MAX_GAP * float((high - low).max())
        far_strokes = np.maximum(lows - high, low - highs).max(axis=1) > reach  # (strokes,)
        outside = np.maximum(points - high, low - points).max(axis=1) > reach  # (points,)
        fraction = np.add.reduceat(outside, starts, dtype=np.int64) / counts
        has_single = (counts >= _LONG) & (fraction <= _SINGLE)
        far = np.repeat(far_strokes, counts) | (outside & np.repeat(has_single, counts))
        if reach <= 0 or far.all():  # nearly all points coincide
            return nothing
        near = points[~far]
        grown = np.stack([np.minimum(low, near.min(axis=0)), np.maximum(high, near.max(axis=0))])
        if (grown == box).all():
            break
        box = grown
    return far


def are_removable(far: NDArray[np.bool_]) -> bool:
    """Whether the far points are few enough to be removed."""
    return bool(far.mean() <= _MAX_REMOVABLE)
