"""`stroke_width`: the width of the lines of an image."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def stroke_width(ink: NDArray[np.bool_]) -> float:
    """The mean width of the lines, pixels: their area divided by half of their perimeter.

    By Crofton's formula the perimeter of lines in all directions is pi / 4 of the number of edges
    between ink and paper pixels.

    Args:
        ink: (H, W), with ink in it and none on its border.
    """
    edges = np.count_nonzero(ink[1:] != ink[:-1]) + np.count_nonzero(ink[:, 1:] != ink[:, :-1])
    return 8 * np.count_nonzero(ink) / (math.pi * edges)
