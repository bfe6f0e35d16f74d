"""How large a formula is written: one length, from the pixels or the strokes alone.

Every picture is scaled so that this length is the same, whatever the pen tablet's unit or the
scanner's resolution. No symbol group and no label is looked at, so that the same rule holds for a
stranger's bitmap and for an annotated ink.

The statistic: connected components of the ink, the longer side of each one's box (less the pen's
width), weighted by the square root of its area; the geometric mean over the part of the weight
between `_BAND`, small components first. On the band lie the letters and digits: below it dots,
commas, scripts and signs, above it long bars, radicals, integrals and symbols that touch.

It was chosen among about 200 on 1,990 training inks of CROHME 2014, whose x-height is known there
from the symbol groups (each class's usual height against that of `x`). Standard deviation of
log(x-height / estimate), drawn at 16 pixels an x-height: mean longer side 0.35, median height
0.44, area-weighted median height 0.33, the best unsmoothed quantile 0.24, this 0.22 (0.23 as
`ink_size` finds it from the strokes alone). The writer's own spread of symbol heights is in every
one of these figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.images.components import ConnectedComponents, ink_mask
from im2tex.ink.ink import Ink
from im2tex.ink.rasterize import draw

_BAND = (0.2, 0.5)  # shares of the weight
_DOT = 3.0  # pens: a picture with nothing larger is a dot, not a formula of small symbols
_TRIAL = 16.0  # pixels a symbol at which an ink is drawn to be measured
_TRIAL_PEN = 1.6  # pixels
_TRIAL_SIDE = 3000.0  # pixels: the longest trial drawing


def symbol_size(image: NDArray[np.uint8]) -> float:
    """The characteristic size of a picture's symbols.

    Args:
        image: (H, W), ink positive (0 = paper); darker than half the darkest ink counts as ink.

    Returns:
        Pixels, above zero; about 1.1 times the height of an `x`.

    Raises:
        ValueError: if there is no ink.
    """
    darkest = int(image.max(initial=0))
    if darkest == 0:
        raise ValueError("a picture without ink has no symbol size")
    return _size(ConnectedComponents.of(image > darkest // 2))


def image_symbol_size(picture: NDArray[np.uint8]) -> float:
    """The same of somebody's picture: thin pale lines count as ink, specks of dirt do not.

    Args:
        picture: (H, W), 0 = paper … 255 = ink, its darkest ink near 255.

    Returns:
        Pixels, as `symbol_size`.
    """
    return _size(ConnectedComponents.of(ink_mask(picture)).without_specks())


def ink_size(ink: Ink) -> float:
    """The same length for strokes, by the same rule on a small drawing of them.

    Args:
        ink: at least one stroke.

    Returns:
        Units of the strokes, above zero; 1 where all points coincide.

    Raises:
        ValueError: if there is no stroke.
    """
    left, top, right, bottom = ink.bounds
    longest = max(right - left, bottom - top)
    if longest <= 0:
        return 1.0
    starts = np.cumsum([0] + [len(stroke) for stroke in ink.strokes[:-1]])
    points = np.concatenate(ink.strokes)
    sides = (np.maximum.reduceat(points, starts) - np.minimum.reduceat(points, starts)).max(axis=1)
    sides = np.maximum(sides.astype(np.float64), 0.01 * longest)
    scale = min(_TRIAL / _band_mean(sides, np.sqrt(sides)), _TRIAL_SIDE / longest)
    return symbol_size(draw(ink.strokes, scale, _TRIAL_PEN, 0)) / scale


def _size(parts: ConnectedComponents) -> float:
    """The characteristic size of symbols, pixels."""
    sides, pen = parts.sides, parts.stroke_width
    longest = float(sides.max()) - pen
    if longest < _DOT * pen:
        return max(longest, _DOT * pen)
    return _band_mean(np.maximum(sides - pen, 0.5 * pen), np.sqrt(parts.areas[1:]))


def _band_mean(sizes: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Geometric mean of the sizes over the `_BAND` of the weight, small sizes first."""
    order = np.argsort(sizes, kind="stable")
    share = np.cumsum(weights[order])
    share /= share[-1]
    before = np.concatenate([[0.0], share[:-1]])
    inside = np.clip(np.minimum(share, _BAND[1]) - np.maximum(before, _BAND[0]), 0, None)
    return float(np.exp((inside * np.log(sizes[order])).sum() / inside.sum()))
