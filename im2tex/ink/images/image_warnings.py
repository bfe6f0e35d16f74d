"""`image_warnings`: reasons why the prediction of an image may be wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.images.components import ink_mask
from im2tex.ink.images.several_lines import has_several_lines

_MIN_SCALE = 0.6  # augmentation goes down to about 0.7
_MAX_INK = 0.5  # fraction of the pixels: that of handwriting is 0.05 to 0.3
_BAR_ASPECT = 4  # longer side divided by the shorter one: a bar, which is all ink


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
    if short > 1 and long <= _BAR_ASPECT * short and ink_mask(ink).mean() > _MAX_INK:
        messages.append("it is nearly all ink: is this an image of a formula?")
    return tuple(messages)
