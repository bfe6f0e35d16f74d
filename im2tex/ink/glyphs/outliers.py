r"""Finds drawings that differ from the others of their symbol: slips, scribbles, wrong labels.

Feature of a drawing: 64 points at equal distances along its strokes, in a box whose longer side is
1 (the aspect is kept), are accumulated in a grid of 12 x 12 cells by 4 undirected angles, and
blurred by one cell. Features are compared by the Hellinger distance, the Euclidean distance of the
square roots. The outlier score of a drawing is its mean distance to its four nearest neighbours of
the same symbol, divided by the median of these means (at least 0.35: drawings of a `(` differ so
little that a normal one would be an outlier). Drawings with a score above 1.6 are outliers, the
worst first and at most 8 % of a symbol. Symbols with fewer than twelve drawings have no outliers.

Nearest neighbours are used instead of a mean or medoid, since a `7` or `z` with a bar is far from
the mean but has others like it. The parameters were chosen by eye on all symbols of CROHME's
training samples and many of Detexify's. Above 1.6 (0.9 % of CROHME's symbols, 1.8 % of Detexify's)
drawings are wrong, torn or hard to read, or of a rare style; of those between 1.4 and 1.6 (2.6 %
and 4.6 %) most are well written.

Two more kinds are outliers: drawings by a device so coarse that their longer side has fewer than 15
steps, which look like staircases when enlarged (except dots and straight lines), and rows of dots
that are not wide, which are single dots with the label of the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.ink import Stroke

NEIGHBOURS = 4
MAX_SCORE = 1.6
MAX_FRACTION = 0.08
MIN_DRAWINGS = 12

_POINTS = 64
_SIDE = 12  # cells
_ANGLES = 4
_BLUR = 1.0  # cells
_MIN_MEDIAN = 0.35  # the median of most symbols is between 0.3 and 0.4
_MIN_STEPS = 15
_SPARSE = 8  # points: fewer are far apart on any device
# Dots, and straight lines along the axes.
_ANY_RESOLUTION = frozenset([*".,:;!+-=|", "\\cdot", "\\prime", "\\vdots", "\\ddots", "\\frac"])
_DOT_ROWS = frozenset(["\\ldots", "\\cdots"])


def inlier_mask(token: str, drawings: Sequence[Sequence[Stroke]]) -> NDArray[np.bool_]:
    """Marks the drawings of one symbol that are not outliers.

    Args:
        token: the symbol.
        drawings: strokes of each, in the unit of the recording device.

    Returns:
        (n,), true for inliers.
    """
    keep = np.array([_is_plausible(token, strokes) for strokes in drawings], dtype=bool)
    rest = np.flatnonzero(keep)
    if len(rest) >= MIN_DRAWINGS:
        scores = outlier_score([drawings[i] for i in rest.tolist()])
        worst = np.argsort(-scores, kind="stable")[: int(MAX_FRACTION * len(rest))]
        keep[rest[worst[scores[worst] > MAX_SCORE]]] = False
    return keep


def _is_plausible(token: str, strokes: Sequence[Stroke]) -> bool:
    points = np.concatenate(strokes)
    width, height = (float(side) for side in points.max(axis=0) - points.min(axis=0))
    if token in _DOT_ROWS:
        return width > 2 * height
    if token in _ANY_RESOLUTION:
        return True
    steps = np.abs(np.concatenate([np.diff(stroke, axis=0) for stroke in strokes]))
    steps = steps[steps > 0]
    sparse = len(points) < _SPARSE or not len(steps)
    return sparse or max(width, height) >= _MIN_STEPS * float(steps.min())


def outlier_score(drawings: Sequence[Sequence[Stroke]]) -> NDArray[np.float32]:
    """Mean distance of each drawing to its nearest neighbours, relative to the median: (n,)."""
    features = stroke_features(drawings)
    squares = (features**2).sum(axis=1)
    apart = squares[:, None] + squares - 2 * features @ features.T  # (n, n)
    np.fill_diagonal(apart, np.inf)
    nearest = min(NEIGHBOURS, len(features) - 1)
    closest = np.partition(apart, nearest - 1, axis=1)[:, :nearest]
    near: NDArray[np.float32] = np.sqrt(np.maximum(closest, 0)).mean(axis=1)
    return near / max(float(np.median(near)), _MIN_MEDIAN)


def stroke_features(drawings: Sequence[Sequence[Stroke]]) -> NDArray[np.float32]:
    """Histogram of positions and directions of each drawing, (n, 4 * 12 * 12)."""
    positions = np.empty((len(drawings), _POINTS, 2), np.float32)
    angles = np.empty((len(drawings), _POINTS), np.float32)
    for i, strokes in enumerate(drawings):
        positions[i], angles[i] = _resample(strokes)
    size = _ANGLES * _SIDE * _SIDE
    row = np.repeat(np.arange(len(drawings)), _POINTS) * size
    x, y = (positions.reshape(-1, 2) * (_SIDE - 1)).T
    turn = angles.ravel() * (_ANGLES / np.pi)
    x0, y0 = (np.clip(np.floor(v).astype(np.int64), 0, _SIDE - 2) for v in (x, y))
    t0 = np.floor(turn).astype(np.int64)
    total = np.zeros(len(drawings) * size, np.float64)
    for dx, dy, dt in product((0, 1), repeat=3):
        weight = np.ones_like(x)
        for step, value, low in ((dx, x, x0), (dy, y, y0), (dt, turn, t0)):
            weight *= value - low if step else 1 - (value - low)
        cell = ((t0 + dt) % _ANGLES * _SIDE + y0 + dy) * _SIDE + x0 + dx
        total += np.bincount(row + cell, weight, minlength=len(total))
    grid = total.reshape(-1, _SIDE, _SIDE)  # (n * angles, y, x)
    cells = np.arange(_SIDE)
    kernel = np.exp(-0.5 * ((cells[:, None] - cells) / _BLUR) ** 2)
    kernel /= kernel.sum(axis=0)
    soft = kernel @ grid @ kernel.T
    return np.sqrt(soft.reshape(len(drawings), size) / _POINTS).astype(np.float32)


def _resample(strokes: Sequence[Stroke]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points (64, 2) at equal distances along the strokes, in a unit box, and angles (64,)."""
    points = np.concatenate(strokes).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) or 1.0
    points = (points - (low + high) / 2) / side + 0.5
    inside = np.ones(len(points), dtype=bool)
    inside[np.cumsum([len(stroke) for stroke in strokes]) - 1] = False
    starts = points[:-1][inside[:-1]]
    steps = np.diff(points, axis=0)[inside[:-1]]
    lengths = np.hypot(*steps.T)
    ends = np.cumsum(lengths)
    if not len(ends) or ends[-1] == 0:  # only dots
        some = points[np.arange(_POINTS) * len(points) // _POINTS]
        return some.astype(np.float32), np.zeros(_POINTS, np.float32)
    at = (np.arange(_POINTS) + 0.5) / _POINTS * ends[-1]
    segment = np.minimum(np.searchsorted(ends, at), len(ends) - 1)
    part = 1 - (ends[segment] - at) / np.maximum(lengths[segment], 1e-12)
    positions = np.clip(starts[segment] + part[:, None] * steps[segment], 0, 1)
    angles = np.arctan2(steps[segment, 1], steps[segment, 0]) % np.pi
    return positions.astype(np.float32), angles.astype(np.float32)
