"""Converts an image to ink on paper: the same kind of pixels that `rasterize.draw` returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from im2tex.errors import Im2TexError
from im2tex.ink.images.grey import grey_layers
from im2tex.ink.images.illumination import correct_illumination
from im2tex.ink.images.opening import open_image
from im2tex.ink.images.ruled_lines import remove_ruled_lines
from im2tex.ink.images.surroundings import remove_surroundings

_MIN_CONTRAST = 16  # grey levels of 255, between the paper and the darkest ink
_CORE = 64  # level of ink's core: the image is cropped to it
_EDGE = 2  # pixels around the core, whose lower levels are the ink's edge


class InkImage(NamedTuple):
    """The ink of an image.

    Attributes:
        ink: (H, W), 0 = paper … 255 = ink, cropped to the ink.
        notes: messages to the user.
    """

    ink: NDArray[np.uint8]
    notes: tuple[str, ...]


def load_ink_image(source: Any) -> NDArray[np.uint8]:
    """The ink of an image without the notes, see `read_ink_image`."""
    return read_ink_image(source).ink


def read_ink_image(source: Any) -> InkImage:
    """Opens an image of any mode, contrast or polarity, and converts it to ink on paper.

    Steps: surroundings of the sheet are removed (`surroundings`); the rarer levels, in the whole
    image and along its border, are the ink; shadows of a photograph are removed (`illumination`);
    levels are stretched between the paper and the darkest ink; the lines of ruled and squared
    paper are removed (`ruled_lines`).

    Example:
        >>> image = read_ink_image("photo.jpg")
        >>> image.ink.shape, image.notes
        ((120, 480), ('the paper has lines; they were removed.',))

    Args:
        source: see `open_image`.

    Raises:
        Im2TexError: if it cannot be read, is too large to be opened safely, or is blank.
    """
    opened = open_image(source)
    for grey in grey_layers(opened.image):
        ink = _extract_ink(grey)
        if ink is not None:
            cleaned, lines = remove_ruled_lines(np.rint(ink).astype(np.uint8))
            if not lines:
                return InkImage(_crop(ink), opened.notes)
            notes = (*opened.notes, "the paper has lines; they were removed.")
            return InkImage(_crop(cleaned.astype(np.float32)), notes)
    raise Im2TexError("the image is blank: no ink stands out from the paper.")


def _extract_ink(grey: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Ink stretched to 0 … 255, (H, W); None for a blank image."""
    if not grey.size or int(grey.max()) - int(grey.min()) < _MIN_CONTRAST:
        return None
    grey, paper, noise = _normalize_polarity(remove_surroundings(grey))
    if noise > 0:  # of a photograph; a clean image has one level of paper
        corrected = correct_illumination(grey)
        if corrected is not None:
            grey, paper, noise = _normalize_polarity(corrected)
    darkest = float(grey.min())
    if paper - darkest < max(_MIN_CONTRAST, 8 * noise):
        return None
    floor = paper - 4 * noise
    ink: NDArray[np.float32] = np.clip(
        (floor - grey.astype(np.float32)) * (255 / (floor - darkest)), 0, 255
    )
    return ink


def _crop(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    core = ink > _CORE
    # Away from the core, lower levels are the grain of a dithered paper.
    near = ndimage.maximum_filter(core, 2 * _EDGE + 1)
    rows, columns = (np.flatnonzero(core.any(axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cropped: NDArray[np.float32] = np.rint(ink[box] * near[box])
    return cropped.astype(np.uint8)


def _normalize_polarity(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, float]:
    """Dark ink on light paper, the median level of the paper, and its median deviation."""
    dark = grey < (int(grey.min()) + int(grey.max()) + 1) / 2
    border = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
    if dark.mean() + border.mean() > 1:
        grey, dark = 255 - grey, ~dark
    sheet = grey[~dark].astype(np.float32)
    paper = float(np.median(sheet))
    return grey, paper, float(np.median(np.abs(sheet - paper)))
