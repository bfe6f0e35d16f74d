"""Thin lines of an image, to be redrawn with the pen of strokes.

Lines of an image have any width. A model of handwriting knows the pen of its training, and a thin
line that is downscaled along with the symbols becomes too pale. Such lines are reduced to their
skeleton, at the scale of the symbols, and redrawn. Lines of about the pen's width and wider ones
are not changed, since their grey levels would be lost.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from im2tex.ink.images.components import ConnectedComponents, ink_mask
from im2tex.ink.images.thinning import thin
from im2tex.ink.rasterize import SUPERSAMPLING

_MAX_WIDTH = 0.9  # of the pen: wider lines are not redrawn


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
