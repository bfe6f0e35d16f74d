"""Sheets of glyphs to look at: a row a symbol, its name, how many there are, and some of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from im2tex.ink.ink import Stroke
from im2tex.ink.rasterize import draw

SAMPLES = 12
"""Glyphs a row."""

_CELL = 44  # pixels
_GLYPH = 34.0
_NAME = 150
_ROWS = 44  # in a column
_COLUMNS = 2
_PEN = 1.7

Row = tuple[str, Sequence[Sequence[Stroke]]]
"""What stands beside the glyphs, and the glyphs."""


def draw_sheets(rows: Iterable[Row]) -> list[Image.Image]:
    """As many pages as it takes, two columns of rows each."""
    rows = list(rows)
    page = _ROWS * _COLUMNS
    return [_page(rows[first : first + page]) for first in range(0, len(rows), page)]


def evenly_spaced(count: int) -> list[int]:
    """Indices of at most `SAMPLES` samples, evenly over all of them."""
    chosen = min(count, SAMPLES)
    return [i * count // chosen for i in range(chosen)]


def _page(rows: Sequence[Row]) -> Image.Image:
    height = min(len(rows), _ROWS)
    columns = -(-len(rows) // _ROWS)
    width = _NAME + SAMPLES * _CELL
    page = Image.new("L", (columns * width, height * _CELL), 255)
    pencil = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=11)
    for number, (name, glyphs) in enumerate(rows):
        left, top = number // _ROWS * width, number % _ROWS * _CELL
        pencil.line((left, top, left + width, top), fill=225)
        pencil.multiline_text((left + 4, top + 8), name, fill=0, font=font)
        for place, strokes in enumerate(glyphs[:SAMPLES]):
            page.paste(Image.fromarray(_cell(strokes)), (left + _NAME + place * _CELL, top + 1))
    return page


def _cell(strokes: Sequence[Stroke]) -> NDArray[np.uint8]:
    points = np.concatenate(strokes)
    extent = float(np.ptp(points, axis=0).max())
    ink = draw(strokes, _GLYPH / extent if extent > 0 else 1.0, _PEN, 0)
    cell = np.full((_CELL - 1, _CELL), 255, np.uint8)
    height, width = min(ink.shape[0], _CELL - 1), min(ink.shape[1], _CELL)
    top, left = (_CELL - 1 - height) // 2, (_CELL - width) // 2
    cell[top : top + height, left : left + width] = 255 - ink[:height, :width]
    return cell
