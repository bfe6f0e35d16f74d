"""A person's picture to ink on paper: the same kind of pixels that `rasterize.draw` gives."""

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

_FAINT = 16  # grey levels of 255 that the darkest ink must stand out from the paper
_EDGE = 64  # stretched level from which a pixel counts as ink, when the margins are cut off too
_SHADED = 2  # pixels beside such ink whose fainter shades are its edge


class InkImage(NamedTuple):
    """A picture's ink.

    Attributes:
        ink: (H, W), 0 = paper … 255 = ink, cropped to the ink.
        notes: what a person should know about the picture.
    """

    ink: NDArray[np.uint8]
    notes: tuple[str, ...]


def load_ink_image(source: Any) -> NDArray[np.uint8]:
    """The ink alone: see `read_ink_image`."""
    return read_ink_image(source).ink


def read_ink_image(source: Any) -> InkImage:
    """A person's picture as ink on paper, whatever its mode, contrast or polarity.

    What surrounds the sheet is taken out first (`surroundings`). Ink is whatever is rarer, counted
    over the whole picture and along its border alike; grey levels are stretched from the paper's
    own level to the darkest ink's. Before that, a photograph's light is made even (`illumination`),
    and the lines of ruled and squared paper are removed (`rules`).

    Args:
        source: anything that `open_image` opens.

    Raises:
        Im2TexError: if it cannot be read, is too large to be opened safely, or is blank.
    """
    opened = open_image(source)
    for grey in grey_layers(opened.image):
        ink = _ink_of(grey)
        if ink is not None:
            notes = opened.notes
            cleaned = remove_ruled_lines(np.rint(ink).astype(np.uint8))
            if cleaned.lines:
                ink = cleaned.ink.astype(np.float32)
                notes = (*notes, "the paper has lines; they were taken out.")
            return InkImage(_cropped(ink), notes)
    raise Im2TexError("the picture is blank: no ink stands out from the paper.")


def _ink_of(grey: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Stretched ink, or None where nothing stands out."""
    if not grey.size or int(grey.max()) - int(grey.min()) < _FAINT:
        return None
    grey, paper, noise = _told(remove_surroundings(grey))
    if noise > 0:  # a photograph's; a clean picture has one level of paper
        lit = correct_illumination(grey)
        if lit is not None:
            grey, paper, noise = _told(lit)
    darkest = float(grey.min())
    if paper - darkest < max(_FAINT, 8 * noise):
        return None
    floor = paper - 4 * noise
    ink: NDArray[np.float32] = np.clip(
        (floor - grey.astype(np.float32)) * (255 / (floor - darkest)), 0, 255
    )
    return ink


def _cropped(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    sure = ink > _EDGE
    # Shades belong to ink at its edges; elsewhere they are the grain of a dithered paper.
    near = ndimage.maximum_filter(sure, 2 * _SHADED + 1)
    rows = np.flatnonzero(sure.any(axis=1))
    columns = np.flatnonzero(sure.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    out: NDArray[np.uint8] = np.rint(ink[box] * near[box]).astype(np.uint8)
    return out


def _told(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float, float]:
    """Dark ink on light paper, the paper's level, and how far it usually is from that."""
    dark = grey < (int(grey.min()) + int(grey.max()) + 1) / 2
    border = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
    if dark.mean() + border.mean() > 1:
        grey, dark = 255 - grey, ~dark
    sheet = grey[~dark].astype(np.float32)
    paper = float(np.median(sheet))
    return grey, paper, float(np.median(np.abs(sheet - paper)))
