"""Parts of a handwritten formula before the horizontal spacing is known.

The strokes of a symbol are translated to its final position. Parts that cover other symbols (bars,
radicals, frames, wide accents) are drawn after the spacing is known, at the length they need.
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
        box: its box in the layout.
        strokes: relative to the centre of the box.
    """

    box: Box
    strokes: Sequence[Points]

    def draw(self, spacing: HorizontalSpacing) -> list[Points]:
        """The strokes at their final position."""
        left, top, right, bottom = self.box
        centre = np.array([spacing((left + right) / 2), (top + bottom) / 2])
        return [points + centre for points in self.strokes]


@dataclass(frozen=True, slots=True)
class StretchedStrokes:
    """A bar, a line, a frame or a wide accent.

    Attributes:
        box: its box in the layout.
        sample: strokes to stretch; empty for a straight line.
        shift: offset from the centre of the box, (2,).
        straight_above: length above which a line is drawn straighter, in layout units.
        is_fraction_bar: whether it is a fraction bar.
    """

    box: Box
    sample: Sequence[Stroke]
    shift: NDArray[np.float64]
    straight_above: float
    is_fraction_bar: bool = False

    def draw(self, spacing: HorizontalSpacing) -> list[Points]:
        """The strokes at their final position."""
        left, top, right, bottom = spacing.stretch(self.box)
        width, height = right - left, bottom - top
        centre = np.array([(left + right) / 2, (top + bottom) / 2])
        if not self.sample:
            return [np.array([[-width / 2, 0.0], [width / 2, 0.0]]) + centre]
        shape = stretch_to_box(self.sample, width, height, self.straight_above)
        return [points + centre + self.shift for points in shape]


@dataclass(frozen=True, slots=True)
class RadicalStrokes:
    """A radical.

    Attributes:
        box: its box in the layout.
        inner: the box of its contents.
        sample: its strokes, with a clear bar; empty for straight lines.
        bar_start: see `fitting.radical_bar_start`.
    """

    box: Box
    inner: Box
    sample: Sequence[Stroke]
    bar_start: float

    def draw(self, spacing: HorizontalSpacing) -> list[Points]:
        """The strokes at their final position."""
        box, inner = spacing.stretch(self.box), spacing.stretch(self.inner)
        if not self.sample:
            return straight_radical(box, inner)
        return fit_radical(self.sample, self.bar_start, box, inner)


Piece = SymbolStrokes | StretchedStrokes | RadicalStrokes
