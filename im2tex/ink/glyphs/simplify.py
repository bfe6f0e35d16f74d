"""Simplification of strokes (Ramer 1972, Douglas and Peucker 1973).

All strokes are processed at once, one level of the recursion at a time: between two kept points,
the point farthest from their chord is kept as well if its distance exceeds the tolerance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.flat import FlatStrokes


def simplify(shapes: FlatStrokes, tolerance: float) -> FlatStrokes:
    """Removes the points within the tolerance of the line through the remaining points.

    Args:
        shapes: symbols whose strokes have at least one point each.
        tolerance: in the unit of the points.

    Returns:
        The same symbols and strokes. The ends of each stroke are kept; if they coincide and no
        point is between them, the stroke is a single point.
    """
    points = np.asarray(shapes.points, dtype=np.float32)
    starts, ends = shapes.stroke_ends[:-1], shapes.stroke_ends[1:] - 1
    keep = np.zeros(len(points), dtype=bool)
    keep[starts] = keep[ends] = True
    long = np.flatnonzero(ends - starts > 1)
    left, right = starts[long], ends[long]
    while len(left):
        farthest, distance = _farthest(points, left, right)
        far = distance > tolerance
        left, middle, right = left[far], farthest[far], right[far]
        keep[middle] = True
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        wide = right - left > 1
        left, right = left[wide], right[wide]
    kept = np.concatenate([[0], np.cumsum(keep)])
    counts = kept[ends + 1] - kept[starts]
    # Both ends of a dot are the same point.
    dots = (counts == 2) & (points[starts] == points[ends]).all(axis=1) & (ends > starts)
    keep[ends[dots]] = False
    counts[dots] = 1
    bounds = np.concatenate([[0], np.cumsum(counts)])
    return FlatStrokes(shapes.points[keep], bounds, shapes.symbol_ends)


def _farthest(
    points: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Index and distance of the point farthest from the segment between each left and right."""
    lengths = right - left - 1
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    segment = np.repeat(np.arange(len(left)), lengths)
    inner = np.arange(len(segment)) - offsets[segment] + left[segment] + 1
    chord = points[right] - points[left]  # (segments, 2)
    squared = np.maximum((chord**2).sum(axis=1), 1e-12)
    reach = points[inner] - points[left][segment]  # (inner, 2)
    along = np.clip((reach * chord[segment]).sum(axis=1) / squared[segment], 0, 1)
    distance = np.hypot(*(reach - along[:, None] * chord[segment]).T)
    most = np.maximum.reduceat(distance, offsets)
    at = np.flatnonzero(distance == most[segment])
    first = at[np.searchsorted(segment[at], np.arange(len(left)))]
    return inner[first], most
