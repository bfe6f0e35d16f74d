r"""Drawings that do not look like the others of their symbol: slips, scribbles, wrong labels.

Each drawing is described by where its line runs and in which direction: 64 points at equal
distances along its strokes, in a box whose longer side is 1 (the aspect is kept), spread over a
grid of 12 x 12 cells by 4 directions without sense, softened by one cell, and compared by Hellinger
distance, the Euclidean one of the square roots. A drawing's oddness is its mean distance to its
four nearest ones of the same symbol, over the median of that among all of them (at least 0.35,
since drawings of a `(` differ by far less and a normal one would seem odd). Above 1.6 it is left
out, the worst first, and never more than 8 % of a symbol. Symbols of fewer than twelve are kept
whole.

Nearest neighbours, not the distance to a mean or medoid: a `7` or `z` with a bar is far from the
mean but has others like it. The numbers were chosen by eye on sheets of what was left out beside
what was just kept, for all symbols of CROHME's training inks and many of Detexify's. At 1.6 (0.9 %
of CROHME's symbols, 1.8 % of Detexify's) what goes is wrong, torn or hard to read, or of a rare
hand; at 1.4 (2.6 % and 4.6 %) most of what goes in addition is well written.

Left out as well: drawings of a tablet or mouse so coarse that their longer side has fewer than
fifteen steps, which are staircases when they are drawn larger (not dots and straight lines), and
rows of dots that are not wide: single dots that carry the whole row's label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.ink import Stroke

NEIGHBOURS = 4
FACTOR = 1.6
SHARE = 0.08
FEWEST = 12

_POINTS = 64
_SIDE = 12
_ANGLES = 4
_BLUR = 1.0  # cells
_USUAL = 0.35  # the median of most symbols lies between 0.3 and 0.4
_STEPS = 15
_SPARSE = 8  # points: fewer are a quick hand's, and far apart on any device
# Dots, and straight lines along the steps.
_COARSE = frozenset([*".,:;!+-=|", "\\cdot", "\\prime", "\\vdots", "\\ddots", "\\frac"])
_ROWS = frozenset(["\\ldots", "\\cdots"])
_BLOCK = 1024  # drawings compared with all others at a time


def inlier_mask(token: str, drawings: Sequence[Sequence[Stroke]]) -> NDArray[np.bool_]:
    """Which drawings of one symbol to keep.

    Args:
        token: the symbol.
        drawings: strokes of each, in the unit they were recorded in.

    Returns:
        (n,), true for those that are fine enough and look like some of the others.
    """
    keep = np.array([_fit(token, strokes) for strokes in drawings], dtype=bool)
    rest = np.flatnonzero(keep)
    if len(rest) >= FEWEST:
        scores = outlier_score([drawings[i] for i in rest.tolist()])
        worst = np.argsort(-scores, kind="stable")[: int(SHARE * len(rest))]
        keep[rest[worst[scores[worst] > FACTOR]]] = False
    return keep


def _fit(token: str, strokes: Sequence[Stroke]) -> bool:
    points = np.concatenate(strokes)
    width, height = (float(side) for side in points.max(axis=0) - points.min(axis=0))
    if token in _ROWS:
        return width > 2 * height
    if token in _COARSE:
        return True
    steps = np.abs(np.concatenate([np.diff(stroke, axis=0) for stroke in strokes]))
    steps = steps[steps > 0]
    few = len(points) < _SPARSE or not len(steps)
    return few or max(width, height) >= _STEPS * float(steps.min())


def outlier_score(drawings: Sequence[Sequence[Stroke]]) -> NDArray[np.float32]:
    """Each drawing's distance to its nearest ones, in units of what is usual: (n,)."""
    features = stroke_features(drawings)
    squares = (features**2).sum(axis=1)
    near = np.empty(len(features), np.float32)
    nearest = min(NEIGHBOURS, len(features) - 1)
    for first in range(0, len(features), _BLOCK):
        block = features[first : first + _BLOCK]
        apart = squares[first : first + _BLOCK, None] + squares - 2 * block @ features.T
        rows = np.arange(len(block))
        apart[rows, first + rows] = np.inf
        closest = np.partition(apart, nearest - 1, axis=1)[:, :nearest]
        near[first : first + len(block)] = np.sqrt(np.maximum(closest, 0)).mean(axis=1)
    return near / max(float(np.median(near)), _USUAL)


def stroke_features(drawings: Sequence[Sequence[Stroke]]) -> NDArray[np.float32]:
    """Where each drawing's line runs and in which direction, (n, `_ANGLES` * `_SIDE`²)."""
    places = np.empty((len(drawings), _POINTS, 2), np.float32)
    angles = np.empty((len(drawings), _POINTS), np.float32)
    for i, strokes in enumerate(drawings):
        places[i], angles[i] = _walk(strokes)
    size = _ANGLES * _SIDE * _SIDE
    row = np.repeat(np.arange(len(drawings)), _POINTS) * size
    x, y = (places.reshape(-1, 2) * (_SIDE - 1)).T
    turn = angles.ravel() * (_ANGLES / np.pi)
    x0, y0 = (np.clip(np.floor(v).astype(np.int64), 0, _SIDE - 2) for v in (x, y))
    t0 = np.floor(turn).astype(np.int64)
    total = np.zeros(len(drawings) * size, np.float64)
    for dx in (0, 1):
        for dy in (0, 1):
            for dt in (0, 1):
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


def _walk(strokes: Sequence[Stroke]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points at equal distances along the strokes, in a centred box of side 1, and directions."""
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
    if not len(ends) or ends[-1] == 0:  # dots alone
        some = points[np.arange(_POINTS) * len(points) // _POINTS]
        return some.astype(np.float32), np.zeros(_POINTS, np.float32)
    at = (np.arange(_POINTS) + 0.5) / _POINTS * ends[-1]
    segment = np.minimum(np.searchsorted(ends, at), len(ends) - 1)
    part = 1 - (ends[segment] - at) / np.maximum(lengths[segment], 1e-12)
    places = np.clip(starts[segment] + part[:, None] * steps[segment], 0, 1)
    angles = np.arctan2(steps[segment, 1], steps[segment, 0]) % np.pi
    return places.astype(np.float32), angles.astype(np.float32)
