"""`thin`: reduces lines of any width to their skeleton.

Guo and Hall, *Parallel Thinning with Two-Subiteration Algorithms* (CACM 1989), first algorithm:
connectivity and line ends are preserved, and the skeleton is one pixel wide except at a few
corners. Only ink pixels on an edge are processed, so the time depends on the ink, not on the paper.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_NEIGHBOURS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""(row, column) of a pixel's neighbours, clockwise from above: bits 0 to 7 of its code."""


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The skeleton of lines.

    Args:
        ink: (H, W).

    Returns:
        (H, W), true on the skeleton: a subset of the ink, with at least one pixel of every
        connected component (8 neighbours).
    """
    pixels = np.pad(ink, 1)
    flat = pixels.ravel()
    columns = pixels.shape[1]
    steps = [row * columns + column for row, column in _NEIGHBOURS]
    candidates = np.flatnonzero(flat)  # pixels whose neighbours have changed
    while len(candidates):
        removed = []
        for removable in _removable_patterns():
            code = np.zeros(len(candidates), dtype=np.uint8)
            for bit, step in enumerate(steps):
                code |= flat[candidates + step].astype(np.uint8) << np.uint8(bit)
            now = removable[code]
            flat[candidates[now]] = False
            removed.append(candidates[now])
            candidates = candidates[~now]
        changed = np.concatenate(removed)
        near = np.unique((changed[:, None] + np.array(steps)).ravel())
        candidates = near[flat[near]]
    return pixels[1:-1, 1:-1]


@cache
def _removable_patterns() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """By the code of its neighbours, whether a pixel is removed, in each subiteration.

    Guo and Hall: its neighbours are one connected part (C = 1), it is neither a line end nor
    inside (N is 2 or 3), and it is on the side that the subiteration removes.
    """
    tables = np.zeros((2, 256), dtype=bool)
    for code in range(256):
        p2, p3, p4, p5, p6, p7, p8, p9 = (bool(code >> bit & 1) for bit in range(8))
        parts = (
            (not p2 and (p3 or p4))
            + (not p4 and (p5 or p6))
            + (not p6 and (p7 or p8))
            + (not p8 and (p9 or p2))
        )
        pairs = (
            (p9 or p2) + (p3 or p4) + (p5 or p6) + (p7 or p8),
            (p2 or p3) + (p4 or p5) + (p6 or p7) + (p8 or p9),
        )
        on_edge = parts == 1 and 2 <= min(pairs) <= 3
        tables[0, code] = on_edge and not ((p2 or p3 or not p5) and p4)
        tables[1, code] = on_edge and not ((p6 or p7 or not p9) and p8)
    return tables[0], tables[1]
