"""Points far away from the formula: a tap at the tablet's corner, a reading that went wrong.

The points are cut into groups wherever, along x or y, there is a gap of more than `_GAP` times the
longer side of the group with the most points. That group is the formula. What is outside is left
out if it is at most a tenth of the points; otherwise it may be part of the formula, and is kept.
No ink of CROHME 2014 has such a gap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GAP = 1.5  # longer sides of the formula
_MOST = 0.1  # share of the points that may be left out
_CORE = (0.1, 0.9)  # quantiles between which the first guess of the formula lies
_ROUNDS = 16


def far(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points lie far away from the group of most points.

    Args:
        points: (n, 2), finite.

    Returns:
        (n,) true for points outside of that group.
    """
    outside = np.zeros(len(points), dtype=np.bool_)
    if len(points) < 2:
        return outside
    core = np.quantile(points, _CORE, axis=0)  # (2, 2)
    side = float((core[1] - core[0]).max())
    for _ in range(_ROUNDS):
        if side <= 0:
            return np.zeros(len(points), dtype=np.bool_)
        outside = ~(_largest(points[:, 0], _GAP * side) & _largest(points[:, 1], _GAP * side))
        if outside.all():
            return np.zeros(len(points), dtype=np.bool_)
        inside = points[~outside]
        found = float((inside.max(axis=0) - inside.min(axis=0)).max())
        if found <= side:
            break
        side = found
    return outside


def may_go(outside: NDArray[np.bool_]) -> bool:
    """Whether the points outside are few enough to be left out."""
    return bool(outside.mean() <= _MOST)


def _largest(values: NDArray[np.float64], gap: float) -> NDArray[np.bool_]:
    """The values of the group with the most members, groups being apart by more than the gap."""
    order = np.argsort(values, kind="stable")
    group = np.concatenate([[0], np.cumsum(np.diff(values[order]) > gap)])
    inside = np.empty(len(values), dtype=np.bool_)
    inside[order] = group == np.bincount(group).argmax()
    return inside
