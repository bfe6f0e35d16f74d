"""Opens an image from outside; the only place in the package that does.

The format is determined by content, from a list of raster formats (`formats`). Bytes, pixels and
frames are limited; large images are downscaled, JPEG and JPEG 2000 already while they are decoded.
Pillow's decoders raise any kind of exception on damaged files, from `ZeroDivisionError` to
`MemoryError`: every exception becomes a one-line error.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, JpegImagePlugin, UnidentifiedImageError

from im2tex.errors import Im2TexError
from im2tex.ink.images.conversion import image_from_array, shrink_to
from im2tex.ink.images.files import check_size, read_file_bytes, read_stream_bytes
from im2tex.ink.images.formats import readable_formats, unreadable_advice

WORKING_PIXELS = 12_600_000
"""Pixels to which an image is downscaled; a photograph of 12 megapixels is not changed."""

_MAX_PIXELS = 90_000_000  # of an image that is decoded completely: 4 bytes each
_MAX_JPEG_PIXELS = 300_000_000  # of an image that is downscaled while it is decoded
_MAX_PROGRESSIVE_PIXELS = 130_000_000  # of a JPEG whose coefficients are all in memory
_MAX_SCANNED = 1_500_000_000  # pixels x scans of a progressive JPEG, which has about ten scans
_ORIENTATION = ExifTags.Base.Orientation
_MAX_REASON = 160  # characters of a decoder's message


class OpenedImage(NamedTuple):
    """An image in memory.

    Attributes:
        image: upright, of any mode, with at most `WORKING_PIXELS` pixels.
        notes: messages to the user, such as skipped frames.
    """

    image: Image.Image
    notes: tuple[str, ...] = ()


def open_image(source: Any) -> OpenedImage:
    """Opens an image.

    Args:
        source: a path (str or path-like), the encoded bytes, an open binary file, a PIL image, or
            an array (H, W) or (H, W, C) with C from 1 to 4.

    Raises:
        Im2TexError: if it cannot be read; one line, which names the file if there is one.
    """
    if isinstance(source, str | os.PathLike):
        data = read_file_bytes(source)
        try:
            return _decode(data)
        except Im2TexError as error:
            raise Im2TexError(f"{os.fspath(source)}: {error}") from None
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source))
    if callable(getattr(source, "read", None)):
        return _decode(read_stream_bytes(source))
    if isinstance(source, np.ndarray):
        with _one_line_errors():
            return OpenedImage(shrink_to(image_from_array(source), WORKING_PIXELS))
    if not isinstance(source, Image.Image):
        raise Im2TexError(
            f"a {type(source).__name__} is no image: give a path, bytes, a binary file, a PIL "
            "image or a numpy array."
        )
    if isinstance(source, ImageFile.ImageFile) and source.format not in readable_formats():
        raise Im2TexError(
            f"the format {source.format} is not read: convert the image to PNG or JPEG first."
        )
    with _one_line_errors():
        return OpenedImage(shrink_to(ImageOps.exif_transpose(source), WORKING_PIXELS))


def _decode(data: bytes) -> OpenedImage:
    """The first frame of an encoded image."""
    check_size(data)
    with _one_line_errors(" Copy or save it again."), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of unusual metadata and of large images
        try:
            return _first_frame(data)
        except UnidentifiedImageError:
            advice = unreadable_advice(data)
            raise Im2TexError(f"the image cannot be read: {advice}") from None
        except Image.DecompressionBombError:
            raise Im2TexError(
                f"the image is too large: more than {_MAX_PIXELS} pixels. "
                "Crop or shrink it to one formula."
            ) from None


@contextmanager
def _one_line_errors(advice: str = "") -> Iterator[None]:
    """Converts every exception of a decoder to an `Im2TexError`."""
    try:
        yield
    except Im2TexError:
        raise
    except MemoryError:
        raise Im2TexError(
            "the image cannot be read: there is not enough memory. Crop or shrink it."
        ) from None
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        if not reason or len(reason) > _MAX_REASON or "object at 0x" in reason:
            reason = f"it is damaged ({type(error).__name__})"
        elif not isinstance(error, OSError | ValueError):
            reason = f"it is damaged ({type(error).__name__}: {reason})"
        raise Im2TexError(f"the image cannot be read: {reason}.{advice}") from None


def _first_frame(data: bytes) -> OpenedImage:
    if data.startswith(b"\xff\xd8\xff"):
        # `Image.open` refuses photographs of 200 megapixels before they can be downscaled, and
        # reads the index of a stereo photograph.
        opened: ImageFile.ImageFile = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    else:
        opened = Image.open(io.BytesIO(data), formats=readable_formats())
    with opened:
        factor = _check_pixels(opened, data)
        if factor > 1:
            _decode_smaller(opened, factor)
        opened.load()
        image = _upright(opened, shrink_to(opened, WORKING_PIXELS))
        if image is opened:
            image = opened.copy()
        notes = ("it has several frames or pages: only the first is read.",)
        return OpenedImage(image, notes if _has_second_frame(opened) else ())


def _check_pixels(opened: Image.Image, data: bytes) -> int:
    """The factor by which each side may be divided while decoding, to `WORKING_PIXELS`.

    Raises:
        Im2TexError: if there are too many pixels.
    """
    width, height = opened.size
    limit = _MAX_PIXELS
    if opened.format == "JPEG":
        progressive = bool(opened.info.get("progressive"))
        limit = _MAX_PROGRESSIVE_PIXELS if progressive else _MAX_JPEG_PIXELS
        if progressive and data.count(b"\xff\xda") * width * height > _MAX_SCANNED:
            raise Im2TexError(
                "this progressive JPEG would take too long to decode: crop it to one formula, or "
                "save it again."
            )
    elif Image.MAX_IMAGE_PIXELS is not None:
        limit = min(limit, Image.MAX_IMAGE_PIXELS)
    if width * height > limit:
        raise Im2TexError(
            f"the image is too large: {width} x {height} pixels, at most {limit} are read. "
            "Crop or shrink it to one formula."
        )
    return math.isqrt(width * height // WORKING_PIXELS) + 1


def _decode_smaller(opened: ImageFile.ImageFile, factor: int) -> None:
    """Lets the decoder divide each side by a power of two of at most `factor`."""
    if opened.format == "JPEG":
        width, height = opened.size
        opened.draft(opened.mode, (max(1, width // factor), max(1, height // factor)))
    elif opened.format == "JPEG2000":
        opened.reduce = factor.bit_length() - 1  # type: ignore[method-assign, assignment]


def _upright(opened: Image.Image, image: Image.Image) -> Image.Image:
    """Applies the EXIF orientation of the opened file; damaged metadata is ignored."""
    try:
        image.getexif()[_ORIENTATION] = opened.getexif().get(_ORIENTATION, 1)
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _has_second_frame(opened: Image.Image) -> bool:
    try:
        opened.seek(1)
    except Exception:
        return False
    return True
