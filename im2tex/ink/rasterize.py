"""Rasterises strokes.

`draw` draws lines of one cell on a canvas with 3 x 3 cells per pixel (Pillow, in C), dilates them
with a round pen by a few shifted maxima over the whole canvas, and averages blocks.
The time hardly depends on the number of points, caps and joints are round, and edges are
anti-aliased in steps of 1/9. `benchmarks/raster.py` compares it with alternatives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from im2tex.ink.ink import Ink

SUPERSAMPLING = 3
"""Canvas cells per pixel, along each axis."""
_STEP = 0.5  # pixels between kept points; changes a corner by less than a quarter of a pixel


def raster_size(ink: Ink, scale: float, stroke_width: float, padding: int) -> tuple[int, int]:
    """Height and width in pixels of the image that `draw` returns for the same arguments."""
    left, top, right, bottom = ink.bounds
    extent = np.array((bottom - top, right - left), np.float32) * np.float32(scale)
    height, width = (math.ceil(e + stroke_width) + 2 * padding for e in extent.tolist())
    return max(1, height), max(1, width)


def draw(
    ink: Ink,
    scale: float,
    stroke_width: float,
    padding: int,
    stride: tuple[int, int] = (1, 1),
) -> NDArray[np.uint8]:
    """Draws strokes with a round pen, anti-aliased.

    Example:
        >>> ink = Ink((np.array([[0, 0], [10, 5]], np.float32),))
        >>> draw(ink, scale=2.0, stroke_width=2.0, padding=4).shape
        (20, 30)

    Args:
        ink: finite points; a stroke of one point is a dot.
        scale: pixels per unit of the strokes.
        stroke_width: diameter of the pen, pixels; rounded to thirds of a pixel, at least 1/3.
        padding: empty pixels on every side.
        stride: height and width are rounded up to multiples of it.

    Returns:
        (H, W), 0 = paper, 255 = ink: the extent of the strokes, the pen and the padding.

    Raises:
        ValueError: if there is no stroke, or if scale or stroke_width is not positive.
    """
    if not (scale > 0 and stroke_width > 0):
        raise ValueError(f"scale and stroke_width must be positive, got {scale} and {stroke_width}")
    height, width = raster_size(ink, scale, stroke_width, padding)
    canvas = _Canvas(height, width, stroke_width, padding, stride)
    canvas.draw_lines(_decimate(ink, scale, canvas.margin))
    return canvas.image()


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
    canvas = _Canvas(*skeleton_size(skeleton, stroke_width, padding), stroke_width, padding)
    top, (rows, columns) = canvas.margin, skeleton.shape
    canvas.cells[top : top + rows, top : top + columns] = skeleton
    return canvas.image()


def skeleton_size(
    skeleton: NDArray[np.bool_], stroke_width: float, padding: int
) -> tuple[int, int]:
    """Height and width in pixels of the image that `draw_skeleton` returns."""
    height, width = (
        math.ceil(cells / SUPERSAMPLING + stroke_width) + 2 * padding for cells in skeleton.shape
    )
    return height, width


class _Canvas:
    """A canvas with `SUPERSAMPLING` cells per pixel, for lines of one cell.

    Args:
        height: of the image, pixels.
        width: of the image, pixels.
        stroke_width: diameter of the pen, pixels.
        padding: empty pixels on every side.
        stride: height and width are rounded up to multiples of it.

    Attributes:
        cells: (rows, columns), 1 on a line.
        margin: cells above and to the left of the first line.
    """

    def __init__(
        self,
        height: int,
        width: int,
        stroke_width: float,
        padding: int,
        stride: tuple[int, int] = (1, 1),
    ) -> None:
        self._height = -(-height // stride[0]) * stride[0]
        self._width = -(-width // stride[1]) * stride[1]
        self._pen = max(1, round(stroke_width * SUPERSAMPLING))
        self.margin = padding * SUPERSAMPLING + self._pen // 2
        # The pen may exceed the image by one cell, which must not continue in the next row.
        rows = SUPERSAMPLING * self._height + 1
        columns = SUPERSAMPLING * (self._width + 1)
        # Before and after the cells are those below the disc of the first and the last cell.
        before = (self._pen - 1 - self._pen // 2) * (columns + 1)
        after = self._pen // 2 * (columns + 1)
        self._buffer = np.zeros(before + rows * columns + after, np.uint8)
        self.cells = self._buffer[before : before + rows * columns].reshape(rows, columns)

    def draw_lines(self, lines: Iterable[NDArray[np.float32]]) -> None:
        """Draws lines x0 y0 x1 y1 ... in cells; Pillow reads them from the arrays."""
        rows, columns = self.cells.shape
        image = Image.frombuffer("L", (columns, rows), self.cells, "raw", "L", 0, 1)
        image.readonly = 0  # draw into the array
        pen = ImageDraw.Draw(image).draw
        for line in lines:
            pen.draw_lines(line, 1, 1)

    def image(self) -> NDArray[np.uint8]:
        """Dilates the lines with the pen, and averages blocks."""
        rows = SUPERSAMPLING * self._height
        fine = self._dilate()[:rows]
        sums = fine[0::3] + fine[1::3]
        sums += fine[2::3]
        flat = sums.ravel()
        triples = flat[:-2] + flat[1:-1]
        triples += flat[2:]
        counts = triples[::3].reshape(self._height, -1)[:, : self._width].copy()
        # 255 / 9 * counts, rounded, in 8 bits
        rounding = counts + 1
        rounding //= 3
        counts *= 28
        counts += rounding
        return counts

    def _dilate(self) -> NDArray[np.uint8]:
        """Replaces each cell by a disc whose box begins at `cell - pen // 2`."""
        columns = self.cells.shape[1]
        run, length = self._buffer, 1  # maxima of `length` cells
        dilated = None
        for target, first, shifts in _disc(self._pen):
            while length < target:
                step = min(length, target - length)
                run, length = np.maximum(run[:-step], run[step:]), length + step
            rows = run
            for shift in shifts:
                rows = np.maximum(rows[: -shift * columns], rows[shift * columns :])
            start = first * columns + (self._pen - length) // 2
            rows = rows[start : start + self.cells.size]
            dilated = rows if dilated is None else np.maximum(dilated, rows)
        assert dilated is not None
        return dilated.reshape(self.cells.shape)


def _decimate(ink: Ink, scale: float, margin: int) -> Iterator[NDArray[np.float32]]:
    """Canvas coordinates x0 y0 x1 y1 ... of each stroke, without points closer than `_STEP`."""
    left, top, *_ = ink.bounds
    # Operations on complex numbers and on flat arrays are faster than those on rows of two numbers.
    moved = np.ascontiguousarray(ink.points).view(np.complex64)[:, 0] - np.complex64(
        left + 1j * top
    )
    cells = moved.view(np.float32) * np.float32(scale * SUPERSAMPLING)
    cells += np.float32(margin + 0.5)
    points = cells.view(np.complex64)
    steps = np.abs((points[1:] - points[:-1]).view(np.float32))
    travelled = np.floor(np.cumsum(steps[0::2] + steps[1::2]) / (_STEP * SUPERSAMPLING))
    keep = np.empty(len(points), dtype=bool)
    keep[1:-1] = travelled[1:] != travelled[:-1]
    offsets = np.array(ink.offsets)
    keep[offsets[:-1]] = True
    keep[offsets[1:] - 1] = True
    kept = keep.nonzero()[0]
    flat = points[kept].view(np.float32)
    for start, end in pairwise((2 * kept.searchsorted(offsets)).tolist()):
        line = flat[start:end]
        yield line if len(line) > 2 else np.tile(line, 2)


@lru_cache(maxsize=64)
def _disc(diameter: int) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
    """A disc as horizontal runs.

    Returns:
        For each length of a run, in ascending order: the length, the first row with such a run, and
        shifts. The rows of all such runs are the sums of the first row and a subset of the shifts.
    """
    middle = (diameter - 1) / 2
    runs: dict[int, list[int]] = {}
    for row in range(diameter):
        # With a radius 0.1 cells shorter, the mean stroke width over all directions is within 5 %
        # of the pen's width (10 % for pens below 1.5 pixels).
        half = math.sqrt(max(0.0, (diameter / 2 - 0.1) ** 2 - (row - middle) ** 2))
        runs.setdefault(math.floor(middle + half) - math.ceil(middle - half) + 1, []).append(row)
    return tuple((length, runs[length][0], _shifts(runs[length])) for length in sorted(runs))


def _shifts(rows: list[int]) -> tuple[int, ...]:
    """Shifts whose sums are the rows, of one block or of two equal blocks, less the first row."""
    shifts = []
    while len(rows) > 1:
        half = (len(rows) + 1) // 2
        shifts.append(rows[-half] - rows[0])
        rows = rows[:half]
    return tuple(shifts)
