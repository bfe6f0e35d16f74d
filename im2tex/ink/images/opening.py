"""Opens a picture from outside; the only place of the package that does.

By content and from a list of raster formats (`formats`); with limits on bytes, pixels and frames;
large pictures are made smaller, JPEG and JPEG 2000 already while they are decoded. Pillow's
decoders raise anything on hostile files, from `ZeroDivisionError` to `MemoryError`: every
exception becomes one line.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps, JpegImagePlugin, UnidentifiedImageError

from im2tex.errors import Im2TexError
from im2tex.ink.images.arrays import image_from_array
from im2tex.ink.images.files import check_size, read_file_bytes, read_stream_bytes
from im2tex.ink.images.formats import readable_formats, unreadable_advice
from im2tex.ink.images.shrinking import shrink_to

WORKING_PIXELS = 12_600_000
"""Pixels that a picture is made smaller to; a photograph of 12 megapixels is left as it is."""

_MOST_PIXELS = 90_000_000  # of a picture that is decoded as a whole: 4 bytes each
_MOST_JPEG_PIXELS = 300_000_000  # of one that is made smaller while it is decoded
_MOST_PROGRESSIVE = 130_000_000  # of a JPEG whose coefficients are all kept in memory
_SCANNED = 1_500_000_000  # pixels by scans of a progressive JPEG, which has about ten
_LONGEST_REASON = 160  # characters of a decoder's own message

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to what brings the picture upright."""


class OpenedImage(NamedTuple):
    """A picture in memory.

    Attributes:
        image: upright, of any mode, at most `WORKING_PIXELS` large.
        notes: what a person should know about it, such as frames that are left out.
    """

    image: Image.Image
    notes: tuple[str, ...] = ()


def open_image(source: Any) -> OpenedImage:
    """Opens a picture.

    Args:
        source: a path (str or path-like), the encoded bytes, an open binary file, a PIL image, or
            an array (H, W) or (H, W, C) with C from 1 to 4.

    Raises:
        Im2TexError: if it cannot be read, in one line, which names the file where there is one.
    """
    if isinstance(source, str | os.PathLike):
        data = read_file_bytes(source)
        try:
            return _decoded(data)
        except Im2TexError as error:
            raise Im2TexError(f"{os.fspath(source)}: {error}") from None
    if isinstance(source, bytes | bytearray | memoryview):
        return _decoded(bytes(source))
    if isinstance(source, np.ndarray):
        return OpenedImage(_from_array(source))
    if isinstance(source, Image.Image):
        return OpenedImage(_from_image(source))
    if callable(getattr(source, "read", None)):
        return _decoded(read_stream_bytes(source))
    raise Im2TexError(
        f"a {type(source).__name__} is no picture: give a path, bytes, a binary file, a PIL image "
        "or a numpy array."
    )


def _decoded(data: bytes) -> OpenedImage:
    """The first frame of an encoded picture."""
    check_size(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata and of large pictures
            return _first_frame(data)
    except Im2TexError:
        raise
    except UnidentifiedImageError:
        raise Im2TexError(
            f"this is no picture that can be read: {unreadable_advice(data)}"
        ) from None
    except Image.DecompressionBombError:
        raise Im2TexError(
            f"the picture is too large: more than {_MOST_PIXELS} pixels. "
            "Crop or shrink it to one formula."
        ) from None
    except MemoryError as error:
        raise Im2TexError(f"this is no picture that can be read: {_reason(error)}") from None
    except Exception as error:
        raise Im2TexError(
            f"this is no picture that can be read: {_reason(error)} Copy or save it again."
        ) from None


def _first_frame(data: bytes) -> OpenedImage:
    if data.startswith(b"\xff\xd8\xff"):
        # Not `Image.open`, which refuses photographs of 200 megapixels before they can be made
        # smaller, and reads the index of a stereo photograph.
        opened: ImageFile.ImageFile = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    else:
        opened = Image.open(io.BytesIO(data), formats=readable_formats())
    with opened:
        factor = _check_size(opened, data)
        turn = _turn(opened)
        if factor > 1:
            _decode_smaller(opened, factor)
        opened.load()
        image = shrink_to(opened, WORKING_PIXELS)
        if image is opened:
            image = opened.copy()
        if turn is not None:
            image = image.transpose(turn)
        notes = ("it has several frames or pages: only the first is read.",)
        return OpenedImage(image, notes if _has_second_frame(opened) else ())


def _check_size(opened: Image.Image, data: bytes) -> int:
    """How many times smaller each side may be made while decoding, to `WORKING_PIXELS`.

    Raises:
        Im2TexError: if there are too many pixels.
    """
    width, height = opened.size
    most = _MOST_PIXELS
    if opened.format == "JPEG":
        progressive = bool(opened.info.get("progressive"))
        most = _MOST_PROGRESSIVE if progressive else _MOST_JPEG_PIXELS
        if progressive and data.count(b"\xff\xda") * width * height > _SCANNED:
            raise Im2TexError(
                "this progressive JPEG would take too long to decode: crop it to one formula, or "
                "save it anew."
            )
    elif Image.MAX_IMAGE_PIXELS is not None:
        most = min(most, Image.MAX_IMAGE_PIXELS)
    if width * height > most:
        raise Im2TexError(
            f"the picture is too large: {width} x {height} pixels, at most {most} are read. "
            "Crop or shrink it to one formula."
        )
    return math.isqrt(width * height // WORKING_PIXELS) + 1


def _decode_smaller(opened: ImageFile.ImageFile, factor: int) -> None:
    """Asks the decoder to leave out detail, by a power of two of at most `factor`."""
    if opened.format == "JPEG":
        width, height = opened.size
        opened.draft(opened.mode, (max(1, width // factor), max(1, height // factor)))
    elif opened.format == "JPEG2000":
        opened.reduce = factor.bit_length() - 1  # type: ignore[method-assign, assignment]


def _turn(opened: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(opened.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return None


def _has_second_frame(opened: Image.Image) -> bool:
    try:
        opened.seek(1)
    except Exception:
        return False
    return True


def _from_image(source: Image.Image) -> Image.Image:
    if isinstance(source, ImageFile.ImageFile) and source.format not in readable_formats():
        raise Im2TexError(
            f"the format {source.format} is not read: convert the picture to PNG or JPEG first."
        )
    try:
        return shrink_to(ImageOps.exif_transpose(source), WORKING_PIXELS)
    except Exception as error:
        raise Im2TexError(f"this is no picture that can be read: {_reason(error)}") from None


def _from_array(source: NDArray[Any]) -> Image.Image:
    try:
        return shrink_to(image_from_array(source), WORKING_PIXELS)
    except (ArithmeticError, MemoryError, TypeError, ValueError) as error:
        raise Im2TexError(f"this is no picture that can be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """A decoder's message in one short line, or what it is called if it says nothing."""
    if isinstance(error, MemoryError):
        return "it needs more memory than there is. Crop or shrink it."
    text = " ".join(str(error).split())
    if not text or len(text) > _LONGEST_REASON or "object at 0x" in text:
        text = f"it is damaged ({type(error).__name__})"
    elif not isinstance(error, OSError | ValueError):
        text = f"it is damaged ({type(error).__name__}: {text})"
    return text.rstrip(".") + "."
