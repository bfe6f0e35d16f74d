"""Corners cut off lines of few points, so that they look written."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHARP = np.cos(np.radians(50))  # corners that turn by more stay corners


def round_corners(points: NDArray[Any]) -> NDArray[Any]:
    """Chaikin's corner cutting, twice, at gentle corners; the ends and sharp corners stay.

    Args:
        points: of one line, (n, 2).
    """
    for _ in range(2):
        if len(points) < 3:
            return points
        before, after = np.diff(points[:-1], axis=0), np.diff(points[1:], axis=0)
        lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        gentle = (before * after).sum(axis=1) > _SHARP * np.maximum(lengths, 1e-12)
        inner = points[1:-1]
        cut = np.stack([inner - before / 4, inner + after / 4], axis=1)  # (n - 2, 2, 2)
        kept = [
            pair if soft else point[None]
            for pair, point, soft in zip(cut, inner, gentle, strict=True)
        ]
        points = np.concatenate([points[:1], *kept, points[-1:]])
    return points
