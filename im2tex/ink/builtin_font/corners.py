"""Rounds the corners of lines with few points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MIN_COSINE = np.cos(np.radians(50))  # corners with a larger change of direction are kept


def round_corners(points: NDArray[Any]) -> NDArray[Any]:
    """Two rounds of Chaikin's corner cutting; the ends and sharp corners are kept.

    Args:
        points: of one line, (n, 2).
    """
    for _ in range(2):
        if len(points) < 3:
            return points
        before, after = np.diff(points[:-1], axis=0), np.diff(points[1:], axis=0)
        lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        gentle = (before * after).sum(axis=1) > _MIN_COSINE * np.maximum(lengths, 1e-12)
        inner = points[1:-1]
        cut = np.stack([inner - before / 4, inner + after / 4], axis=1)  # (n - 2, 2, 2)
        kept = [
            pair if soft else point[None]
            for pair, point, soft in zip(cut, inner, gentle, strict=True)
        ]
        points = np.concatenate([points[:1], *kept, points[-1:]])
    return points
