"""Thin lines of an image, to be redrawn with the pen of strokes.

Lines of an image have any width. A model of handwriting knows the pen of its training, and a thin
line that is downscaled along with the symbols becomes too pale. Such lines are reduced to their
skeleton, at the scale of the symbols, and redrawn. Lines of about the pen's width and wider ones
are not changed, since their grey levels would be lost.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from im2tex.ink.images.components import ConnectedComponents, ink_mask
from im2tex.ink.rasterize import SUPERSAMPLING

_MAX_WIDTH = 0.9  # of the pen: wider lines are not redrawn
_NEIGHBOURS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""(row, column) of a pixel's neighbours, clockwise from above: bits 0 to 7 of its code."""


class Skeleton(NamedTuple):
    """The skeleton of an image's lines.

    Attributes:
        cells: (h, w), on a grid with `SUPERSAMPLING` cells per pixel of the drawing, cropped to
            the lines.
        corner: top left corner of the grid in the image, (x, y) in its pixels.
    """

    cells: NDArray[np.bool_]
    corner: tuple[float, float]


def thin_line_skeleton(image: NDArray[np.uint8], scale: float, pen: float) -> Skeleton | None:
    """The skeleton of an image whose lines are too thin for a model, for `draw_skeleton`.

    Args:
        image: (H, W), 0 = paper … 255 = ink.
        scale: pixels of the drawing per pixel of the image.
        pen: diameter of the pen of strokes, pixels of the drawing.

    Returns:
        The skeleton without specks; None if the lines are not too thin.
    """
    grid_scale = scale * SUPERSAMPLING
    if grid_scale < 1:  # keeps lines that are much narrower than a cell
        block = math.floor(1 / grid_scale)
        image = _block_maxima(255 * ink_mask(image).astype(np.uint8), block)
        grid_scale *= block
    height, width = (max(1, round(n * grid_scale)) for n in image.shape)
    how = Image.Resampling.BOX if grid_scale < 1 else Image.Resampling.BICUBIC
    resized = Image.fromarray(image).resize((width, height), how)
    components = ConnectedComponents.of(ink_mask(np.asarray(resized))).without_specks()
    if components.stroke_width >= _MAX_WIDTH * pen * SUPERSAMPLING:
        return None
    cells = thin(components.ink)
    rows, columns = (np.flatnonzero(cells.any(axis)) for axis in (1, 0))
    grid = scale * SUPERSAMPLING
    corner = (float(columns[0]) / grid, float(rows[0]) / grid)
    return Skeleton(cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], corner)


def _block_maxima(image: NDArray[np.uint8], block: int) -> NDArray[np.uint8]:
    """The maxima of blocks of `block` x `block` pixels."""
    for axis, length in enumerate(image.shape):
        image = np.maximum.reduceat(image, np.arange(0, length, block), axis=axis)
    return image


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The skeleton of lines.

    Guo and Hall, *Parallel Thinning with Two-Subiteration Algorithms* (CACM 1989), first
    algorithm: connectivity and line ends are preserved, and the skeleton is one pixel wide except
    at a few corners. Only ink pixels on an edge are processed, so the time depends on the ink, not
    on the paper.

    Args:
        ink: (H, W).

    Returns:
        (H, W), true on the skeleton: a subset of the ink, with at least one pixel of every
        connected component (8 neighbours).
    """
    pixels = np.pad(ink, 1)
    flat = pixels.ravel()
    columns = pixels.shape[1]
    steps = [row * columns + column for row, column in _NEIGHBOURS]
    candidates = np.flatnonzero(flat)  # pixels whose neighbours have changed
    while len(candidates):
        removed = []
        for removable in _removable_patterns():
            code = np.zeros(len(candidates), dtype=np.uint8)
            for bit, step in enumerate(steps):
                code |= flat[candidates + step].astype(np.uint8) << np.uint8(bit)
            now = removable[code]
            flat[candidates[now]] = False
            removed.append(candidates[now])
            candidates = candidates[~now]
        changed = np.concatenate(removed)
        near = np.unique((changed[:, None] + np.array(steps)).ravel())
        candidates = near[flat[near]]
    return pixels[1:-1, 1:-1]


@cache
def _removable_patterns() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """By the code of its neighbours, whether a pixel is removed, in each subiteration.

    Guo and Hall: its neighbours are one connected part (C = 1), it is neither a line end nor
    inside (N is 2 or 3), and it is on the side that the subiteration removes.
    """
    tables = np.zeros((2, 256), dtype=bool)
    for code in range(256):
        p2, p3, p4, p5, p6, p7, p8, p9 = (bool(code >> bit & 1) for bit in range(8))
        parts = (
            (not p2 and (p3 or p4))
            + (not p4 and (p5 or p6))
            + (not p6 and (p7 or p8))
            + (not p8 and (p9 or p2))
        )
        pairs = (
            (p9 or p2) + (p3 or p4) + (p5 or p6) + (p7 or p8),
            (p2 or p3) + (p4 or p5) + (p6 or p7) + (p8 or p9),
        )
        on_edge = parts == 1 and 2 <= min(pairs) <= 3
        tables[0, code] = on_edge and not ((p2 or p3 or not p5) and p4)
        tables[1, code] = on_edge and not ((p6 or p7 or not p9) and p8)
    return tables[0], tables[1]
