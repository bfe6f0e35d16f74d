"""Whether a picture shows several formulas, one below the other."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from im2tex.ink.images.components import ConnectedComponents, ink_mask

_GAP = 0.55  # symbols: rows between two lines without any ink
_TALL = 0.8  # symbols: a line is at least this tall
_LONG = 2.0  # symbols: and this long
_SYMBOLS = 2  # connected parts of it, at least
_BAR = (0.25, 0.6)  # height by width of a bar, and its width by that of the shorter neighbour
_SHEARS = (0.0, -0.05, 0.05)  # rows a column, for lines that rise or fall


def has_several_lines(ink: NDArray[np.uint8], symbol: float) -> bool:
    """Whether the ink falls into lines of symbols with free rows between them.

    The parts of a fraction do, too, but with a bar between them; limits are shorter or smaller
    than a line; matrices and systems have delimiters across the free rows.

    Args:
        ink: (H, W), 0 = paper … 255 = ink, cropped.
        symbol: the characteristic size of its symbols, pixels.
    """
    if ink.shape[0] < (2 * _TALL + _GAP) * symbol:
        return False
    parts = ConnectedComponents.of(ink_mask(ink)).without_specks()
    boxes = [box for box in ndimage.find_objects(parts.labels) if box is not None]
    spans = np.array(
        [(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in boxes], float
    )
    return any(_are_lines(spans, shear, symbol) for shear in _SHEARS)


def _are_lines(spans: NDArray[np.float64], shear: float, symbol: float) -> bool:
    """Args: spans: (n, 4) top, bottom, left, right of the connected parts."""
    lean = shear * spans[:, 2:].mean(1)
    tops, bottoms = spans[:, 0] - lean, spans[:, 1] - lean
    order = np.argsort(tops)
    lowest = np.maximum.accumulate(bottoms[order])
    gaps = np.flatnonzero(tops[order][1:] - lowest[:-1] >= _GAP * symbol) + 1
    rows = [spans[chosen] for chosen in np.split(order, gaps)]
    lines = [row for row in rows if _is_line(row, symbol)]
    if len(lines) < 2 or len(lines) < len(rows):
        return False
    pairs = itertools.pairwise(lines)
    return not any(_has_bar_between(above, below) for above, below in pairs)


def _is_line(row: NDArray[np.float64], symbol: float) -> bool:
    height = row[:, 1].max() - row[:, 0].min()
    width = row[:, 3].max() - row[:, 2].min()
    return bool(len(row) >= _SYMBOLS and height >= _TALL * symbol and width >= _LONG * symbol)


def _has_bar_between(above: NDArray[np.float64], below: NDArray[np.float64]) -> bool:
    """Whether the upper row ends, or the lower begins, with a flat part: a fraction's bar."""
    shorter = min(row[:, 3].max() - row[:, 2].min() for row in (above, below))
    for row, edge, sign in ((above, 1, 1), (below, 0, -1)):
        for part in row:
            width = part[3] - part[2]
            if part[1] - part[0] > _BAR[0] * width or width < _BAR[1] * shorter:
                continue
            beside = (row[:, 2] < part[3]) & (row[:, 3] > part[2])
            if not (beside & (sign * (row[:, edge] - part[edge]) > 0)).any():
                return True
    return False
