"""Strokes to pixels.

`draw` lays hair lines on a canvas `SUPERSAMPLING` times as fine as the output (Pillow, in C),
widens them with a round pen by a few shifted maxima over the whole canvas, and averages blocks
down. The cost hardly depends on the number of points, caps and joints are round without a Python
loop over them, and the shades along an edge are true coverage in steps of 1/9.
`benchmarks/raster.py` compares it with the obvious ways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from im2tex.ink.ink import Stroke

SUPERSAMPLING = 3
"""Canvas cells a pixel, each way."""
_STEP = 0.5  # pixels between kept points; a corner is cut by less than a quarter of a pixel


def size(
    strokes: Sequence[Stroke], scale: float, thickness: float, padding: int
) -> tuple[int, int]:
    """Height and width that `draw` gives for the same arguments, in pixels, without drawing."""
    low, high = _extent(strokes)
    width, height = (math.ceil(float(e) * scale + thickness) + 2 * padding for e in high - low)
    return max(height, 1), max(width, 1)


def draw(
    strokes: Sequence[Stroke], scale: float, thickness: float, padding: int
) -> NDArray[np.uint8]:
    """Draws strokes with a round pen, anti-aliased.

    Args:
        strokes: each (n, 2), finite; a stroke of one point is a dot.
        scale: pixels a unit of the strokes.
        thickness: diameter of the pen, pixels; drawn to the nearest third of a pixel, at least one.
        padding: empty pixels on every side.

    Returns:
        (H, W), 0 = paper, 255 = ink, the ink's extent plus the pen's plus the padding.

    Raises:
        ValueError: if there is no stroke, or scale or thickness is not above zero.
    """
    if not (scale > 0 and thickness > 0):
        raise ValueError(f"scale {scale} and thickness {thickness} must be above zero")
    low, high = _extent(strokes)
    extent = (high - low) * scale
    height, width = (max(1, math.ceil(float(e) + thickness) + 2 * padding) for e in extent[::-1])
    canvas = _Canvas.of(height, width, thickness, padding)
    paper = Image.new("L", canvas.cells[::-1])
    pencil = ImageDraw.Draw(paper).draw
    for points in _thin(strokes, low, scale, canvas.margin):
        pencil.draw_lines(points, 255, 1)
    return canvas.penned(np.array(paper))


def draw_skeleton(middle: NDArray[np.bool_], thickness: float, padding: int) -> NDArray[np.uint8]:
    """Draws lines whose middle is known with the same pen as `draw`.

    Args:
        middle: (h, w), on a grid `SUPERSAMPLING` times as fine as the output.
        thickness: diameter of the pen, pixels.
        padding: empty pixels on every side.

    Returns:
        (H, W), 0 = paper, 255 = ink, the extent of the grid plus the pen's plus the padding.
    """
    canvas = _Canvas.of(*skeleton_size(middle, thickness, padding), thickness, padding)
    fine = np.zeros(canvas.cells, dtype=np.uint8)
    top, (rows, columns) = canvas.margin, middle.shape
    fine[top : top + rows, top : top + columns] = 255 * middle
    return canvas.penned(fine)


def skeleton_size(middle: NDArray[np.bool_], thickness: float, padding: int) -> tuple[int, int]:
    """Height and width that `draw_skeleton` gives for the same arguments, in pixels."""
    height, width = (
        math.ceil(cells / SUPERSAMPLING + thickness) + 2 * padding for cells in middle.shape
    )
    return height, width


class _Canvas(NamedTuple):
    """A canvas `SUPERSAMPLING` times as fine as an image of (height, width) pixels.

    Attributes:
        height: of the image.
        width: of the image.
        pen: diameter in cells.
        margin: cells before the first of a line's middle, down and right.
    """

    height: int
    width: int
    pen: int
    margin: int

    @classmethod
    def of(cls, height: int, width: int, thickness: float, padding: int) -> _Canvas:
        pen = max(1, round(thickness * SUPERSAMPLING))
        return cls(height, width, pen, padding * SUPERSAMPLING + pen // 2)

    @property
    def cells(self) -> tuple[int, int]:
        # The shifted maxima run over the flat canvas, so a row needs the pen's width free at its
        # end.
        guard = -(-(self.pen + 1) // SUPERSAMPLING)
        return (self.height + guard) * SUPERSAMPLING, (self.width + guard) * SUPERSAMPLING

    def penned(self, fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image of hair lines drawn with the pen."""
        image = Image.fromarray(_widen(fine, self.pen)).reduce(SUPERSAMPLING)
        return np.asarray(image)[: self.height, : self.width].copy()


def _extent(strokes: Sequence[Stroke]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if not strokes:
        raise ValueError("there is no stroke to draw")
    points = np.concatenate(strokes)
    return points.min(axis=0), points.max(axis=0)


def _thin(
    strokes: Sequence[Stroke], low: NDArray[np.float32], scale: float, margin: int
) -> list[list[float]]:
    """Canvas coordinates x0 y0 x1 y1 … a stroke, without points too dense to matter."""
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
    out = []
    start = 0
    for stop in kept.tolist():
        line = flat[2 * start : 2 * stop]
        out.append(line if stop - start > 1 else line + line)
        start = stop
    return out


@lru_cache(maxsize=64)
def _pen(diameter: int) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    """A disc as horizontal runs: pairs of a run's length and its (row, column) shifts."""
    middle = (diameter - 1) / 2
    runs: dict[int, list[tuple[int, int]]] = {}
    for row in range(diameter):
        # A radius 0.1 cells short brings the ink over all directions within 5 % of the pen's
        # width, but for pens of less than a pixel and a half (10 %).
        half = math.sqrt(max(0.0, (diameter / 2 - 0.1) ** 2 - (row - middle) ** 2))
        first = math.ceil(middle - half)
        last = math.floor(middle + half)
        runs.setdefault(last - first + 1, []).append((row, first))
    return tuple((length, tuple(runs[length])) for length in sorted(runs))


def _widen(fine: NDArray[np.uint8], pen: int) -> NDArray[np.uint8]:
    """Each inked cell becomes a disc; the disc's box begins at `cell - pen // 2`."""
    if pen == 1:
        return fine
    columns = fine.shape[1]
    source = fine.ravel()
    out = np.zeros_like(source)
    run = source
    length = 1
    back = (pen // 2) * (columns + 1)
    for wanted, shifts in _pen(pen):
        while length < wanted:
            step = min(length, wanted - length)
            longer = run.copy()
            np.maximum(run[:-step], longer[step:], out=longer[step:])
            run, length = longer, length + step
        for row, column in shifts:
            offset = row * columns + column - back
            if offset >= 0:
                view = out[offset:]
                np.maximum(view, run[: len(run) - offset], out=view)
            else:
                view = out[:offset]
                np.maximum(view, run[-offset:], out=view)
    return out.reshape(fine.shape)
