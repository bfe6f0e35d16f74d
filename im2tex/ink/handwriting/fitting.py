"""Scales drawn samples to the boxes that a layout has for them.

Symbols are scaled all at once. Parts that cover symbols (bars, radicals, frames, wide accents) are
drawn when the horizontal spacing is known, with the length that they need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.builtin_font.hershey import round_corners
from im2tex.ink.ink import Stroke

Points = NDArray[np.float64]
_MIN_SIDE = 4.0  # layout units: the smallest side of a box
_MIN_EXTENT = 1e-3  # of a sample, to divide by
_FLAT = 0.15  # of a sample's longer side: a shorter side is not stretched
_BAR_START = (0.02, 0.75)  # of a radical's width
_BAR_BEND = 0.35  # of a radical's height: distance of the bar's points from its top


def fit_scales(
    boxes: NDArray[np.float64], sizes: NDArray[np.float32], stretch: float
) -> NDArray[np.float32]:
    """Factors that scale samples to boxes.

    The longer side of a box determines the scale along it; the other scale differs from it by at
    most `stretch`.

    Args:
        boxes: (n, 2) width and height of the boxes.
        sizes: (n, 2) the same of the samples.
        stretch: largest factor between the two scales; `inf` to fill the box.

    Returns:
        (n, 2).
    """
    boxes = np.maximum(boxes, _MIN_SIDE)
    scales = boxes.astype(np.float32) / np.maximum(sizes, _MIN_EXTENT)
    x, y = scales[:, :1], scales[:, 1:]
    along = np.where(boxes[:, :1] >= boxes[:, 1:], x, y)  # (n, 1)
    return np.minimum(np.maximum(scales, along / stretch), along * stretch)


def stretch_scales(
    boxes: NDArray[np.float64], sizes: NDArray[Any], straight_above: float = math.inf
) -> NDArray[np.float64]:
    """Factors that stretch samples to fill boxes; a flat sample stays flat.

    Args:
        boxes: (n, 2) width and height of the boxes.
        sizes: (n, 2) the same of the samples.
        straight_above: length above which the deviations of a line grow with the square root of
            its length, as in handwriting: otherwise a long bar would cross its numerator.

    Returns:
        (n, 2).
    """
    sizes = sizes.astype(np.float64)
    longest = np.maximum(sizes.max(axis=1, keepdims=True), _MIN_EXTENT)  # (n, 1)
    length = np.maximum(boxes.max(axis=1, keepdims=True), _MIN_SIDE)
    flat = length / longest * np.minimum(1.0, np.sqrt(straight_above / length))
    scales: NDArray[np.float64] = flat.repeat(2, axis=1)
    np.divide(boxes, sizes, out=scales, where=sizes > _FLAT * longest)
    return scales


def stretch_to_box(
    strokes: Sequence[Stroke], width: float, height: float, straight_above: float = math.inf
) -> list[Points]:
    """Stretches a sample to fill a box, and centres it at (0, 0); see `stretch_scales`."""
    low, high = _bounds(strokes)
    if max(width, height) > straight_above:
        # The steps of the tablet would be visible in a short line that is stretched.
        strokes = [round_corners(stroke) for stroke in strokes]
    (scales,) = stretch_scales(np.array([[width, height]]), (high - low)[None], straight_above)
    return [(stroke - (low + high) / 2) * scales for stroke in strokes]


def radical_bar_start(strokes: Sequence[Stroke]) -> float | None:
    """Left end of a drawn radical's bar, as a fraction of its width; None if it is not clear.

    It is the leftmost point near the top, to the right of the hook.
    """
    points = np.concatenate(strokes)
    low, high = _bounds(strokes)
    width, height = np.maximum(high - low, _MIN_EXTENT)
    lowest = points[np.argmax(points[:, 1])]
    bar = points[(points[:, 0] >= lowest[0]) & (points[:, 1] < low[1] + _BAR_BEND * height)]
    if not len(bar):
        return None
    start = float((bar[:, 0].min() - low[0]) / width)
    return start if _BAR_START[0] < start < _BAR_START[1] else None


def fit_radical(
    strokes: Sequence[Stroke], bar_start: float, box: Sequence[float], content_left: float
) -> list[Points]:
    """Stretches a drawn radical around its contents: the hook at the left, the bar above them.

    Args:
        strokes: of the sample.
        bar_start: see `radical_bar_start`.
        box: left, top, right and bottom of the radical.
        content_left: left side of its contents.
    """
    low, high = _bounds(strokes)
    size = np.maximum(high - low, _MIN_EXTENT)
    hook = max(content_left - box[0], _MIN_SIDE)
    bar = max(box[2] - box[0] - hook, _MIN_SIDE)
    fitted = []
    for stroke in strokes:
        x, y = ((stroke - low) / size).T
        x = np.interp(x, (0, bar_start, 1), (0, hook, hook + bar))
        fitted.append(np.stack([box[0] + x, box[1] + y * (box[3] - box[1])], axis=1))  # (n, 2)
    return fitted


def straight_radical(box: Sequence[float], content_left: float) -> list[Points]:
    """A radical of straight lines, for a bank without radicals."""
    left, top, right, bottom = box
    hook, height = max(content_left - left, _MIN_SIDE), bottom - top
    corners = [
        (left, top + 0.6 * height),
        (left + 0.25 * hook, top + 0.55 * height),
        (left + 0.6 * hook, bottom),
        (left + hook, top),
        (right, top),
    ]
    return [np.array(corners, np.float64)]


def _bounds(strokes: Sequence[Stroke]) -> tuple[Stroke, Stroke]:
    """Minimum and maximum of all points, (2,) each."""
    points = np.concatenate(strokes)
    return points.min(axis=0), points.max(axis=0)


@dataclass(frozen=True, slots=True)
class StretchedStrokes:
    """A bar, a line, a frame or a wide accent.

    Attributes:
        sample: strokes to stretch; empty for a straight line.
        shift: offset from the centre of the box, (2,).
        straight_above: length above which a line is drawn straighter, in layout units.
        is_fraction_bar: whether it is a fraction bar.
    """

    sample: Sequence[Stroke]
    shift: NDArray[np.float64]
    straight_above: float
    is_fraction_bar: bool = False

    def draw(self, box: Sequence[float]) -> list[Points]:
        """The strokes in a box."""
        left, top, right, bottom = box
        centre = np.array([(left + right) / 2, (top + bottom) / 2])
        if not self.sample:
            half = (right - left) / 2
            return [np.array([[-half, 0.0], [half, 0.0]]) + centre]
        shape = stretch_to_box(self.sample, right - left, bottom - top, self.straight_above)
        return [points + centre + self.shift for points in shape]


@dataclass(frozen=True, slots=True)
class RadicalStrokes:
    """A radical.

    Attributes:
        sample: its strokes, with a clear bar; empty for straight lines.
        bar_start: see `radical_bar_start`.
        content_left: left side of its contents.
    """

    sample: Sequence[Stroke]
    bar_start: float
    content_left: float

    def draw(self, box: Sequence[float]) -> list[Points]:
        """The strokes in a box."""
        if not self.sample:
            return straight_radical(box, self.content_left)
        return fit_radical(self.sample, self.bar_start, box, self.content_left)
