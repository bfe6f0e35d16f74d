"""A person's picture to ink on paper: the same kind of pixels that `raster.draw` gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from im2tex.errors import Im2TexError
from im2tex.ink.images.opening import open_picture
from im2tex.ink.lighting import evenly_lit

_FAINT = 16  # grey levels of 255 that the darkest ink must stand out from the paper
_EDGE = 64  # stretched level from which a pixel counts as ink, when the margins are cut off too
_SHADED = 2  # pixels beside such ink whose fainter shades are its edge


def load_picture(source: Any) -> NDArray[np.uint8]:
    """A person's picture as ink on paper, whatever its mode, contrast or polarity.

    Transparency lies on white (a picture that is blank there, white ink on nothing, is read from
    its transparency). Ink is whatever is rarer, counted over the whole picture and along its
    border alike; grey levels are stretched from the paper's own level to the darkest ink's.
    A photograph's light is made even before (`lighting`).

    Args:
        source: anything that `open_picture` opens.

    Returns:
        (H, W), 0 = paper … 255 = ink, cropped to the ink.

    Raises:
        Im2TexError: if it cannot be read, is too large to be opened safely, or is blank.
    """
    layers = _grey_layers(open_picture(source).image)
    for grey in layers:
        ink = _ink_of(grey)
        if ink is not None:
            return ink
    raise Im2TexError("the picture is blank: no ink stands out from the paper.")


def _grey_layers(picture: Image.Image) -> list[NDArray[np.uint8]]:
    """8-bit grey on white; second, where there is transparency, the transparency itself."""
    if picture.mode.startswith("I;16"):
        return [(np.asarray(picture).astype(np.uint32) // 257).astype(np.uint8)]
    if picture.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
        low, high = float(values.min()), float(values.max())
        if picture.mode == "I" and low >= 0:
            low, high = 0.0, 65535.0 if high > 255 else 255.0
        return [((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)]
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        grey = Image.alpha_composite(white, picture).convert("L")
        return [np.asarray(grey), 255 - np.asarray(picture.getchannel("A"))]
    return [np.asarray(picture.convert("RGB").convert("L"))]


def _ink_of(grey: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Stretched and cropped ink, or None where nothing stands out."""
    if not grey.size or int(grey.max()) - int(grey.min()) < _FAINT:
        return None
    grey, paper, noise = _told(grey)
    if noise > 0:  # a photograph's; a clean picture has one level of paper
        lit = evenly_lit(grey)
        if lit is not None:
            grey, paper, noise = _told(lit)
    darkest = float(grey.min())
    if paper - darkest < max(_FAINT, 8 * noise):
        return None
    floor = paper - 4 * noise
    ink = np.clip((floor - grey.astype(np.float32)) * (255 / (floor - darkest)), 0, 255)
    sure = ink > _EDGE
    # Shades belong to ink at its edges; elsewhere they are the grain of a dithered paper.
    ink *= ndimage.maximum_filter(sure, 2 * _SHADED + 1)
    rows = np.flatnonzero(sure.any(axis=1))
    columns = np.flatnonzero(sure.any(axis=0))
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    out: NDArray[np.uint8] = np.rint(cropped).astype(np.uint8)
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
