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
from scipy import ndimage

from im2tex.ink.raster import FINE
from im2tex.ink.scale import pen_width, symbol_size
from im2tex.ink.thinning import thin

_INK = 0.35  # of the darkest: a line of one pixel between two rows of pixels has half of it in each
_HAIR = 0.7  # of the pen: lines that would come out thinner are redrawn
_SPECK = 0.3  # of a pen's width squared: smaller parts are dirt
_EIGHT = np.ones((3, 3), dtype=bool)


class Middle(NamedTuple):
    """The middle of a picture's lines.

    Attributes:
        cells: (h, w), on a grid `FINE` times as fine as the drawing, cropped to the lines.
        corner: where the grid's left top corner lies in the picture, (x, y) in its pixels.
    """

    cells: NDArray[np.bool_]
    corner: tuple[float, float]


def hair_scale(picture: NDArray[np.uint8], symbol: float, thickness: float) -> float | None:
    """The scale of a picture whose lines are too thin for a model; None where they are not.

    Args:
        picture: (H, W), 0 = paper … 255 = ink.
        symbol: size that a characteristic symbol is to have, pixels.
        thickness: diameter of the pen that strokes are drawn with, pixels.

    Returns:
        Pixels for each of the picture, so that symbols have the size asked for.
    """
    ink = _clean(_inked(picture))
    scale = symbol / symbol_size(255 * ink.astype(np.uint8))
    return scale if pen_width(np.pad(ink, 1)) * scale < _HAIR * thickness else None


def middle_of_lines(picture: NDArray[np.uint8], scale: float) -> Middle:
    """The middle of a picture's lines, for `raster.draw_middle`; specks are left out.

    Args:
        picture: (H, W), 0 = paper … 255 = ink.
        scale: pixels of the drawing for each of the picture.
    """
    finer = scale * FINE
    if finer < 1:  # or a line much narrower than a cell would be lost
        many = math.floor(1 / finer)
        picture = _largest(255 * _inked(picture).astype(np.uint8), many)
        finer *= many
    shape = tuple(max(1, round(n * finer)) for n in picture.shape)
    how = Image.Resampling.BOX if finer < 1 else Image.Resampling.BICUBIC
    resized = Image.fromarray(picture).resize((shape[1], shape[0]), how)
    cells = thin(_clean(_inked(np.asarray(resized))))
    rows, columns = (np.flatnonzero(cells.any(axis)) for axis in (1, 0))
    corner = (float(columns[0]) / (scale * FINE), float(rows[0]) / (scale * FINE))
    return Middle(cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], corner)


def _inked(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return picture > _INK * 255


def _largest(picture: NDArray[np.uint8], many: int) -> NDArray[np.uint8]:
    """The largest value of every block of `many` by `many`."""
    down, right = (-n % many for n in picture.shape)
    blocks = np.pad(picture, ((0, down), (0, right)))
    height, width = blocks.shape
    blocks = blocks.reshape(height // many, many, width // many, many)
    found: NDArray[np.uint8] = blocks.max((1, 3))
    return found


def _clean(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without specks."""
    ink = np.pad(ink, 1)
    labels, count = ndimage.label(ink, _EIGHT)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    kept = areas >= min(_SPECK * pen_width(ink) ** 2, areas[1:].max())
    kept[0] = False
    found: NDArray[np.bool_] = kept[labels][1:-1, 1:-1]
    return found
