"""Lines of any width to their middle: what a picture has in common with the strokes of a pen.

Guo and Hall, *Parallel Thinning with Two-Subiteration Algorithms* (CACM 1989), first algorithm:
what is connected stays connected, ends are not eaten away, and the middle is one cell wide but for
a few corners. Only inked cells on an edge are looked at, so the cost is that of the ink, not of the
paper.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""(row, column) of a cell's neighbours, clockwise from above: bits 0 to 7."""


def thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The middle of lines.

    Args:
        ink: (H, W).

    Returns:
        (H, W), true on the middle; a subset of the ink, with a cell of every connected part of it
        (neighbours across corners are connected).
    """
    cells = np.pad(ink, 1)
    flat = cells.ravel()
    columns = cells.shape[1]
    steps = [row * columns + column for row, column in _AROUND]
    busy = np.flatnonzero(flat)  # cells that may go: their surroundings are new, or have changed
    while len(busy):
        gone = []
        for removable in _removable():
            code = np.zeros(len(busy), dtype=np.uint8)
            for bit, step in enumerate(steps):
                code |= flat[busy + step].astype(np.uint8) << np.uint8(bit)
            going = removable[code]
            flat[busy[going]] = False
            gone.append(busy[going])
            busy = busy[~going]
        changed = np.concatenate(gone)
        near = np.unique((changed[:, None] + np.array(steps)).ravel())
        busy = near[flat[near]]
    return cells[1:-1, 1:-1]


@cache
def _removable() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """By the code of its neighbours, whether a cell goes, in either half of a turn.

    Guo and Hall: it has one connected part of neighbours (C = 1), it is no end and not inside
    (N from 2 to 3), and lies on the side that the half takes away.
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
        outside = parts == 1 and 2 <= min(pairs) <= 3
        tables[0, code] = outside and not ((p2 or p3 or not p5) and p4)
        tables[1, code] = outside and not ((p6 or p7 or not p9) and p8)
    return tables[0], tables[1]
