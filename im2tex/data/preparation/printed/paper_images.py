"""Image preprocessing of the paper's data set: crop, pad, downsample.

Section 4 of Deng et al. 2017 and the released preprocessing: a page rendered at 200 dpi is cropped
to its ink, padded by 8 blank pixels on every side, and downsampled by a factor of 2.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from im2tex.errors import Im2TexError
from im2tex.ink.images.opening import open_image
from im2tex.render.rendering import RenderError, crop_to_ink

DPI = 200
"""Pixels per inch of the rendering, before downsampling."""

_PADDING = 8
_FACTOR = 2


class EncodedImage(NamedTuple):
    """An encoded image and its size.

    Attributes:
        png: 8-bit grey PNG, dark ink on light paper.
        height: height in pixels.
        width: width in pixels.
    """

    png: bytes
    height: int
    width: int


def pad_and_downsample(pixels: NDArray[np.uint8]) -> EncodedImage:
    """Pads an image and halves its size.

    Args:
        pixels: (H, W), cropped to the ink; paper is 255.
    """
    page = Image.fromarray(np.pad(pixels, _PADDING, constant_values=255))
    size = page.width // _FACTOR, page.height // _FACTOR
    return _encode(page.resize(size, Image.Resampling.LANCZOS))


def image_from_file(data: bytes, page_height: int = 1500) -> EncodedImage:
    """Returns an image of a data set; a whole page is cropped, padded and downsampled.

    Args:
        data: content of the image file.
        page_height: images of this height in pixels and above are treated as pages. The released
            pages are 2339 pixels high, the largest downsampled formula about half of that.

    Raises:
        Im2TexError: if the image cannot be decoded or is blank.
    """
    grey = _to_grey(open_image(data).image)
    if grey.height < page_height:
        return _encode(grey)
    try:
        return pad_and_downsample(crop_to_ink(np.asarray(grey)))
    except RenderError:
        raise Im2TexError("a blank page") from None


def _to_grey(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("L")


def _encode(image: Image.Image) -> EncodedImage:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=6)
    return EncodedImage(out.getvalue(), image.height, image.width)
