"""An image of glyphs: a row per symbol with its name and some of its samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from im2tex.ink.ink import Ink, Stroke
from im2tex.ink.rasterize import draw

SAMPLES = 12
"""Glyphs per row."""

_CELL = 44  # pixels
_GLYPH = 34.0  # pixels of a glyph's longer side
_NAME = 150  # pixels
_ROWS = 200  # per column
_PEN = 1.7  # pixels

SheetRow = tuple[str, Sequence[Sequence[Stroke]]]
"""The text of a row, and the strokes of its glyphs."""


def spread_indices(count: int) -> list[int]:
    """Indices of at most `SAMPLES` of `count` samples, at equal distances."""
    chosen = min(count, SAMPLES)
    return [i * count // chosen for i in range(chosen)]


def draw_sheet(rows: Iterable[SheetRow]) -> Image.Image:
    """Draws the first `SAMPLES` glyphs of each row, in columns of 200 rows."""
    rows = list(rows)
    width = _NAME + SAMPLES * _CELL
    columns = -(-len(rows) // _ROWS)
    sheet = Image.new("L", (columns * width, min(len(rows), _ROWS) * _CELL), 255)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for index, (text, glyphs) in enumerate(rows):
        left, top = index // _ROWS * width, index % _ROWS * _CELL
        pen.line((left, top, left + width, top), fill=225)
        pen.multiline_text((left + 4, top + 8), text, fill=0, font=font)
        for i, strokes in enumerate(glyphs[:SAMPLES]):
            _paste_centred(sheet, strokes, left + _NAME + i * _CELL, top)
    return sheet


def _paste_centred(sheet: Image.Image, strokes: Sequence[Stroke], left: int, top: int) -> None:
    extent = float(np.ptp(np.concatenate(strokes), axis=0).max())
    ink = draw(Ink(tuple(strokes)), _GLYPH / extent if extent > 0 else 1.0, _PEN, 0)
    height, width = ink.shape
    corner = (left + (_CELL - width) // 2, top + (_CELL - height) // 2)
    sheet.paste(Image.fromarray(255 - ink), corner)
