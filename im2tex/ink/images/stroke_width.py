"""How wide the lines of a picture are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def stroke_width(ink: NDArray[np.bool_]) -> float:
    """The mean width of lines.

    Crofton: the true perimeter is pi/4 of the edges counted between cells, for lines of every
    direction; a line's area over half its perimeter is its width.

    Args:
        ink: (H, W), with ink in it and none on its border.

    Returns:
        Pixels.
    """
    edges = np.count_nonzero(ink[1:] != ink[:-1]) + np.count_nonzero(ink[:, 1:] != ink[:, :-1])
    return 8 * np.count_nonzero(ink) / (math.pi * edges)
