"""`Ink`: a handwritten formula as strokes, with the strokes of each symbol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Stroke = NDArray[np.float32]
"""Points of one pen-down movement, (n, 2): x to the right, y downwards, in the file's own unit."""
_UNKNOWN = np.full((1, 4), np.nan, np.float32)


@dataclass(frozen=True, slots=True)
class Symbol:
    r"""One written symbol.

    Attributes:
        token: its LaTeX token, in canonical form (`\\alpha`, `x`, `-` for a minus or a bar).
        strokes: indices into `Ink.strokes`.
        position: index of its token in the sample's token list (for a fraction bar that of
            `\\frac`, for a radical that of `\\sqrt`), or -1 if the two could not be aligned.
    """

    token: str
    strokes: tuple[int, ...]
    position: int = -1


@dataclass(frozen=True)
class Ink:
    """A handwritten formula.

    Its points in one array and the boxes of its strokes and symbols are computed when they are
    first used, and kept.

    Example:
        >>> stroke = np.array([[0, 0], [10, 0]], dtype=np.float32)
        >>> ink = Ink((stroke,), (Symbol("-", (0,), 0),))
        >>> ink.bounds
        (0.0, 0.0, 10.0, 0.0)

    Attributes:
        strokes: each (n, 2) float32, n >= 1, finite; in the order they were written.
        symbols: the known symbols; strokes outside every symbol are allowed.
    """

    strokes: tuple[Stroke, ...]
    symbols: tuple[Symbol, ...] = ()

    @classmethod
    def of_points(
        cls, points: NDArray[np.float32], offsets: Sequence[int], symbols: tuple[Symbol, ...] = ()
    ) -> Ink:
        """An ink whose strokes are views of one array.

        Args:
            points: (n, 2) of all strokes.
            offsets: (strokes + 1,) index of the first point of each stroke, and n.
            symbols: the known symbols.
        """
        ink = cls(tuple(points[start:end] for start, end in pairwise(offsets)), symbols)
        ink.__dict__["points"] = points
        ink.__dict__["offsets"] = offsets
        return ink

    @cached_property
    def points(self) -> NDArray[np.float32]:
        """The points of all strokes, (n, 2)."""
        return np.concatenate(self.strokes)

    @cached_property
    def offsets(self) -> Sequence[int]:
        """Index of the first point of each stroke in `points`, and n."""
        return [*accumulate(map(len, self.strokes), initial=0)]

    @cached_property
    def boxes(self) -> NDArray[np.float32]:
        """Left, top, right and bottom of each stroke, (strokes, 4)."""
        starts = self.offsets[:-1]
        low = np.minimum.reduceat(self.points, starts)
        return np.concatenate([low, np.maximum.reduceat(self.points, starts)], axis=1)

    @cached_property
    def symbol_boxes(self) -> NDArray[np.float32]:
        """Left, top, right and bottom of each symbol, (symbols, 4).

        At least one symbol. NaN for a symbol without strokes.
        """
        strokes = [symbol.strokes or (-1,) for symbol in self.symbols]
        starts = [*accumulate(map(len, strokes[:-1]), initial=0)]
        boxes = np.concatenate([self.boxes, _UNKNOWN])[[*chain.from_iterable(strokes)]]
        low = np.minimum.reduceat(boxes[:, :2], starts)
        return np.concatenate([low, np.maximum.reduceat(boxes[:, 2:], starts)], axis=1)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom over all points.

        Raises:
            ValueError: if there is no stroke.
        """
        if not self.strokes:
            raise ValueError("an Ink without strokes has no bounds")
        left, top, right, bottom = zip(*self.boxes.tolist(), strict=True)
        return min(left), min(top), max(right), max(bottom)


class LabelledInk(Protocol):
    """A sample with strokes and a label, such as `im2tex.data.sample.Sample`."""

    @property
    def ink(self) -> Ink | None:
        """Its strokes; None for an image."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """Its label in canonical form."""

    @property
    def key(self) -> str:
        """Its name in the data set."""

    @property
    def extra(self) -> Mapping[str, str]:
        """Further annotations; those of CROHME are `collection` and `writer`."""
