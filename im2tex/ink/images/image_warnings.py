"""What a person should know about a picture whose reading is likely to be wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.images.components import ink_mask
from im2tex.ink.images.several_lines import has_several_lines

_SMALL = 0.6  # of the size that symbols are scaled to; augmentation goes down to about 0.7
_MOSTLY = 0.5  # share of a picture's ink: strokes of handwriting cover 0.05 to 0.3
_SLENDER = 4  # times as long as wide: a bar, which is all ink


def image_warnings(ink: NDArray[np.uint8], symbol: float, shrunk: float) -> tuple[str, ...]:
    """Sentences about a picture, none for an ordinary one.

    Args:
        ink: (H, W), 0 = paper … 255 = ink, cropped.
        symbol: the characteristic size of its symbols, pixels.
        shrunk: the size that they come out at, by the size that the model asks for.
    """
    found = []
    if has_several_lines(ink, symbol):
        found.append(
            "it seems to show several lines, but is read as one formula: crop it to one line."
        )
    if shrunk < _SMALL:
        found.append(
            f"its symbols come out at {shrunk:.0%} of the size that the model was trained on, "
            "to fit its limits: crop the picture to one formula."
        )
    height, width = ink.shape
    slender = max(height, width) > _SLENDER * min(height, width)
    if not slender and min(height, width) > 1 and ink_mask(ink).mean() > _MOSTLY:
        found.append("it is nearly all ink: is this a picture of a formula?")
    return tuple(found)
