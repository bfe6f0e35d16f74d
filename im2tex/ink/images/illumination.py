"""A photographed sheet under an even light.

The paper's level at a place is found by a closing, maximum before minimum, with a window wider than
any line: what is darker than the paper all around it is ink, what is dark further is shadow. The
picture divided by it is as if the light were the same everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from im2tex.ink.images.stroke_width import stroke_width

_SIDE = 192  # cells of the map along the longer side
_WINDOW = 1 / 3  # of the longer side: ink is no wider, and no shadow narrower
_BLOCK = 12  # cells: where the paper is told from the ink
_PENS = 5  # widths of a line: the window, once that is known
_UNEVEN = 0.1  # of the lightest paper: less is left as it is
_CONTRAST = 24  # grey levels of 255 in a block with ink
_LEAST = 0.0002  # share of the picture that is ink, or it is no picture of a formula


def correct_illumination(grey: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The picture under an even light, dark ink on light paper; None where the light is even.

    Args:
        grey: (H, W).
    """
    # Ink is what is rarer in the small: along a shadow's edge it may be anything at large.
    if _light_on_dark(grey):
        grey = 255 - grey
    paper = _paper(grey, _WINDOW * max(grey.shape))
    lightest = float(paper.max())
    if lightest - float(paper.min()) < _UNEVEN * lightest:
        return None
    ink = _divided(grey, paper) < 128
    if not _LEAST < float(ink.mean()) < 0.5:
        return None
    # Now that the lines' width is known, with a window as narrow as can be: towards a corner that
    # grows dark the wide one finds too light a paper.
    pen = stroke_width(np.pad(ink, 1))
    return _divided(grey, _paper(grey, min(_PENS * pen, _WINDOW * max(grey.shape))))


def _divided(grey: NDArray[np.uint8], paper: NDArray[np.float32]) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = (np.minimum(grey / np.maximum(paper, 1), 1) * 255).astype(np.uint8)
    return found


def _paper(grey: NDArray[np.uint8], wide: float) -> NDArray[np.float32]:
    """The paper's level everywhere, (H, W), by a window of so many pixels."""
    many = max(1, -(-max(grey.shape) // _SIDE))
    means = np.asarray(Image.fromarray(grey).reduce(many), np.float32)  # noise averages out
    window = max(5, round(wide / many))
    closed = ndimage.grey_closing(means, (window, window), mode="nearest")
    smooth = ndimage.gaussian_filter(closed, 1)
    full = Image.fromarray(smooth).resize(grey.shape[::-1], Image.Resampling.BILINEAR)
    found: NDArray[np.float32] = np.asarray(full)
    return found


def _light_on_dark(grey: NDArray[np.uint8]) -> bool:
    """Whether in blocks with ink in them the middle level is nearer to the darkest."""
    many = max(1, -(-max(grey.shape) // _SIDE))
    small = grey[::many, ::many]
    height, width = (max(_BLOCK, n - n % _BLOCK) for n in small.shape)
    down, right = (max(0, want - n) for want, n in zip((height, width), small.shape, strict=True))
    small = np.pad(small, ((0, down), (0, right)), mode="edge")[:height, :width]
    blocks = small.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    values = blocks.transpose(0, 2, 1, 3).reshape(-1, _BLOCK * _BLOCK).astype(np.float32)
    low, middle, high = np.quantile(values, (0.02, 0.5, 0.98), axis=1)
    inked = high - low > _CONTRAST
    return bool(((high - middle) - (middle - low))[inked].sum() > 0)
