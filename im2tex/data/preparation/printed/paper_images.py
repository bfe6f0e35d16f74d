"""A rendered formula as the paper's data set has it: cropped, padded, halved.

Section 4 of Deng et al. 2017 and the released preprocessing: a page at 200 dpi is cropped to its
ink, gets 8 blank pixels on every side, and is made half as large.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from im2tex.errors import Im2TexError
from im2tex.ink.images.opening import open_image

DPI = 200
"""Pixels an inch of the rendering, before it is halved."""

_PADDING = 8
_RATIO = 2


class EncodedImage(NamedTuple):
    """An encoded picture and its size.

    Attributes:
        png: 8-bit grey, dark on light.
        height: in pixels.
        width: in pixels.
    """

    png: bytes
    height: int
    width: int


def pad_and_downsample(pixels: NDArray[np.uint8]) -> EncodedImage:
    """Pads and halves.

    Args:
        pixels: (H, W), cropped to the ink, paper at 255.
    """
    sheet = Image.fromarray(np.pad(pixels, _PADDING, constant_values=255))
    size = sheet.width // _RATIO, sheet.height // _RATIO
    return _encoded(sheet.resize(size, Image.Resampling.LANCZOS))


def image_from_file(data: bytes, page_height: int = 1500) -> EncodedImage:
    """A picture of a data set: a whole page is cropped, padded and halved, any other is kept.

    Args:
        data: as the file has it.
        page_height: pixels from which a picture is taken for a page. The released pages are 2339
            high, the largest formula cut from one and halved about half of this.

    Raises:
        Im2TexError: if it cannot be decoded, or is blank.
    """
    grey = _grey(open_image(data).image)
    if grey.height < page_height:
        return _encoded(grey)
    pixels = np.asarray(grey)
    ink = pixels < 255
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not rows.size:
        raise Im2TexError("a blank page")
    return pad_and_downsample(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _grey(picture: Image.Image) -> Image.Image:
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("L")


def _encoded(picture: Image.Image) -> EncodedImage:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=6)
    return EncodedImage(out.getvalue(), picture.height, picture.width)
