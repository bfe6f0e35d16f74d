"""Attention as one picture for a paper: a panel a token, the token below it.

Drawn with Pillow and the font it brings along, on white, in the colours of the page: the weights
of the fine cells lie over the ink like a marker pen, the coarse cells are framed by their
probability, the chosen one by a wider line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from im2tex.visualization.attention.record import END, AttentionRecord

WIDTH = 1600
"""Of a strip, pixels, where no other is asked for."""
NARROWEST = 200
"""The least width of a strip that a token can be read in, pixels."""

# All in pixels.
_GAP = 16
_FONT = 20
_TEXT = 30  # the line of the token
_TITLE = 34

_SMALLEST = 260  # a panel of a sheet, but where that would shrink the picture to less than half
_PANELS = 3  # a row has so many, unless the pictures are small or that makes them illegible
_SCALES = 0.5, 2.0  # how far a picture is shrunk and enlarged for it
_SMALL = 12  # a few cells below this size are easily overlooked: a ring of this radius shows them
_FEW = 8  # cells looked at, up to which they are few
_FAINT = 0.02  # coarse cells below this probability have no frame

_BLACK, _GREY, _RULE = (20, 20, 20), (120, 120, 120), (215, 215, 215)
_HEAT, _CELL = (236, 98, 0), (0, 94, 170)

Pixels = npt.NDArray[np.uint8]


def attention_strip(
    look: AttentionRecord,
    width: int = WIDTH,
    steps: Sequence[int] | None = None,
    columns: int | None = None,
) -> Image.Image:
    """The panels of a picture, in rows.

    Args:
        look: the picture and where the model looked.
        width: of the result, pixels.
        steps: which steps to show, counted from 0; all if not given.
        columns: panels a row; as many as are legible if not given.

    Returns:
        An RGB picture, at most `width` pixels wide.

    Raises:
        ValueError: if there is no such step, or a number is out of range.
    """
    chosen = list(range(len(look.tokens)) if steps is None else steps)
    if not chosen or not all(0 <= step < len(look.tokens) for step in chosen):
        raise ValueError(f"steps are numbers from 0 to {len(look.tokens) - 1}, not {chosen}.")
    if width < NARROWEST or (columns is not None and columns < 1):
        raise ValueError(f"a strip is at least {NARROWEST} pixels wide, and a column.")
    scale, columns = _layout(look.image.shape[1], width, columns, len(chosen))
    lit = np.nan_to_num(look.heatmap).astype(np.float64)
    panels = [_panel(look, step, lit[step], scale) for step in chosen]
    across, down = panels[0].width + _GAP, panels[0].height + _TEXT + _GAP
    rows = -(-len(panels) // columns)
    strip = Image.new("RGB", (columns * across - _GAP, rows * down - _GAP), "white")
    draw = ImageDraw.Draw(strip)
    for number, (step, panel) in enumerate(zip(chosen, panels, strict=True)):
        left, top = number % columns * across, number // columns * down
        strip.paste(panel, (left, top))
        token = look.tokens[step]
        text = "end" if token == END else _fitting(_printable(token), panel.width)
        colour = _GREY if token == END else _BLACK
        middle = left + panel.width / 2, top + panel.height + _TEXT / 2
        draw.text(middle, text, colour, _font(), anchor="mm")
    return strip


def attention_sheet(
    looks: Sequence[AttentionRecord], title: str = "", width: int = WIDTH, limit: int = 48
) -> Image.Image:
    """The strips of several pictures below each other, in smaller panels, each below its reading.

    Args:
        looks: what to show, at least one.
        title: a line on top.
        width: pixels.
        limit: steps shown of each: a model that has not learnt to end goes on for long.
    """
    parts: list[tuple[str, Image.Image | None]] = [(title, None)] if title else []
    for look in looks:
        right = look.gold is not None and list(look.gold) == look.prediction
        judged = "" if look.gold is None else "right: " if right else "WRONG: "
        steps = range(min(limit, len(look.tokens)))
        cut = (
            "" if len(steps) == len(look.tokens) else f"first {limit} of {len(look.tokens)} steps, "
        )
        reading = cut + judged + _printable(" ".join(look.prediction))
        columns = max(1, width // max(_SMALLEST, look.image.shape[1] // 2))
        parts.append((reading, attention_strip(look, width - 2 * _GAP, steps, columns)))
    heights = [_TITLE + (0 if strip is None else strip.height + _GAP) for _, strip in parts]
    sheet = Image.new("RGB", (width, sum(heights) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    top = _GAP // 2
    for (text, strip), height in zip(parts, heights, strict=True):
        middle = _GAP, top + _TITLE / 2
        draw.text(middle, _fitting(text, width - 2 * _GAP), _BLACK, _font(), anchor="lm")
        if strip is not None:
            sheet.paste(strip, (_GAP, top + _TITLE))
        top += height
    return sheet


def _layout(picture: int, width: int, columns: int | None, panels: int) -> tuple[float, int]:
    """How far pictures of a width are scaled, and how many of them stand in a row."""
    if columns is not None:
        return min(_SCALES[1], ((width + _GAP) / columns - _GAP) / picture), columns
    low, high = _SCALES
    scale = min(high, max(low, ((width + _GAP) / _PANELS - _GAP) / picture), width / picture)
    across = max(1, int(picture * scale)) + _GAP
    return scale, max(1, min(panels, (width + _GAP) // across))


def _panel(
    look: AttentionRecord, step: int, weights: npt.NDArray[np.float64], scale: float
) -> Image.Image:
    """The picture with the weights of one step over it, (h, w)."""
    height, width = look.image.shape
    share = (weights / max(float(weights.max()), 1e-12)) ** 0.75 * 0.9  # (h, w)
    share = _over(share, look.stride, (height, width))[:, :, None]  # (H, W, 1)
    marker = (1 - share) + share * (np.array(_HEAT) / 255)  # (H, W, 3)
    coloured = (255 - look.image[:, :, None]) * marker
    size = max(1, int(width * scale)), max(1, int(height * scale))
    panel = Image.fromarray(np.rint(coloured).astype(np.uint8))
    panel = panel.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(panel)
    if look.stride[1] * scale < _SMALL and look.effective_cells[step] <= _FEW:
        row, column = divmod(int(weights.argmax()), weights.shape[1])
        middle = (column + 0.5) * look.stride[1] * scale, (row + 0.5) * look.stride[0] * scale
        draw.circle(middle, _SMALL, outline=_HEAT)
    _frames(draw, look, step, size)
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=_RULE)
    return panel


def _over(
    cells: npt.NDArray[np.float64], stride: tuple[int, int], size: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Cells (h, w) as pixels (H, W): cut off, or filled up with zeros, where they do not fit."""
    pixels = cells.repeat(stride[0], 0).repeat(stride[1], 1)[: size[0], : size[1]]
    missing = [(0, size[axis] - pixels.shape[axis]) for axis in (0, 1)]
    return np.pad(pixels, missing)


def _frames(
    draw: ImageDraw.ImageDraw, look: AttentionRecord, step: int, size: tuple[int, int]
) -> None:
    if look.coarse is None or look.coarse_stride is None:
        return
    best = int(look.coarse[step].argmax())
    down = look.coarse_stride[0] * size[1] / look.image.shape[0]
    across = look.coarse_stride[1] * size[0] / look.image.shape[1]
    columns = look.coarse.shape[2]
    shares = np.nan_to_num(look.coarse[step]).ravel().tolist()
    # The chosen one last, above its neighbours' lines.
    for cell in sorted(range(len(shares)), key=lambda cell: cell == best):
        chosen, p = cell == best, shares[cell]
        if p < _FAINT and not chosen:
            continue
        left, top = cell % columns * across, cell // columns * down
        box = (
            round(left),
            round(top),
            min(round(left + across), size[0]) - 1,
            min(round(top + down), size[1]) - 1,
        )
        share = 1.0 if chosen else 0.15 + 0.85 * p
        colour = tuple(round(255 + (part - 255) * share) for part in _CELL)
        if box[0] < box[2] and box[1] < box[3]:
            draw.rectangle(box, outline=colour, width=3 if chosen else 1)


def _printable(text: str) -> str:
    """What the font cannot show, by its number."""
    return "".join(c if " " <= c <= "~" else f"\\u{ord(c):04x}" for c in text)


def _fitting(text: str, room: int) -> str:
    """Text cut so that it fits into a room of so many pixels."""
    font = _font()
    if font.getlength(text) <= room:
        return text
    text = text[: max(1, room)]  # no letter is narrower than a pixel
    while text and font.getlength(text + "...") > room:
        text = text[:-1]
    return text + "..."


@cache
def _font() -> Any:
    # Typed as Any: Pillow gives a bitmap font without getlength where it lacks FreeType, which its
    # wheels never do.
    return ImageFont.load_default(size=_FONT)
