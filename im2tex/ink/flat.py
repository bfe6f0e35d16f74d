"""The strokes of many symbols in flat arrays, which worker processes share without copying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FlatStrokes:
    """Symbols one after the other, the strokes of each one after the other.

    Attributes:
        points: (P, 2) of all strokes of all symbols, of any number type.
        stroke_ends: (K + 1,) bounds of the strokes in `points`, from 0.
        symbol_ends: (S + 1,) bounds of the symbols in the strokes, from 0.
    """

    points: NDArray[Any]
    stroke_ends: NDArray[np.int64]
    symbol_ends: NDArray[np.int64]

    @classmethod
    def of(cls, symbols: Sequence[Sequence[NDArray[Any]]]) -> FlatStrokes:
        """Lays out the symbols' strokes."""
        every = [stroke for strokes in symbols for stroke in strokes]
        return cls(
            np.concatenate(every) if every else np.zeros((0, 2), np.float32),
            np.cumsum([0] + [len(stroke) for stroke in every]),
            np.cumsum([0] + [len(strokes) for strokes in symbols]),
        )

    def __len__(self) -> int:
        return len(self.symbol_ends) - 1

    def strokes(self, index: int) -> list[NDArray[Any]]:
        """One symbol's strokes, views of `points`, (n, 2) each."""
        first, last = self.symbol_ends[index : index + 2]
        ends = self.stroke_ends[first : last + 1].tolist()
        return [self.points[a:b] for a, b in pairwise(ends)]
