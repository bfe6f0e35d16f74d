"""What of a picture is ink, and the connected parts of it, each labelled once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from im2tex.ink.images.stroke_width import stroke_width

_INK = 0.35  # of the darkest: a line of one pixel between two rows of pixels has half of it in each
_SPECK = 0.3  # of a pen's width squared: smaller parts are dirt
_EIGHT = np.ones((3, 3), dtype=bool)


def ink_mask(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where somebody's picture has ink.

    Args:
        picture: (H, W), 0 = paper … 255 = ink, its darkest ink near 255.
    """
    return picture > _INK * 255


class ConnectedComponents(NamedTuple):
    """Ink in connected parts; cells that touch across a corner are connected.

    Attributes:
        labels: (H + 2, W + 2), the number of each cell's part, from 1; 0 is paper, all round.
        areas: (n + 1,), cells of each number.
        pen: mean width of the lines, pixels.
    """

    labels: NDArray[np.int32]
    areas: NDArray[np.int64]
    pen: float

    @classmethod
    def of(cls, ink: NDArray[np.bool_]) -> ConnectedComponents:
        """The parts of what is ink.

        Args:
            ink: (H, W), with ink in it.
        """
        ink = np.pad(ink, 1)
        labels, count = ndimage.label(ink, _EIGHT)
        return cls(labels, np.bincount(labels.ravel(), minlength=count + 1), stroke_width(ink))

    @property
    def ink(self) -> NDArray[np.bool_]:
        """(H, W), true on ink."""
        return self.labels[1:-1, 1:-1] > 0

    @property
    def sides(self) -> NDArray[np.float64]:
        """The longer side of each part's box, pixels, (n,)."""
        boxes = ndimage.find_objects(self.labels)
        longer = [max(rows.stop - rows.start, cols.stop - cols.start) for rows, cols in boxes]
        return np.array(longer, dtype=np.float64)

    def without_specks(self) -> ConnectedComponents:
        """Without what is too small for a pen; the largest part stays."""
        kept = self.areas >= min(_SPECK * self.pen**2, self.areas[1:].max())
        kept[0] = True
        if kept.all():
            return self
        numbers = np.where(kept, np.cumsum(kept, dtype=np.int32) - 1, 0).astype(np.int32)
        labels = numbers[self.labels]
        return ConnectedComponents(labels, self.areas[kept], stroke_width(labels > 0))
