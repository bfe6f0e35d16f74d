"""Room for symbols: distances from left to right, longer where ink is wider than its place.

TeX sets its own letters close. A drawn sample is often wider than the printed letter whose place it
takes, or stands beside the middle of it; put there all the same, it runs into its neighbours four
times as often as in CROHME. People go on to the right instead, and so does this: where a place is
too narrow, everything is moved apart, what stands above and below included, so that a script stays
behind what carries it and a bar over all that it divides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LEAST = 1.0  # layout units: half the width that a place is taken to have at least


class Ruler:
    """From the x of a layout to that of the handwriting; it only ever grows.

    Args:
        places: left and right of each symbol's place, (n, 2).
        reaches: how far the symbol's ink reaches from the middle of its place to the left (a
            negative number) and to the right, (n, 2).
        room: share of what it is wider that it gets: 0 leaves everything in its place.
    """

    def __init__(
        self,
        places: Sequence[tuple[float, float]],
        reaches: Sequence[tuple[float, float]],
        room: float,
    ) -> None:
        left, right = np.array(places, np.float64).reshape(-1, 2).T  # (n,), (n,)
        low, high = np.array(reaches, np.float64).reshape(-1, 2).T
        middle = (left + right) / 2
        # Either half of a place is a stretch of its own.
        starts, ends = np.concatenate([left, middle]), np.concatenate([middle, right])  # (2 n,)
        wanted = np.concatenate([-low, high]) / np.maximum(ends - starts, _LEAST)
        growth = 1 + room * np.maximum(wanted - 1, 0)
        self._from = np.unique(np.concatenate([starts, ends, [0.0]]))  # (e + 1,)
        steps = np.diff(self._from)
        if room:
            covers = (starts[:, None] <= self._from[:-1]) & (ends[:, None] >= self._from[1:])
            steps = steps * np.where(covers, growth[:, None], 1).max(axis=0, initial=1)  # (e,)
        self._to = self._from[0] + np.concatenate([[0.0], np.cumsum(steps)])

    def __call__(self, x: float) -> float:
        """Where an x of the layout comes to lie."""
        inside = min(max(x, float(self._from[0])), float(self._from[-1]))
        return float(np.interp(inside, self._from, self._to)) + x - inside

    def span(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        """A box whose sides go where they come to lie: of what spans other ink."""
        return self(box[0]), box[1], self(box[2]), box[3]


def reach(strokes: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """How far strokes about (0, 0) reach to the left and to the right."""
    across = np.concatenate(strokes)[:, 0]
    return float(across.min()), float(across.max())
