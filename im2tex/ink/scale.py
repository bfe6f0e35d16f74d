"""The characteristic size of a formula's symbols: one length, from pixels or strokes alone.

Every image is scaled so that this length is the same, whatever the unit of the tablet or the
resolution of the scanner. Neither symbol groups nor labels are used, so that the same rule applies
to a user's image and to an annotated handwritten sample.

The statistic: for each connected component of the ink, s is the longer side of its box minus the
stroke width, and w the square root of its area. The size is the geometric mean of s over the part
of the total weight w between the quantiles `_BAND`, in the order of s. Letters and digits are in
this band; dots, commas, scripts and operators are below it; long bars, radicals, integrals and
touching symbols are above it.

It was chosen among about 200 statistics on 1,990 training samples of CROHME 2014, whose x-height
is known from the symbol groups (each class's median height relative to that of `x`). Standard
deviation of log(x-height / estimate), drawn at 16 pixels per x-height: mean longer side 0.35,
median height 0.44, area-weighted median height 0.33, the best single quantile 0.24, this statistic
0.22 (0.23 by `ink_size` from strokes alone). All of them include the writers' own variation of
symbol heights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.images.components import ConnectedComponents, ink_mask
from im2tex.ink.ink import Ink
from im2tex.ink.rasterize import draw

_BAND = (0.2, 0.5)  # quantiles of the weight
_DOT = 3.0  # stroke widths: an image without a larger component is a dot, not small symbols
_TRIAL_SIZE = 16.0  # pixels per symbol at which an ink is drawn to be measured
_TRIAL_PEN = 1.6  # pixels
_MAX_TRIAL_SIDE = 3000.0  # pixels


def symbol_size(image: NDArray[np.uint8]) -> float:
    """The characteristic size of the symbols of a rasterised formula.

    Args:
        image: (H, W), 0 = paper; pixels above half of the darkest level are ink.

    Returns:
        Pixels, above zero; about 1.1 times the height of an `x`.

    Raises:
        ValueError: if there is no ink.
    """
    darkest = int(image.max(initial=0))
    if darkest == 0:
        raise ValueError("an image without ink has no symbol size")
    return _component_size(ConnectedComponents.of(image > darkest // 2))


def image_symbol_size(image: NDArray[np.uint8]) -> float:
    """The characteristic size of the symbols of a user's image: pale lines are ink, specks are not.

    Args:
        image: (H, W), 0 = paper … 255 = ink, its darkest ink near 255.

    Returns:
        Pixels, as `symbol_size`.
    """
    return _component_size(ConnectedComponents.of(ink_mask(image)).without_specks())


def ink_size(ink: Ink) -> float:
    """The characteristic size of the symbols of strokes, measured on a small drawing.

    Args:
        ink: at least one stroke.

    Returns:
        Units of the strokes, above zero; 1 if all points coincide.

    Raises:
        ValueError: if there is no stroke.
    """
    left, top, right, bottom = ink.bounds
    longest = max(right - left, bottom - top)
    if longest <= 0:
        return 1.0
    sides = (ink.boxes[:, 2:] - ink.boxes[:, :2]).max(axis=1)
    sides = np.maximum(sides.astype(np.float64), 0.01 * longest)
    scale = min(_TRIAL_SIZE / _band_mean(sides, np.sqrt(sides)), _MAX_TRIAL_SIDE / longest)
    return symbol_size(draw(ink, scale, _TRIAL_PEN, 0)) / scale


def _component_size(components: ConnectedComponents) -> float:
    sides, width = components.sides, components.stroke_width
    longest = float(sides.max()) - width
    if longest < _DOT * width:
        return max(longest, _DOT * width)
    return _band_mean(np.maximum(sides - width, 0.5 * width), np.sqrt(components.areas[1:]))


def _band_mean(sizes: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Geometric mean of the sizes over the part of the weight in `_BAND`, small sizes first."""
    order = np.argsort(sizes, kind="stable")
    after = np.cumsum(weights[order])
    after /= after[-1]
    before = np.concatenate([[0.0], after[:-1]])
    in_band = np.clip(np.minimum(after, _BAND[1]) - np.maximum(before, _BAND[0]), 0, None)
    return float(np.exp((in_band * np.log(sizes[order])).sum() / in_band.sum()))
