"""`Ink`: a handwritten formula as strokes, with the strokes of each symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Stroke = NDArray[np.float32]
"""Points of one pen-down movement, (n, 2): x to the right, y downwards, in the file's own unit."""


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


@dataclass(frozen=True, slots=True)
class Ink:
    """A handwritten formula.

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

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom over all points.

        Raises:
            ValueError: if there is no stroke.
        """
        if not self.strokes:
            raise ValueError("an Ink without strokes has no bounds")
        points = np.concatenate(self.strokes)
        left, top = points.min(axis=0)
        right, bottom = points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)


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
