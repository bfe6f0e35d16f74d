"""`FlatStrokes`: the strokes of many symbols in flat arrays, shared by worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FlatStrokes:
    """Strokes of symbols, concatenated symbol by symbol.

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
        """Concatenates the strokes of symbols."""
        flat = [stroke for strokes in symbols for stroke in strokes]
        return cls(
            np.concatenate(flat) if flat else np.zeros((0, 2), np.float32),
            np.cumsum([0] + [len(stroke) for stroke in flat]),
            np.cumsum([0] + [len(strokes) for strokes in symbols]),
        )

    def __len__(self) -> int:
        return len(self.symbol_ends) - 1

    @property
    def point_starts(self) -> NDArray[np.int64]:
        """(S + 1,) bounds of the symbols in `points`."""
        return self.stroke_ends[self.symbol_ends]

    def strokes(self, index: int) -> list[NDArray[Any]]:
        """Strokes of one symbol, views of `points`, (n, 2) each."""
        first, last = self.symbol_ends[index : index + 2]
        ends = self.stroke_ends[first : last + 1].tolist()
        return [self.points[a:b] for a, b in pairwise(ends)]
