"""Samples of data sets beside each other, to judge one against the other by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

_CELL = (300, 110)  # pixels
_MARGIN = 12
_TITLE = 34
_FONT = 18
_BLACK, _RULE = (20, 20, 20), (215, 215, 215)

Pictures = Sequence[npt.NDArray[np.uint8]]


def sample_sheet(groups: Mapping[str, Pictures], columns: int = 4) -> Image.Image:
    """A block of pictures for each group, side by side.

    Args:
        groups: titles to pictures, uint8 (H, W), ink 255 on 0. What is too large for its cell is
            made smaller, nothing is made larger.
        columns: of a block.

    Raises:
        ValueError: without a picture, or with no column.
    """
    most = max((len(pictures) for pictures in groups.values()), default=0)
    if not most or columns < 1:
        raise ValueError(f"expected pictures and a column at least, got {most} and {columns}")
    columns = min(columns, most)
    block = columns * _CELL[0] + _MARGIN
    rows = -(-most // columns)
    size = len(groups) * block + _MARGIN, _TITLE + rows * _CELL[1] + _MARGIN
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    font: Any = ImageFont.load_default(size=_FONT)
    for number, (title, pictures) in enumerate(groups.items()):
        left = _MARGIN + number * block
        draw.text((left, 8), title, fill=_BLACK, font=font)
        if number:
            x = left - _MARGIN // 2
            draw.line([(x, 8), (x, size[1] - 8)], fill=_RULE, width=2)
        for place, picture in enumerate(pictures):
            row, column = divmod(place, columns)
            corner = left + column * _CELL[0], _TITLE + row * _CELL[1]
            sheet.paste(_fitted(picture), corner)
    return sheet


def _fitted(picture: npt.NDArray[np.uint8]) -> Image.Image:
    height, width = picture.shape
    factor = min(1.0, (_CELL[0] - _MARGIN) / width, (_CELL[1] - _MARGIN) / height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return Image.fromarray(255 - picture).resize(size, Image.Resampling.LANCZOS)
