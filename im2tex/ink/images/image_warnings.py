"""`image_warnings`: reasons why the prediction of an image may be wrong."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.images.components import ConnectedComponents, ink_mask

_MIN_SCALE = 0.6  # augmentation goes down to about 0.7
_MAX_INK = 0.5  # fraction of the pixels: that of handwriting is 0.05 to 0.3
_MAX_ELONGATION = 4  # longer side divided by the shorter one: a bar, which is all ink
# In symbol sizes, unless stated otherwise.
_MIN_GAP = 0.55  # rows without ink between two lines
_MIN_HEIGHT = 0.8  # of a line
_MIN_LENGTH = 2.0  # of a line
_MIN_COMPONENTS = 2  # of a line
_BAR_ASPECT = 0.25  # height divided by width
_BAR_LENGTH = 0.6  # of the shorter line
_SHEARS = (0.0, -0.05, 0.05)  # rows per column, of lines that rise or fall


def image_warnings(ink: NDArray[np.uint8], symbol: float, scale: float) -> tuple[str, ...]:
    """Sentences about an image; empty for an ordinary one.

    Args:
        ink: (H, W), 0 = paper … 255 = ink, cropped.
        symbol: the characteristic size of its symbols, pixels.
        scale: size of the symbols after preprocessing, relative to the size the model expects.
    """
    messages = []
    if has_several_lines(ink, symbol):
        messages.append(
            "it seems to show several lines, but is read as one formula: crop it to one line."
        )
    if scale < _MIN_SCALE:
        messages.append(
            f"its symbols are scaled to {scale:.0%} of the size that the model was trained on, to "
            "fit its limits: crop the image to one formula."
        )
    short, long = sorted(ink.shape)
    if short > 1 and long <= _MAX_ELONGATION * short and ink_mask(ink).mean() > _MAX_INK:
        messages.append("it is nearly all ink: is this an image of a formula?")
    return tuple(messages)


def has_several_lines(ink: NDArray[np.uint8], symbol: float) -> bool:
    """Whether the ink consists of lines of symbols with empty rows between them.

    Numerator and denominator are no lines, since a bar is between them; limits are shorter or
    smaller than a line; matrices and systems have delimiters across the empty rows.

    Args:
        ink: (H, W), 0 = paper … 255 = ink, cropped.
        symbol: the characteristic size of its symbols, pixels.
    """
    if ink.shape[0] < (2 * _MIN_HEIGHT + _MIN_GAP) * symbol:
        return False
    boxes = ConnectedComponents.of(ink_mask(ink)).without_specks().boxes / symbol
    return any(_are_lines(boxes, shear) for shear in _SHEARS)


def _are_lines(boxes: NDArray[np.float64], shear: float) -> bool:
    shift = shear * boxes[:, 2:].mean(1)
    tops, bottoms = boxes[:, 0] - shift, boxes[:, 1] - shift
    order = np.argsort(tops)
    lowest = np.maximum.accumulate(bottoms[order])
    gaps = np.flatnonzero(tops[order][1:] - lowest[:-1] >= _MIN_GAP) + 1
    rows = [boxes[chosen] for chosen in np.split(order, gaps)]
    if len(rows) < 2 or not all(map(_is_line, rows)):
        return False
    return not any(_has_bar_between(above, below) for above, below in itertools.pairwise(rows))


def _is_line(row: NDArray[np.float64]) -> bool:
    height = row[:, 1].max() - row[:, 0].min()
    return bool(
        len(row) >= _MIN_COMPONENTS and height >= _MIN_HEIGHT and _length(row) >= _MIN_LENGTH
    )


def _length(row: NDArray[np.float64]) -> float:
    return float(row[:, 3].max() - row[:, 2].min())


def _has_bar_between(above: NDArray[np.float64], below: NDArray[np.float64]) -> bool:
    """Whether a bar is the lowest component of the upper row, or the highest of the lower one."""
    min_length = _BAR_LENGTH * min(_length(above), _length(below))
    for row, edge, sign in ((above, 1, 1), (below, 0, -1)):
        for bar in row:
            height, width = bar[1] - bar[0], bar[3] - bar[2]
            if height > _BAR_ASPECT * width or width < min_length:
                continue
            overlaps = (row[:, 2] < bar[3]) & (row[:, 3] > bar[2])
            if not (overlaps & (sign * (row[:, edge] - bar[edge]) > 0)).any():
                return True
    return False
