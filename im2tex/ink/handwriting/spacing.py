"""`HorizontalSpacing`: more horizontal space where handwriting is wider than the printed symbols.

TeX sets its letters close. A drawn sample is often wider than the printed letter, or not centred in
its box; without more space, neighbours overlap four times as often as in CROHME. Where a box is too
narrow, all x coordinates are stretched, for the symbols above and below as well, so that scripts
stay behind their base and bars over the symbols that they cover.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_FAR = 1e6  # layout units: left of every formula
_MIN_HALF_WIDTH = 1.0  # layout units: of a box


class HorizontalSpacing:
    """A monotone, piecewise linear map from the x of a layout to the x of the handwriting.

    Args:
        left: (n,) left side of the box of each symbol.
        right: (n,) right side.
        low: (n,) left (negative) end of the symbol's ink, relative to the centre of the box.
        high: (n,) right end.
        widening: fraction of the excess width that is added: 0 changes nothing.
    """

    def __init__(
        self,
        left: NDArray[np.float64],
        right: NDArray[np.float64],
        low: NDArray[np.float64],
        high: NDArray[np.float64],
        widening: float,
    ) -> None:
        # Each half of a box is stretched separately.
        centre = (left + right) / 2
        starts, ends = np.concatenate([left, centre]), np.concatenate([centre, right])  # (2 n,)
        excess = np.concatenate([-low, high]) / np.maximum(ends - starts, _MIN_HALF_WIDTH) - 1
        growth = 1 + widening * np.maximum(excess, 0)
        # Segment k begins at x = _starts[k], where the map has _values[k] and _slopes[k].
        marks = np.concatenate([[0.0, 1.0], starts, right])
        marks.sort()
        covers = (starts[:, None] <= marks[:-1]) & (ends[:, None] >= marks[1:])  # (2 n, e)
        slopes = np.where(covers, growth[:, None], 1.0).max(axis=0, initial=1.0)  # (e,)
        values = marks[0] + np.cumsum((marks[1:] - marks[:-1]) * slopes)
        self._starts = np.concatenate([[-_FAR], marks])
        self._values = np.concatenate([[-_FAR], marks[:1], values])
        self._slopes = np.concatenate([[1.0], slopes, [1.0]])

    def __call__(self, x: ArrayLike) -> NDArray[np.float64]:
        """The x of the handwriting; outside of the boxes, distances are kept."""
        k = self._starts.searchsorted(x, side="right") - 1
        moved: NDArray[np.float64] = self._values[k] + (x - self._starts[k]) * self._slopes[k]
        return moved
