"""Samples of several data sets side by side, for a comparison by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

from im2tex.render.rendering import GrayImage
from im2tex.visualization.drawing import BLACK, LIGHT_GRAY, fit_image, font

_CELL = (300, 110)  # pixels; so are the constants below
_MARGIN = 12
_TITLE = 34
_FONT = 18


def draw_dataset_sheet(groups: Mapping[str, Sequence[GrayImage]], columns: int = 4) -> Image.Image:
    """Draws a block of images for each group, side by side.

    Args:
        groups: titles to images, uint8 (H, W), ink 255 on 0. An image larger than its cell is
            scaled down, a smaller one keeps its size.
        columns: number of columns of a block.
    """
    most = max([1, *map(len, groups.values())])
    columns = min(columns, most)
    block = columns * _CELL[0] + _MARGIN
    rows = -(-most // columns)
    size = len(groups) * block + _MARGIN, _TITLE + rows * _CELL[1] + _MARGIN
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for number, (title, images) in enumerate(groups.items()):
        left = _MARGIN + number * block
        draw.text((left, 8), title, fill=BLACK, font=font(_FONT))
        if number:
            x = left - _MARGIN // 2
            draw.line([(x, 8), (x, size[1] - 8)], fill=LIGHT_GRAY, width=2)
        for index, image in enumerate(images):
            row, column = divmod(index, columns)
            corner = left + column * _CELL[0], _TITLE + row * _CELL[1]
            sheet.paste(fit_image(image, (_CELL[0] - _MARGIN, _CELL[1] - _MARGIN), 1.0), corner)
    return sheet
