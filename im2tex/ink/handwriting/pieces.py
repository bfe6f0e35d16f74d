"""What a formula is written of, before it is known how far apart its symbols stand.

A symbol is drawn about the middle of its place and only moves. What spans others (bars, roots,
frames, wide accents) is drawn when they have their places, as long as it has to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.handwriting.fitting import Points, fit_radical, straight_radical, stretch_to_box
from im2tex.ink.handwriting.spacing import HorizontalSpacing
from im2tex.ink.ink import Stroke

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in layout units."""


@dataclass(frozen=True, slots=True)
class SymbolStrokes:
    """A symbol.

    Attributes:
        box: its place.
        strokes: about the middle of it.
    """

    box: Box
    strokes: Sequence[Points]

    def put(self, ruler: HorizontalSpacing) -> list[Points]:
        """The strokes in their place."""
        left, top, right, bottom = self.box
        middle = np.array([ruler((left + right) / 2), (top + bottom) / 2])
        return [points + middle for points in self.strokes]


@dataclass(frozen=True, slots=True)
class StretchedStrokes:
    """A bar, a line, a frame or a wide accent.

    Attributes:
        box: its place.
        sample: the strokes that fill it; none for a plain line.
        shift: from the middle of the place, (2,).
        straight: length beyond which a line is drawn straighter, in layout units.
        divides: whether it is the bar of a fraction.
    """

    box: Box
    sample: Sequence[Stroke]
    shift: NDArray[np.float64]
    straight: float
    divides: bool = False

    def put(self, ruler: HorizontalSpacing) -> list[Points]:
        """The strokes in their place."""
        left, top, right, bottom = ruler.span(self.box)
        width, height = right - left, bottom - top
        middle = np.array([(left + right) / 2, (top + bottom) / 2])
        if not self.sample:
            return [np.array([[-width / 2, 0.0], [width / 2, 0.0]]) + middle]
        shape = stretch_to_box(self.sample, width, height, self.straight)
        return [points + middle + self.shift for points in shape]


@dataclass(frozen=True, slots=True)
class RadicalStrokes:
    """A root.

    Attributes:
        box: its place.
        inner: that of its content.
        sample: its strokes, with a clear bar; none for straight lines.
        begins: where that begins, as `fitting.radical_bar_start` says.
    """

    box: Box
    inner: Box
    sample: Sequence[Stroke]
    begins: float

    def put(self, ruler: HorizontalSpacing) -> list[Points]:
        """The strokes in their place."""
        box, inner = ruler.span(self.box), ruler.span(self.inner)
        if not self.sample:
            return straight_radical(box, inner)
        return fit_radical(self.sample, self.begins, box, inner)


Piece = SymbolStrokes | StretchedStrokes | RadicalStrokes
