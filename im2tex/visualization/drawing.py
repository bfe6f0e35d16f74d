"""Text and images drawn with Pillow and its own font, so that they are equal on every machine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageFont

from im2tex.render.rendering import GrayImage

Color = tuple[int, int, int]

BLACK, GRAY, LIGHT_GRAY = (20, 20, 20), (120, 120, 120), (215, 215, 215)


@cache
def font(size: int) -> Any:
    """Returns Pillow's font at a size in pixels."""
    # Typed as Any: without FreeType, which its wheels always have, Pillow's font has no getlength.
    return ImageFont.load_default(size=size)


def printable(text: str) -> str:
    """Replaces the characters that the font lacks by their codes."""
    return "".join(c if " " <= c <= "~" else f"\\u{ord(c):04x}" for c in text)


def shorten(text: str, width: int, size: int) -> str:
    """Cuts text so that it fits into a width, in pixels, at a font size."""
    if font(size).getlength(text) <= width:
        return text
    text = text[: max(1, width)]  # no letter is narrower than a pixel
    while text and font(size).getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def stack(images: Iterable[Image.Image]) -> Image.Image:
    """Joins images of equal width and mode, one below the other."""
    return Image.fromarray(np.vstack([np.asarray(image) for image in images]))


def fit_image(image: GrayImage, box: tuple[int, int], max_scale: float) -> Image.Image:
    """Scales an image into a box, black on white.

    Args:
        image: (H, W) uint8, ink 255 on 0.
        box: width and height, pixels.
        max_scale: by which a small image is enlarged at most.

    Raises:
        ValueError: for an image of another type or shape.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected an image of uint8 (H, W), got {image.dtype} {image.shape}.")
    height, width = image.shape
    scale = min(box[0] / width, box[1] / height, max_scale)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Image.fromarray(255 - image).resize(size, Image.Resampling.LANCZOS)
