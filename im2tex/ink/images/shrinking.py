"""Makes a large picture smaller, a strip at a time, so that memory for it is needed only once."""

from __future__ import annotations

import math

from PIL import Image

_STRIP = 4_000_000  # pixels of a strip


def shrink_to(picture: Image.Image, most: int) -> Image.Image:
    """The picture, or where it is too large the means of blocks of it.

    Args:
        picture: of any mode.
        most: pixels.

    Returns:
        The same picture where it has at most so many pixels; otherwise one of mode L, RGB, RGBA,
        CMYK, I or F, each side divided by the least whole number that will do.
    """
    width, height = picture.size
    factor = math.isqrt(max(0, width * height - 1) // most) + 1
    if factor == 1:
        return picture
    rows = factor * max(1, _STRIP // (factor * width))
    whole: Image.Image | None = None
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = _blocks(picture.crop((0, top, width, bottom)), factor)
        if whole is None:
            whole = Image.new(strip.mode, (strip.width, -(-height // factor)))
        whole.paste(strip, (0, top // factor))
    assert whole is not None
    return whole


def _blocks(strip: Image.Image, factor: int) -> Image.Image:
    if strip.mode.startswith("I;16"):
        strip = strip.convert("I")
    elif strip.has_transparency_data:
        strip = strip.convert("RGBA").convert("RGBa")  # colours count by their opacity
        return strip.reduce(factor).convert("RGBA")
    elif strip.mode == "1":
        strip = strip.convert("L")
    elif strip.mode not in ("L", "RGB", "CMYK", "I", "F"):
        strip = strip.convert("RGB")
    return strip.reduce(factor)
