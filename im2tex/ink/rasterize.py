"""Rasterises strokes.

`draw` draws lines of one cell on a canvas with `SUPERSAMPLING` cells per pixel (Pillow, in C),
dilates them with a round pen by a few shifted maxima over the whole canvas, and averages blocks.
The time hardly depends on the number of points, caps and joints are round, and edges are
anti-aliased in steps of 1/9. `benchmarks/raster.py` compares it with alternatives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from im2tex.ink.ink import Stroke

SUPERSAMPLING = 3
"""Canvas cells per pixel, along each axis."""
_STEP = 0.5  # pixels between kept points; changes a corner by less than a quarter of a pixel


def raster_size(
    strokes: Sequence[Stroke], scale: float, stroke_width: float, padding: int
) -> tuple[int, int]:
    """Height and width in pixels of the image that `draw` returns for the same arguments."""
    low, high = _extent(strokes)
    width, height = (math.ceil(float(e) * scale + stroke_width) + 2 * padding for e in high - low)
    return max(height, 1), max(width, 1)


def draw(
    strokes: Sequence[Stroke], scale: float, stroke_width: float, padding: int
) -> NDArray[np.uint8]:
    """Draws strokes with a round pen, anti-aliased.

    Example:
        >>> stroke = np.array([[0, 0], [10, 5]], np.float32)
        >>> draw([stroke], scale=2.0, stroke_width=2.0, padding=4).shape
        (20, 30)

    Args:
        strokes: each (n, 2), finite; a stroke of one point is a dot.
        scale: pixels per unit of the strokes.
        stroke_width: diameter of the pen, pixels; rounded to thirds of a pixel, at least 1/3.
        padding: empty pixels on every side.

    Returns:
        (H, W), 0 = paper, 255 = ink: the extent of the strokes, the pen and the padding.

    Raises:
        ValueError: if there is no stroke, or if scale or stroke_width is not positive.
    """
    if not (scale > 0 and stroke_width > 0):
        raise ValueError(f"scale and stroke_width must be positive, got {scale} and {stroke_width}")
    low, high = _extent(strokes)
    extent = (high - low) * scale
    height, width = (max(1, math.ceil(float(e) + stroke_width) + 2 * padding) for e in extent[::-1])
    canvas = _Canvas.of(height, width, stroke_width, padding)
    canvas_image = Image.new("L", canvas.cells[::-1])
    pen = ImageDraw.Draw(canvas_image).draw
    for points in _decimate(strokes, low, scale, canvas.margin):
        pen.draw_lines(points, 255, 1)
    return canvas.draw_with_pen(np.array(canvas_image))


def draw_skeleton(
    skeleton: NDArray[np.bool_], stroke_width: float, padding: int
) -> NDArray[np.uint8]:
    """Draws the lines of a skeleton with the same pen as `draw`.

    Args:
        skeleton: (h, w), centre lines on a grid with `SUPERSAMPLING` cells per pixel.
        stroke_width: diameter of the pen, pixels.
        padding: empty pixels on every side.

    Returns:
        (H, W), 0 = paper, 255 = ink: the extent of the grid, the pen and the padding.
    """
    canvas = _Canvas.of(*skeleton_size(skeleton, stroke_width, padding), stroke_width, padding)
    fine = np.zeros(canvas.cells, dtype=np.uint8)
    top, (rows, columns) = canvas.margin, skeleton.shape
    fine[top : top + rows, top : top + columns] = 255 * skeleton
    return canvas.draw_with_pen(fine)


def skeleton_size(
    skeleton: NDArray[np.bool_], stroke_width: float, padding: int
) -> tuple[int, int]:
    """Height and width in pixels of the image that `draw_skeleton` returns."""
    height, width = (
        math.ceil(cells / SUPERSAMPLING + stroke_width) + 2 * padding for cells in skeleton.shape
    )
    return height, width


class _Canvas(NamedTuple):
    """A canvas with `SUPERSAMPLING` cells per pixel.

    Attributes:
        height: of the image, pixels.
        width: of the image, pixels.
        pen: diameter in cells.
        margin: cells above and to the left of the first centre line.
    """

    height: int
    width: int
    pen: int
    margin: int

    @classmethod
    def of(cls, height: int, width: int, stroke_width: float, padding: int) -> _Canvas:
        pen = max(1, round(stroke_width * SUPERSAMPLING))
        return cls(height, width, pen, padding * SUPERSAMPLING + pen // 2)

    @property
    def cells(self) -> tuple[int, int]:
        # `_dilate` shifts the flat canvas, so each row ends with the pen's width of empty cells.
        guard = -(-(self.pen + 1) // SUPERSAMPLING)
        return (self.height + guard) * SUPERSAMPLING, (self.width + guard) * SUPERSAMPLING

    def draw_with_pen(self, fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Dilates lines of one cell with the pen, and averages blocks."""
        image = Image.fromarray(_dilate(fine, self.pen)).reduce(SUPERSAMPLING)
        return np.asarray(image)[: self.height, : self.width].copy()


def _extent(strokes: Sequence[Stroke]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if not strokes:
        raise ValueError("no stroke to draw")
    points = np.concatenate(strokes)
    return points.min(axis=0), points.max(axis=0)


def _decimate(
    strokes: Sequence[Stroke], low: NDArray[np.float32], scale: float, margin: int
) -> list[list[float]]:
    """Canvas coordinates x0 y0 x1 y1 ... of each stroke, without points closer than `_STEP`."""
    points = np.concatenate(strokes)
    points = (points - low) * np.float32(scale * SUPERSAMPLING) + np.float32(margin + 0.5)
    ends = np.cumsum([len(stroke) for stroke in strokes])
    steps = np.abs(np.diff(points, axis=0)).sum(axis=1)
    travelled = np.floor(np.cumsum(steps) / (_STEP * SUPERSAMPLING))
    keep = np.empty(len(points), dtype=bool)
    keep[0] = True
    keep[1:-1] = np.diff(travelled) > 0
    keep[ends - 1] = True
    keep[ends[:-1]] = True
    kept = np.cumsum(keep)[ends - 1]
    flat = points[keep].ravel().tolist()
    lines = [flat[2 * start : 2 * stop] for start, stop in pairwise([0, *kept.tolist()])]
    return [line if len(line) > 2 else line + line for line in lines]


@lru_cache(maxsize=64)
def _disc(diameter: int) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    """A disc as horizontal runs: length, and (row, column) shifts of the runs of that length."""
    middle = (diameter - 1) / 2
    runs: dict[int, list[tuple[int, int]]] = {}
    for row in range(diameter):
        # With a radius 0.1 cells shorter, the mean stroke width over all directions is within 5 %
        # of the pen's width (10 % for pens below 1.5 pixels).
        half = math.sqrt(max(0.0, (diameter / 2 - 0.1) ** 2 - (row - middle) ** 2))
        first = math.ceil(middle - half)
        last = math.floor(middle + half)
        runs.setdefault(last - first + 1, []).append((row, first))
    return tuple((length, tuple(runs[length])) for length in sorted(runs))


def _dilate(fine: NDArray[np.uint8], pen: int) -> NDArray[np.uint8]:
    """Replaces each cell by a disc whose box begins at `cell - pen // 2`."""
    if pen == 1:
        return fine
    columns = fine.shape[1]
    source = fine.ravel()
    out = np.zeros_like(source)
    run = source
    length = 1
    back = (pen // 2) * (columns + 1)
    for target, shifts in _disc(pen):
        while length < target:
            step = min(length, target - length)
            longer = run.copy()
            np.maximum(run[:-step], longer[step:], out=longer[step:])
            run, length = longer, length + step
        for row, column in shifts:
            offset = row * columns + column - back
            first, size = max(0, offset), len(out) - abs(offset)
            view = out[first : first + size]
            np.maximum(view, run[first - offset : first - offset + size], out=view)
    return out.reshape(fine.shape)
