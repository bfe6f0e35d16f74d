"""Attention as one image for a paper: a panel for each token, with the token below it.

On white, in the colours of the page: the weights of the fine cells are drawn over the ink, the
coarse cells have frames as dark as their probability, the most probable cell a wider frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from im2tex.visualization.attention.record import END, AttentionRecord
from im2tex.visualization.drawing import BLACK, GRAY, LIGHT_GRAY, font, printable, shorten, stack

DEFAULT_WIDTH = 1600
"""Of a strip, pixels."""

# All in pixels.
_GAP = 16
_FONT = 20
_TOKEN_LINE = 30
_TITLE_LINE = 34

_MIN_PANEL = 260  # of a sheet, except where it would scale the image to less than half
_PANELS = 3  # in a row, unless the images are small or would become illegible
_MIN_SCALE, _MAX_SCALE = 0.5, 2.0
_SMALL = 12  # cells below this size are easily overlooked: a ring of this radius shows them,
_FEW = 8  # if a step attends to no more cells than this
_MIN_FRAMED = 0.02  # probability of a coarse cell with a frame

_HEAT, _CELL = (236, 98, 0), (0, 94, 170)


def attention_strip(
    record: AttentionRecord,
    width: int = DEFAULT_WIDTH,
    steps: Sequence[int] | None = None,
    columns: int | None = None,
) -> Image.Image:
    """Draws the panels of an image, in rows.

    Args:
        record: the image and its attention.
        width: of the result, pixels.
        steps: indices of the steps to show; by default all.
        columns: panels in a row; by default as many as are legible.

    Returns:
        An RGB image, at most `width` pixels wide.

    Raises:
        ValueError: if there is no such step.

    Example:
        >>> attention_strip(record, steps=range(5)).save("strip.png")  # doctest: +SKIP
    """
    count = len(record.tokens)
    chosen = list(range(count) if steps is None else steps)
    if not chosen or not all(0 <= step < count for step in chosen):
        raise ValueError(f"steps must be indices from 0 to {count - 1}, got {chosen}.")
    scale, columns = _scale_and_columns(record.image.shape[1], width, columns, len(chosen))
    heatmap = np.nan_to_num(record.heatmap).astype(np.float64)
    panels = [_draw_panel(record, step, heatmap[step], scale) for step in chosen]
    across, down = panels[0].width + _GAP, panels[0].height + _TOKEN_LINE + _GAP
    rows = -(-len(panels) // columns)
    strip = Image.new("RGB", (columns * across - _GAP, rows * down - _GAP), "white")
    draw = ImageDraw.Draw(strip)
    for index, (step, panel) in enumerate(zip(chosen, panels, strict=True)):
        left, top = index % columns * across, index // columns * down
        strip.paste(panel, (left, top))
        token = record.tokens[step]
        text = "end" if token == END else shorten(printable(token), panel.width, _FONT)
        middle = left + panel.width / 2, top + panel.height + _TOKEN_LINE / 2
        draw.text(middle, text, GRAY if token == END else BLACK, font(_FONT), anchor="mm")
    return strip


def attention_sheet(
    records: Sequence[AttentionRecord],
    title: str = "",
    width: int = DEFAULT_WIDTH,
    limit: int = 48,
) -> Image.Image:
    """Draws the strips of several images in smaller panels, each below its prediction.

    Args:
        records: at least one.
        title: a line on top.
        width: pixels.
        limit: steps shown of each: an untrained model predicts up to the length limit.
    """
    margin = Image.new("RGB", (width, _GAP // 2), "white")
    parts = [margin, *([_draw_titled(title, None, width)] if title else [])]
    for record in records:
        count = len(record.tokens)
        text = "" if count <= limit else f"first {limit} of {count} steps, "
        if record.gold is not None:
            text += "right: " if list(record.gold) == record.prediction else "WRONG: "
        text += printable(" ".join(record.prediction))
        columns = max(1, width // max(_MIN_PANEL, record.image.shape[1] // 2))
        steps = range(min(limit, count))
        strip = attention_strip(record, width - 2 * _GAP, steps, columns)
        parts.append(_draw_titled(text, strip, width))
    return stack([*parts, margin])


def _draw_titled(title: str, strip: Image.Image | None, width: int) -> Image.Image:
    height = _TITLE_LINE + (0 if strip is None else strip.height + _GAP)
    part = Image.new("RGB", (width, height), "white")
    shown = shorten(title, width - 2 * _GAP, _FONT)
    ImageDraw.Draw(part).text((_GAP, _TITLE_LINE / 2), shown, BLACK, font(_FONT), anchor="lm")
    if strip is not None:
        part.paste(strip, (_GAP, _TITLE_LINE))
    return part


def _scale_and_columns(
    image_width: int, width: int, columns: int | None, panels: int
) -> tuple[float, int]:
    """Returns the scale of images of a width, and how many of them stand in a row."""
    if columns is not None:
        return min(_MAX_SCALE, ((width + _GAP) / columns - _GAP) / image_width), columns
    scale = max(_MIN_SCALE, ((width + _GAP) / _PANELS - _GAP) / image_width)
    scale = min(_MAX_SCALE, scale, width / image_width)
    across = max(1, int(image_width * scale)) + _GAP
    return scale, max(1, min(panels, (width + _GAP) // across))


def _draw_panel(
    record: AttentionRecord, step: int, weights: NDArray[np.float64], scale: float
) -> Image.Image:
    """Draws the image under the weights (h, w) of a step."""
    height, width = record.image.shape
    down, right = record.stride
    opacity = (weights / max(float(weights.max()), 1e-12)) ** 0.75 * 0.9  # (h, w)
    opacity = opacity.repeat(down, 0).repeat(right, 1)[:height, :width]
    missing = height - opacity.shape[0], width - opacity.shape[1]
    opacity = np.pad(opacity, [(0, missing[0]), (0, missing[1])])[:, :, None]  # (H, W, 1)
    marker = (1 - opacity) + opacity * (np.array(_HEAT) / 255)  # (H, W, 3)
    colored = (255 - record.image[:, :, None]) * marker
    size = max(1, int(width * scale)), max(1, int(height * scale))
    panel = Image.fromarray(np.rint(colored).astype(np.uint8))
    panel = panel.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(panel)
    if right * scale < _SMALL and record.effective_cells[step] <= _FEW:
        row, column = divmod(int(weights.argmax()), weights.shape[1])
        middle = (column + 0.5) * right * scale, (row + 0.5) * down * scale
        draw.circle(middle, _SMALL, outline=_HEAT)
    _draw_frames(draw, record, step, size)
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=LIGHT_GRAY)
    return panel


def _draw_frames(
    draw: ImageDraw.ImageDraw, record: AttentionRecord, step: int, size: tuple[int, int]
) -> None:
    """Draws frames around the coarse cells, around the most probable cell last."""
    if record.coarse is None or record.coarse_stride is None:
        return
    best = int(record.coarse[step].argmax())
    down = record.coarse_stride[0] * size[1] / record.image.shape[0]
    across = record.coarse_stride[1] * size[0] / record.image.shape[1]
    columns = record.coarse.shape[2]
    probabilities = np.nan_to_num(record.coarse[step]).ravel().tolist()
    for cell in sorted(range(len(probabilities)), key=lambda cell: cell == best):
        p = 1.0 if cell == best else probabilities[cell]
        if p < _MIN_FRAMED:
            continue
        left, top = cell % columns * across, cell // columns * down
        right, bottom = min(round(left + across), size[0]), min(round(top + down), size[1])
        box = round(left), round(top), right - 1, bottom - 1
        opacity = 1.0 if cell == best else 0.15 + 0.85 * p
        color = tuple(round(255 + (part - 255) * opacity) for part in _CELL)
        if box[0] < box[2] and box[1] < box[3]:
            draw.rectangle(box, outline=color, width=3 if cell == best else 1)
