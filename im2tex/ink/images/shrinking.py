"""`shrink_to`: downscales a large image strip by strip, so that memory is needed only once."""

from __future__ import annotations

import math

from PIL import Image

_STRIP = 4_000_000  # pixels of a strip


def shrink_to(image: Image.Image, max_pixels: int) -> Image.Image:
    """The image, or the means of its blocks if it is too large.

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
