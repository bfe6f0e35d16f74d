"""PIL images of arrays of any number type, and smaller images of large ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_STRIP = 4_000_000  # pixels of a strip


def image_from_array(array: NDArray[Any]) -> Image.Image:
    """Converts an array to an image.

    Args:
        array: (H, W) or (H, W, C): grey, grey and opacity, colour, colour and opacity. Booleans,
            integers and floats. Colours of other types than uint8 are divided by 1 if they are
            floats of at most 1, else by the maximum of 255 and the largest value.

    Returns:
        An image of mode F for grey values of another type than uint8, uint16 and boolean.
        Values that are not finite are replaced by the median of the others.

    Raises:
        ValueError: for another shape or type.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] > 4):
        raise ValueError(f"an array of shape {array.shape} is no image: (H, W) or (H, W, 1 to 4)")
    if array.dtype.kind not in "buif":
        raise ValueError(f"an array of {array.dtype} is no image: integers or floats")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if array.ndim == 2 and array.dtype == np.uint16:
        return Image.fromarray(np.ascontiguousarray(array.astype(np.uint16)))
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        values[~finite] = np.median(values[finite]) if finite.any() else 0
    if array.ndim == 2:
        return Image.fromarray(values)
    highest = float(values.max(initial=0))
    full = 1.0 if array.dtype.kind == "f" and highest <= 1 else max(highest, 255.0)
    return Image.fromarray((values * (255 / full)).clip(0, 255).astype(np.uint8))


def shrink_to(image: Image.Image, max_pixels: int) -> Image.Image:
    """The image, or the means of its blocks if it is too large.

    It is downscaled strip by strip, so that memory is needed only once.

    Args:
        image: of any mode.
        max_pixels: largest number of pixels.

    Returns:
        The same image if it has at most `max_pixels` pixels; otherwise an image of mode L, RGB,
        RGBA, CMYK, I or F, each side divided by the smallest sufficient integer.
    """
    width, height = image.size
    factor = math.isqrt(max(0, width * height - 1) // max_pixels) + 1
    if factor == 1:
        return image
    rows = factor * max(1, _STRIP // (factor * width))
    result: Image.Image | None = None
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        strip = _block_means(strip, factor)
        if result is None:
            result = Image.new(strip.mode, (strip.width, -(-height // factor)))
        result.paste(strip, (0, top // factor))
    assert result is not None
    return result


def _block_means(strip: Image.Image, factor: int) -> Image.Image:
    if strip.mode.startswith("I;16"):
        strip = strip.convert("I")
    elif strip.has_transparency_data:
        # Premultiplied, so that colours are weighted by their opacity.
        return strip.convert("RGBA").convert("RGBa").reduce(factor).convert("RGBA")
    elif strip.mode == "1":
        strip = strip.convert("L")
    elif strip.mode not in ("L", "RGB", "CMYK", "I", "F"):
        strip = strip.convert("RGB")
    return strip.reduce(factor)
