"""A picture's hair lines redrawn with the pen of strokes.

Somebody's picture has lines of any width. A model of handwriting knows the pen of its training, and
a hair of a fine pen, made smaller along with the symbols, comes out so pale that nothing is read.
Such lines are reduced to their middle, at a scale that is right for the symbols, and drawn again.
Lines of about the pen's width and fat ones are left alone: what is grey between them would be lost.
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

_HAIR = 0.9  # of the pen: lines that would come out thinner are redrawn


class Skeleton(NamedTuple):
    """The middle of a picture's lines.

    Attributes:
        cells: (h, w), on a grid `SUPERSAMPLING` times as fine as the drawing, cropped to the lines.
        corner: where the grid's left top corner lies in the picture, (x, y) in its pixels.
    """

    cells: NDArray[np.bool_]
    corner: tuple[float, float]


def thin_line_skeleton(
    picture: NDArray[np.uint8], scale: float, thickness: float
) -> Skeleton | None:
    """The middle of a picture's lines where they are too thin for a model, for `draw_skeleton`.

    Args:
        picture: (H, W), 0 = paper … 255 = ink.
        scale: pixels of the drawing for each of the picture.
        thickness: diameter of the pen that strokes are drawn with, pixels of the drawing.

    Returns:
        The middle, without specks; None where the lines are not too thin.
    """
    finer = scale * SUPERSAMPLING
    if finer < 1:  # or a line much narrower than a cell would be lost
        many = math.floor(1 / finer)
        picture = _largest(255 * ink_mask(picture).astype(np.uint8), many)
        finer *= many
    shape = tuple(max(1, round(n * finer)) for n in picture.shape)
    how = Image.Resampling.BOX if finer < 1 else Image.Resampling.BICUBIC
    resized = Image.fromarray(picture).resize((shape[1], shape[0]), how)
    parts = ConnectedComponents.of(ink_mask(np.asarray(resized))).without_specks()
    if parts.pen >= _HAIR * thickness * SUPERSAMPLING:
        return None
    cells = thin(parts.ink)
    rows, columns = (np.flatnonzero(cells.any(axis)) for axis in (1, 0))
    corner = (float(columns[0]) / (scale * SUPERSAMPLING), float(rows[0]) / (scale * SUPERSAMPLING))
    return Skeleton(cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], corner)


def _largest(picture: NDArray[np.uint8], many: int) -> NDArray[np.uint8]:
    """The largest value of every block of `many` by `many`."""
    down, right = (-n % many for n in picture.shape)
    blocks = np.pad(picture, ((0, down), (0, right)))
    height, width = blocks.shape
    blocks = blocks.reshape(height // many, many, width // many, many)
    found: NDArray[np.uint8] = blocks.max((1, 3))
    return found
