"""The images that a user gives to a model: `ImageInput`, `prepare_image`, `prepare_images`.

Imports no torch, because worker processes import this module.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from im2tex.data.preprocessing import Preprocessing, RasterizedFormula
from im2tex.errors import Im2TexError
from im2tex.ink.images.files import read_file_bytes
from im2tex.ink.inkml import read_if_inkml
from im2tex.utils.processes import lazy_map


@runtime_checkable
class BinaryFile(Protocol):
    """An open binary file, such as `io.BytesIO`."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""
        ...


ImageInput = str | Path | bytes | bytearray | memoryview | BinaryFile | Image.Image | np.ndarray
"""A path of an image or InkML file, an encoded image as bytes or as an open binary file such as
`io.BytesIO`, a PIL image, or an array (H, W[, C])."""

_SINGLE = (str, Path, bytes, bytearray, memoryview, Image.Image, np.ndarray, BinaryFile)


def as_list(images: ImageInput | Sequence[ImageInput]) -> list[ImageInput]:
    """A single image as a list of one; a sequence of images as a list.

    Raises:
        Im2TexError: if it is neither.
    """
    if isinstance(images, _SINGLE):
        return [images]
    try:
        return list(images)
    except TypeError:
        raise Im2TexError(
            f"expected an image or a list of images, got a {type(images).__name__}."
        ) from None


def prepare_image(image: ImageInput, preprocessing: Preprocessing) -> RasterizedFormula:
    """The input of a model for an image, with notes for the user.

    InkML is recognised by its content.

    Raises:
        Im2TexError: if it cannot be opened or is blank; the message names it.
    """
    inkml = read_if_inkml(image)
    if inkml is not None:
        rasterized = preprocessing.rasterize(inkml.ink)
        return replace(rasterized, notes=(*inkml.notes, *rasterized.notes))
    if not isinstance(image, str | Path):
        return preprocessing.load_image(image, with_warnings=True)
    if Path(image).is_dir():
        raise Im2TexError(f"{image} is a folder: name its images, such as {Path(image) / '*.png'}.")
    data = read_file_bytes(image)
    try:
        return preprocessing.load_image(data, with_warnings=True)
    except Im2TexError as error:
        raise Im2TexError(f"{image}: {error}") from error


def prepare_images(
    images: Iterable[ImageInput], preprocessing: Preprocessing, num_workers: int = 0
) -> Iterator[RasterizedFormula | Im2TexError]:
    """Yields the input of a model for each image, or the error of an image that has none.

    Example:
        >>> for prepared in prepare_images(paths, recognizer.preprocessing, num_workers=2):
        ...     print(prepared if isinstance(prepared, Im2TexError) else prepared.image.shape)

    Args:
        images: read lazily, a few images ahead for each worker.
        preprocessing: of the model.
        num_workers: number of worker processes; 0 uses this process. PIL images and open files are
            always prepared in this process.

    Raises:
        Im2TexError: if a worker process is killed.
    """
    inputs = map(partial(_sendable, preprocessing=preprocessing), images) if num_workers else images
    yield from lazy_map(partial(_prepared, preprocessing=preprocessing), inputs, num_workers)


_Prepared = RasterizedFormula | Im2TexError


def _sendable(image: ImageInput, preprocessing: Preprocessing) -> ImageInput | _Prepared:
    """The image, or what it is prepared to if it cannot be sent to another process."""
    if isinstance(image, str | Path | bytes | bytearray | np.ndarray):
        return image
    return _prepared(image, preprocessing)


def _prepared(image: ImageInput | _Prepared, preprocessing: Preprocessing) -> _Prepared:
    """As `prepare_image`, but the error is returned, and warnings of libraries become notes."""
    if isinstance(image, RasterizedFormula | Im2TexError):
        return image
    try:
        with warnings.catch_warnings(record=True) as caught:
            prepared = prepare_image(image, preprocessing)
    except Im2TexError as error:
        return Im2TexError(str(error))  # subclasses cannot all be sent between processes
    return replace(prepared, notes=(*prepared.notes, *(str(one.message) for one in caught)))
