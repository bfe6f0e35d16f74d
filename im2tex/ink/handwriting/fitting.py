"""Scales a drawn sample to the box that a layout has for it.

A part of a formula is drawn when the horizontal spacing is known: the strokes of a symbol are
translated to its final position; parts that cover other symbols (bars, radicals, frames, wide
accents) get the length they need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.builtin_font.hershey import round_corners
from im2tex.ink.handwriting.spacing import HorizontalSpacing
from im2tex.ink.ink import Stroke

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in layout units."""
_MIN_SIDE = 4.0  # layout units: the smallest side of a box
_MIN_EXTENT = 1e-3  # of a sample, to divide by
_FLAT = 0.15  # of a sample's longer side: a shorter side is not stretched
_BAR_START = (0.02, 0.75)  # of a radical's width
_BAR_BEND = 0.35  # of a radical's height: distance of the bar's points from its top


def fit_to_box(
    strokes: Sequence[Stroke], width: float, height: float, stretch: float
) -> list[Points]:
    """Scales a sample to a box, and centres it at (0, 0).

    The longer side of the box determines the scale along it; the other scale differs from it by
    at most `stretch`.

    Args:
        strokes: relative to the top left corner, in any unit.
        width: of the box.
        height: of the box.
        stretch: largest factor between the two scales; `inf` to fill the box.
    """
    width, height = max(width, _MIN_SIDE), max(height, _MIN_SIDE)
    low, high = _bounds(strokes)
    own = np.maximum(high - low, _MIN_EXTENT)
    x_scale, y_scale = width / own[0], height / own[1]
    if width >= height:
        y_scale = float(np.clip(y_scale, x_scale / stretch, x_scale * stretch))
    else:
        x_scale = float(np.clip(x_scale, y_scale / stretch, y_scale * stretch))
    return [(stroke - (low + high) / 2) * (x_scale, y_scale) for stroke in strokes]


def stretch_to_box(
    strokes: Sequence[Stroke], width: float, height: float, straight_above: float = math.inf
) -> list[Points]:
    """Stretches a sample to fill a box, and centres it at (0, 0); a flat sample stays flat.

    Args:
        strokes: relative to the top left corner, in any unit.
        width: of the box.
        height: of the box.
        straight_above: length above which the deviations of a line grow with the square root of
            its length, as in handwriting: otherwise a long bar would cross its numerator.
    """
    low, high = _bounds(strokes)
    own = high - low
    longest = max(float(own.max()), _MIN_EXTENT)
    length = max(width, height, _MIN_SIDE)
    if length > straight_above:
        # The steps of the tablet would be visible in a short line that is stretched.
        strokes = [round_corners(stroke) for stroke in strokes]
    flat_scale = length / longest * min(1.0, math.sqrt(straight_above / length))
    scales = [
        side / extent if extent > _FLAT * longest else flat_scale
        for side, extent in zip((width, height), own.tolist(), strict=True)
    ]
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
    strokes: Sequence[Stroke], bar_start: float, box: Sequence[float], inner: Sequence[float]
) -> list[Points]:
    """Stretches a drawn radical around its contents: the hook at the left, the bar above them.

    Args:
        strokes: of the sample.
        bar_start: see `radical_bar_start`.
        box: left, top, right and bottom of the radical.
        inner: the same of its contents.
    """
    low, high = _bounds(strokes)
    size = np.maximum(high - low, _MIN_EXTENT)
    hook = max(inner[0] - box[0], _MIN_SIDE)
    bar = max(box[2] - box[0] - hook, _MIN_SIDE)
    fitted = []
    for stroke in strokes:
        x, y = ((stroke - low) / size).T
        x = np.interp(x, (0, bar_start, 1), (0, hook, hook + bar))
        fitted.append(np.stack([box[0] + x, box[1] + y * (box[3] - box[1])], axis=1))  # (n, 2)
    return fitted


def straight_radical(box: Sequence[float], inner: Sequence[float]) -> list[Points]:
    """A radical of straight lines, for a bank without radicals."""
    left, top, right, bottom = box
    hook, height = max(inner[0] - left, _MIN_SIDE), bottom - top
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
class SymbolStrokes:
    """A symbol.

    Attributes:
        box: its box in the layout.
        strokes: relative to the centre of the box.
    """

    box: Box
    strokes: Sequence[Points]

    def draw(self, spacing: HorizontalSpacing) -> list[Points]:
        """The strokes at their final position."""
        left, top, right, bottom = self.box
        centre = np.array([spacing((left + right) / 2), (top + bottom) / 2])
        return [points + centre for points in self.strokes]


@dataclass(frozen=True, slots=True)
class StretchedStrokes:
    """A bar, a line, a frame or a wide accent.

    Attributes:
        box: its box in the layout.
        sample: strokes to stretch; empty for a straight line.
        shift: offset from the centre of the box, (2,).
        straight_above: length above which a line is drawn straighter, in layout units.
        is_fraction_bar: whether it is a fraction bar.
    """

    box: Box
    sample: Sequence[Stroke]
    shift: NDArray[np.float64]
    straight_above: float
    is_fraction_bar: bool = False

    def draw(self, spacing: HorizontalSpacing) -> list[Points]:
        """The strokes at their final position."""
        left, top, right, bottom = spacing.stretch(self.box)
        width, height = right - left, bottom - top
        centre = np.array([(left + right) / 2, (top + bottom) / 2])
        if not self.sample:
            return [np.array([[-width / 2, 0.0], [width / 2, 0.0]]) + centre]
        shape = stretch_to_box(self.sample, width, height, self.straight_above)
        return [points + centre + self.shift for points in shape]


@dataclass(frozen=True, slots=True)
class RadicalStrokes:
    """A radical.

    Attributes:
        box: its box in the layout.
        inner: the box of its contents.
        sample: its strokes, with a clear bar; empty for straight lines.
        bar_start: see `radical_bar_start`.
    """

    box: Box
    inner: Box
    sample: Sequence[Stroke]
    bar_start: float

    def draw(self, spacing: HorizontalSpacing) -> list[Points]:
        """The strokes at their final position."""
        box, inner = spacing.stretch(self.box), spacing.stretch(self.inner)
        if not self.sample:
            return straight_radical(box, inner)
        return fit_radical(self.sample, self.bar_start, box, inner)


Piece = SymbolStrokes | StretchedStrokes | RadicalStrokes
