"""Coordinates of glyphs on an integer grid, stored as differences between points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.flat import FlatStrokes
from im2tex.ink.ink import Stroke

GRID = 1000
"""Steps of the stored grid along the longer side of a glyph's box."""
_TOLERANCE = 4.0  # grid steps between a removed point and the line: 1/6 pixel in 40-pixel symbols
_CHUNK = 2000  # glyphs quantised at a time


def quantize(symbols: Sequence[Sequence[Stroke]]) -> FlatStrokes:
    """Symbols moved to the top left corner of their boxes and scaled to `GRID` steps."""
    done: list[list[NDArray[Any]]] = []
    for first in range(0, len(symbols), _CHUNK):
        flat = FlatStrokes.of(symbols[first : first + _CHUNK])
        starts, lengths = flat.point_starts[:-1], np.diff(flat.point_starts)
        points = flat.points.astype(np.float64)
        corner = np.minimum.reduceat(points, starts)
        sides = (np.maximum.reduceat(points, starts) - corner).max(axis=1)
        scale = GRID / np.where(sides > 0, sides, 1.0)
        points = (points - np.repeat(corner, lengths, 0)) * np.repeat(scale, lengths)[:, None]
        moved = FlatStrokes(np.rint(points).astype(np.int16), flat.stroke_ends, flat.symbol_ends)
        simple = simplify(moved, _TOLERANCE)
        done += [simple.strokes(i) for i in range(len(simple))]
    flat = FlatStrokes.of(done)
    return FlatStrokes(flat.points.astype(np.int16), flat.stroke_ends, flat.symbol_ends)


def encode_steps(shapes: FlatStrokes) -> NDArray[np.int16]:
    """The first point of each glyph, and the difference of every other point to the previous."""
    starts = shapes.point_starts[:-1]
    steps = np.diff(shapes.points, axis=0, prepend=np.zeros((1, 2), np.int16))
    steps[starts] = shapes.points[starts]
    return steps.astype(np.int16)  # (P, 2)


def decode_steps(
    steps: NDArray[np.int16], stroke_ends: NDArray[np.int64], symbol_ends: NDArray[np.int64]
) -> FlatStrokes:
    """The inverse of `encode_steps`.

    Args:
        steps: (P, 2).
        stroke_ends: see `FlatStrokes`.
        symbol_ends: see `FlatStrokes`.

    Raises:
        ValueError: if strokes and points do not match.
    """
    starts = stroke_ends[symbol_ends[:-1]]
    if stroke_ends[-1] != len(steps) or (starts >= len(steps)).any():
        raise ValueError("strokes and points do not match")
    points = np.cumsum(steps, axis=0, dtype=np.int32)
    # Subtracts from each glyph the sum of all steps before it.
    before = points[starts] - steps[starts]
    points = points - np.repeat(before, np.diff(np.append(starts, len(points))), axis=0)
    return FlatStrokes(points.astype(np.int16), stroke_ends, symbol_ends)


def simplify(shapes: FlatStrokes, tolerance: float) -> FlatStrokes:
    """Removes the points within the tolerance of the line through the remaining points.

    The algorithm of Ramer (1972), Douglas and Peucker (1973): between two kept points, the point
    farthest from their chord is kept as well if its distance exceeds the tolerance. All strokes
    are processed at once, one level of the recursion at a time.

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
