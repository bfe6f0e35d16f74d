"""`correct_illumination`: removes shadows from a photographed sheet.

The local level of the paper is estimated by a closing (maximum, then minimum) with a window wider
than any line, so that narrow dark parts are ink and wide ones are shadow. The image is divided by
the estimate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from im2tex.ink.images.components import stroke_width

_MAP_SIDE = 192  # cells of the estimate along the longer side
_WINDOW = 1 / 3  # of the longer side: ink is narrower, and shadows are wider
_NARROW_WINDOW = 5  # stroke widths
_BLOCK = 12  # cells, in which paper and ink are compared
_MIN_VARIATION = 0.1  # of the lightest paper: below, the light is even
_MIN_CONTRAST = 24  # grey levels of 255, in a block with ink
_INK_FRACTION = (0.0002, 0.5)  # of the pixels of a formula


def correct_illumination(grey: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The image under even light, with dark ink on light paper; None if its light is even.

    Args:
        grey: (H, W).
    """
    # Polarity is determined in blocks: in the whole image, a shadow may cover more than half.
    if _is_light_on_dark(grey):
        grey = 255 - grey
    longest = max(grey.shape)
    paper = _paper_level(grey, _WINDOW * longest)
    lightest = float(paper.max())
    if lightest - float(paper.min()) < _MIN_VARIATION * lightest:
        return None
    ink = _divide(grey, paper) < 128
    if not _INK_FRACTION[0] < float(ink.mean()) < _INK_FRACTION[1]:
        return None
    # The stroke width is known now. A narrow window gives a better estimate near dark corners.
    window = min(_NARROW_WINDOW * stroke_width(np.pad(ink, 1)), _WINDOW * longest)
    return _divide(grey, _paper_level(grey, window))


def _divide(grey: NDArray[np.uint8], paper: NDArray[np.float32]) -> NDArray[np.uint8]:
    quotient: NDArray[np.float32] = np.minimum(grey / np.maximum(paper, 1), 1)
    return (quotient * 255).astype(np.uint8)


def _paper_level(grey: NDArray[np.uint8], window: float) -> NDArray[np.float32]:
    """The local level of the paper, (H, W), by a window of that many pixels."""
    factor = -(-max(grey.shape) // _MAP_SIDE)
    means = np.asarray(Image.fromarray(grey).reduce(factor), np.float32)  # averages noise
    size = max(5, round(window / factor))
    closed = ndimage.grey_closing(means, (size, size), mode="nearest")
    smooth = Image.fromarray(ndimage.gaussian_filter(closed, 1))
    level: NDArray[np.float32] = np.asarray(
        smooth.resize(grey.shape[::-1], Image.Resampling.BILINEAR)
    )
    return level


def _is_light_on_dark(grey: NDArray[np.uint8]) -> bool:
    """Whether in blocks with ink the median is closer to the darkest level."""
    step = -(-max(grey.shape) // _MAP_SIDE)
    small = grey[::step, ::step]
    height, width = (max(_BLOCK, n - n % _BLOCK) for n in small.shape)
    down, right = (max(0, n - own) for n, own in zip((height, width), small.shape, strict=True))
    small = np.pad(small, ((0, down), (0, right)), mode="edge")[:height, :width]
    blocks = small.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    values = blocks.transpose(0, 2, 1, 3).reshape(-1, _BLOCK * _BLOCK).astype(np.float32)
    low, median, high = np.quantile(values, (0.02, 0.5, 0.98), axis=1)
    with_ink = high - low > _MIN_CONTRAST
    return bool((high + low - 2 * median)[with_ink].sum() > 0)
