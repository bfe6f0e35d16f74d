"""Draws the boxes and tokens of a layout over the rendered formula, for a check by eye."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from im2tex.render.layout.layout import UNIT, Box, Layout, SymbolKind
from im2tex.render.rendering import GrayImage

_COLOURS = {
    SymbolKind.SYMBOL: (31, 119, 180),
    SymbolKind.LETTER: (23, 150, 170),
    SymbolKind.DELIMITER: (44, 140, 44),
    SymbolKind.RULE: (214, 39, 40),
    SymbolKind.RADICAL: (148, 83, 189),
    SymbolKind.ACCENT: (225, 110, 14),
    SymbolKind.FRAME: (120, 120, 120),
}
_POINTS_IN_EM = 12
_POINTS_IN_INCH = 72.27


def draw_layout(layout: Layout, image: GrayImage | None = None, dpi: float = 200) -> Image.Image:
    """Draws the boxes of a layout.

    Args:
        layout: the layout.
        image: the rendered formula, cropped, (H, W); drawn pale behind the boxes.
        dpi: pixels per inch of the image.

    Returns:
        An RGB image: one colour for each kind of symbol, the token above its box, its baseline as
        a tick on the left, the inside of a radical in pale violet.
    """
    scale = _POINTS_IN_EM / _POINTS_IN_INCH * dpi / UNIT
    zoom = 3
    edge = 16 * zoom // 2
    size = (max(symbol.box[side] for symbol in layout.placed) for side in (2, 3))
    width, height = (round(side * scale * zoom) + 2 * edge for side in size)
    canvas = Image.new("RGB", (width, height), "white")
    if image is not None:
        ink = Image.fromarray(np.asarray(255 - (255 - image) // 3, np.uint8))
        ink = ink.resize((ink.width * zoom, ink.height * zoom))
        canvas.paste(ink, (edge, edge))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=10)

    def shown(box: Box) -> tuple[float, float, float, float]:
        left, top, right, bottom = (edge + side * scale * zoom for side in box)
        return left, top, max(right, left + 1), max(bottom, top + 1)

    for symbol in layout.placed:
        colour = _COLOURS[symbol.kind]
        box = shown(symbol.box)
        draw.rectangle(box, outline=colour)
        line = edge + symbol.baseline * scale * zoom
        draw.line([(box[0] - 4, line), (box[0], line)], fill=colour)
        if symbol.inner is not None:
            draw.rectangle(shown(symbol.inner), outline=(210, 180, 230))
        draw.text((box[0] + 1, box[1] - 11), f"{symbol.token}", fill=colour, font=font)
    return canvas
