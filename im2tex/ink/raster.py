"""Strokes to pixels, and a person's picture to the same kind of pixels.

`draw` lays hair lines on a canvas `FINE` times as fine as the output (Pillow, in C), widens them
with a round pen by a few shifted maxima over the whole canvas, and averages blocks down. The cost
hardly depends on the number of points, caps and joints are round without a Python loop over them,
and the shades along an edge are true coverage in steps of 1/9. `benchmarks/raster.py` compares it
with the obvious ways.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError
from scipy import ndimage

from im2tex.errors import Im2TexError
from im2tex.ink.ink import Stroke
from im2tex.ink.lighting import evenly_lit

FINE = 3
"""Canvas cells a pixel, each way."""
_STEP = 0.5  # pixels between kept points; a corner is cut by less than a quarter of a pixel
_FAINT = 16  # grey levels of 255 that the darkest ink must stand out from the paper
_EDGE = 64  # stretched level from which a pixel counts as ink, when the margins are cut off too
_SHADED = 2  # pixels beside such ink whose fainter shades are its edge


def size(
    strokes: Sequence[Stroke], scale: float, thickness: float, padding: int
) -> tuple[int, int]:
    """Height and width that `draw` gives for the same arguments, in pixels, without drawing."""
    low, high = _extent(strokes)
    width, height = (math.ceil(float(e) * scale + thickness) + 2 * padding for e in high - low)
    return max(height, 1), max(width, 1)


def draw(
    strokes: Sequence[Stroke], scale: float, thickness: float, padding: int
) -> NDArray[np.uint8]:
    """Draws strokes with a round pen, anti-aliased.

    Args:
        strokes: each (n, 2), finite; a stroke of one point is a dot.
        scale: pixels a unit of the strokes.
        thickness: diameter of the pen, pixels; drawn to the nearest third of a pixel, at least one.
        padding: empty pixels on every side.

    Returns:
        (H, W), 0 = paper, 255 = ink, the ink's extent plus the pen's plus the padding.

    Raises:
        ValueError: if there is no stroke, or scale or thickness is not above zero.
    """
    if not (scale > 0 and thickness > 0):
        raise ValueError(f"scale {scale} and thickness {thickness} must be above zero")
    low, high = _extent(strokes)
    extent = (high - low) * scale
    height, width = (max(1, math.ceil(float(e) + thickness) + 2 * padding) for e in extent[::-1])
    canvas = _Canvas.of(height, width, thickness, padding)
    paper = Image.new("L", canvas.cells[::-1])
    pencil = ImageDraw.Draw(paper).draw
    for points in _thin(strokes, low, scale, canvas.margin):
        pencil.draw_lines(points, 255, 1)
    return canvas.penned(np.array(paper))


def draw_middle(middle: NDArray[np.bool_], thickness: float, padding: int) -> NDArray[np.uint8]:
    """Draws lines whose middle is known with the same pen as `draw`.

    Args:
        middle: (h, w), on a grid `FINE` times as fine as the output.
        thickness: diameter of the pen, pixels.
        padding: empty pixels on every side.

    Returns:
        (H, W), 0 = paper, 255 = ink, the extent of the grid plus the pen's plus the padding.
    """
    canvas = _Canvas.of(*middle_size(middle, thickness, padding), thickness, padding)
    fine = np.zeros(canvas.cells, dtype=np.uint8)
    top, (rows, columns) = canvas.margin, middle.shape
    fine[top : top + rows, top : top + columns] = 255 * middle
    return canvas.penned(fine)


def middle_size(middle: NDArray[np.bool_], thickness: float, padding: int) -> tuple[int, int]:
    """Height and width that `draw_middle` gives for the same arguments, in pixels."""
    height, width = (math.ceil(cells / FINE + thickness) + 2 * padding for cells in middle.shape)
    return height, width


class _Canvas(NamedTuple):
    """A canvas `FINE` times as fine as an image of (height, width) pixels.

    Attributes:
        height: of the image.
        width: of the image.
        pen: diameter in cells.
        margin: cells before the first of a line's middle, down and right.
    """

    height: int
    width: int
    pen: int
    margin: int

    @classmethod
    def of(cls, height: int, width: int, thickness: float, padding: int) -> _Canvas:
        pen = max(1, round(thickness * FINE))
        return cls(height, width, pen, padding * FINE + pen // 2)

    @property
    def cells(self) -> tuple[int, int]:
        # The shifted maxima run over the flat canvas, so a row needs the pen's width free at its
        # end.
        guard = -(-(self.pen + 1) // FINE)
        return (self.height + guard) * FINE, (self.width + guard) * FINE

    def penned(self, fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image of hair lines drawn with the pen."""
        image = Image.fromarray(_widen(fine, self.pen)).reduce(FINE)
        return np.asarray(image)[: self.height, : self.width].copy()


def _extent(strokes: Sequence[Stroke]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if not strokes:
        raise ValueError("there is no stroke to draw")
    points = np.concatenate(strokes)
    return points.min(axis=0), points.max(axis=0)


def _thin(
    strokes: Sequence[Stroke], low: NDArray[np.float32], scale: float, margin: int
) -> list[list[float]]:
    """Canvas coordinates x0 y0 x1 y1 … a stroke, without points too dense to matter."""
    points = np.concatenate(strokes)
    points = (points - low) * np.float32(scale * FINE) + np.float32(margin + 0.5)
    ends = np.cumsum([len(stroke) for stroke in strokes])
    steps = np.abs(np.diff(points, axis=0)).sum(axis=1)
    travelled = np.floor(np.cumsum(steps) / (_STEP * FINE))
    keep = np.empty(len(points), dtype=bool)
    keep[0] = True
    keep[1:-1] = np.diff(travelled) > 0
    keep[ends - 1] = True
    keep[ends[:-1]] = True
    kept = np.cumsum(keep)[ends - 1]
    flat = points[keep].ravel().tolist()
    out = []
    start = 0
    for stop in kept.tolist():
        line = flat[2 * start : 2 * stop]
        out.append(line if stop - start > 1 else line + line)
        start = stop
    return out


@lru_cache(maxsize=64)
def _pen(diameter: int) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    """A disc as horizontal runs: pairs of a run's length and its (row, column) shifts."""
    middle = (diameter - 1) / 2
    runs: dict[int, list[tuple[int, int]]] = {}
    for row in range(diameter):
        # A radius 0.1 cells short brings the ink over all directions within 5 % of the pen's
        # width, but for pens of less than a pixel and a half (10 %).
        half = math.sqrt(max(0.0, (diameter / 2 - 0.1) ** 2 - (row - middle) ** 2))
        first = math.ceil(middle - half)
        last = math.floor(middle + half)
        runs.setdefault(last - first + 1, []).append((row, first))
    return tuple((length, tuple(runs[length])) for length in sorted(runs))


def _widen(fine: NDArray[np.uint8], pen: int) -> NDArray[np.uint8]:
    """Each inked cell becomes a disc; the disc's box begins at `cell - pen // 2`."""
    if pen == 1:
        return fine
    columns = fine.shape[1]
    source = fine.ravel()
    out = np.zeros_like(source)
    run = source
    length = 1
    back = (pen // 2) * (columns + 1)
    for wanted, shifts in _pen(pen):
        while length < wanted:
            step = min(length, wanted - length)
            longer = run.copy()
            np.maximum(run[:-step], longer[step:], out=longer[step:])
            run, length = longer, length + step
        for row, column in shifts:
            offset = row * columns + column - back
            if offset >= 0:
                view = out[offset:]
                np.maximum(view, run[: len(run) - offset], out=view)
            else:
                view = out[:offset]
                np.maximum(view, run[-offset:], out=view)
    return out.reshape(fine.shape)


def load_picture(source: bytes | Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A person's picture as ink on paper, whatever its mode, contrast or polarity.

    Transparency lies on white (a picture that is blank there, white ink on nothing, is read from
    its transparency). Ink is whatever is rarer, counted over the whole picture and along its
    border alike; grey levels are stretched from the paper's own level to the darkest ink's.
    A photograph's light is made even before (`lighting`).

    Args:
        source: an encoded picture, any format Pillow reads, of several frames the first; or a
            picture already open; or an array (H, W) or (H, W, 1, 3 or 4).

    Returns:
        (H, W), 0 = paper … 255 = ink, cropped to the ink.

    Raises:
        Im2TexError: if it cannot be read, is too large to be opened safely, or is blank.
    """
    layers = _grey_layers(_opened(source))
    for grey in layers:
        ink = _ink_of(grey)
        if ink is not None:
            return ink
    raise Im2TexError("the picture is blank: no ink stands out from the paper.")


def _opened(source: bytes | Image.Image | NDArray[np.uint8]) -> Image.Image:
    try:
        if isinstance(source, np.ndarray):
            flat = source.ndim == 3 and source.shape[2] == 1
            return Image.fromarray(source[:, :, 0] if flat else source)
        if isinstance(source, Image.Image):
            return ImageOps.exif_transpose(source)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(source)) as opened:
                opened.load()
                return ImageOps.exif_transpose(opened)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        excess = str(error).partition(",")[0]  # behind it Pillow speaks of attacks
        raise Im2TexError(
            f"the picture is too large: {excess}. Crop or shrink it to one formula."
        ) from None
    except UnidentifiedImageError:
        raise Im2TexError(
            "this is no picture that can be read: it is in no format such as PNG, JPEG or TIFF. "
            "Make a picture of a PDF or SVG first."
            if source
            else "this is no picture that can be read: it is empty."
        ) from None
    except (OSError, SyntaxError, TypeError, ValueError, struct.error) as error:
        raise Im2TexError(f"this is no picture that can be read: {error}") from None


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
