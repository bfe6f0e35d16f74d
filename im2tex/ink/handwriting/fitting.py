"""A drawn sample in the place that a layout has for it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.builtin_font.corners import round_corners
from im2tex.ink.ink import Stroke

Points = NDArray[np.float64]
_LEAST = 4.0  # layout units: the smallest side that a place is taken to have
_FLAT = 1e-3
_BAR = (0.02, 0.75)  # of a root's width: where its bar may begin
_NEAR = 0.35  # of a root's height: how far below its top a point of the bar may lie


def fit_to_box(
    strokes: Sequence[Stroke], width: float, height: float, stretch: float
) -> list[Points]:
    """A sample scaled to a place, its middle at (0, 0).

    The longer side of the place decides the size; along the other the sample keeps its own
    proportions as far as `stretch` lets it.

    Args:
        strokes: from their left top corner, in any unit.
        width: of the place.
        height: of the place.
        stretch: factor by which the two scales may differ; `inf` to fill the place.
    """
    width, height = max(width, _LEAST), max(height, _LEAST)
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    own = np.maximum(high - low, _FLAT)
    across, down = width / own[0], height / own[1]
    if width >= height:
        down = float(np.clip(down, across / stretch, across * stretch))
    else:
        across = float(np.clip(across, down / stretch, down * stretch))
    middle = (low + high) / 2
    return [(stroke - middle) * (across, down) for stroke in strokes]


def stretch_to_box(
    strokes: Sequence[Stroke], width: float, height: float, straight: float = math.inf
) -> list[Points]:
    """A sample that fills a place, its middle at (0, 0); what is flat stays flat.

    Args:
        strokes: from their left top corner, in any unit.
        width: of the place.
        height: of the place.
        straight: length beyond which a line's ups and downs grow with the root of its length only,
            as in people's: a long bar that rises like a short one runs through what it divides.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    own = high - low
    longest = max(float(own.max()), _FLAT)
    length = max(width, height, _LEAST)
    if length > straight:
        # Of a short line made long, the steps of the tablet would be seen.
        strokes = [round_corners(stroke) for stroke in strokes]
    flat = length / longest * min(1.0, math.sqrt(straight / length))
    # What is hardly wide (or high) at all has no shape to stretch along that side.
    across, down = (
        place / side if side > 0.15 * longest else flat
        for place, side in zip((width, height), own.tolist(), strict=True)
    )
    return [(stroke - (low + high) / 2) * (across, down) for stroke in strokes]


def radical_bar_start(strokes: Sequence[Stroke]) -> float | None:
    """Where a drawn root's bar begins, as a share of its width; None where that is not clear.

    It is the leftmost point near the top, beyond the hook on the left.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    width, height = np.maximum(high - low, _FLAT)
    lowest = points[np.argmax(points[:, 1])]
    beyond = points[(points[:, 0] >= lowest[0]) & (points[:, 1] < low[1] + _NEAR * height)]
    if not len(beyond):
        return None
    begins = float((beyond[:, 0].min() - low[0]) / width)
    return begins if _BAR[0] < begins < _BAR[1] else None


def fit_radical(
    strokes: Sequence[Stroke],
    begins: float,
    box: Sequence[float],
    inner: Sequence[float],
) -> list[Points]:
    """A drawn root around its content: the hook left of it, the bar stretched over it.

    Args:
        strokes: of the sample.
        begins: what `radical_bar_start` says of it.
        box: left, top, right and bottom of the root.
        inner: the same of its content.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(high - low, _FLAT)
    hook = max(inner[0] - box[0], _LEAST)
    rest = max(box[2] - box[0] - hook, _LEAST)
    done = []
    for stroke in strokes:
        share = (stroke - low) / size
        left = np.minimum(share[:, 0], begins) / begins * hook
        right = np.maximum(share[:, 0] - begins, 0) / (1 - begins) * rest
        x = box[0] + left + right
        y = box[1] + share[:, 1] * (box[3] - box[1])
        done.append(np.stack([x, y], axis=1))  # (n, 2)
    return done


def straight_radical(box: Sequence[float], inner: Sequence[float]) -> list[Points]:
    """A root of straight lines, for a bank that has none."""
    left, top, right, bottom = box
    hook = max(inner[0] - left, _LEAST)
    middle = top + 0.6 * (bottom - top)
    corners = [
        (left, middle),
        (left + 0.25 * hook, middle - 0.05 * (bottom - top)),
        (left + 0.6 * hook, bottom),
        (left + hook, top),
        (right, top),
    ]
    return [np.array(corners, np.float64)]
