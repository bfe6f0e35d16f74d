"""The ink of an image, its connected components and its stroke width."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_INK = 0.35  # of the darkest level: a one-pixel line between two rows has half of it in each row
_SPECK = 0.3  # of the squared stroke width: smaller components are dirt
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def ink_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Marks the ink of an image.

    Args:
        image: (H, W), 0 = paper … 255 = ink, its darkest ink near 255.
    """
    return image > _INK * 255


def stroke_width(ink: NDArray[np.bool_]) -> float:
    """The mean width of the lines, pixels: their area divided by half of their perimeter.

    By Crofton's formula the perimeter of lines in all directions is pi / 4 of the number of edges
    between ink and paper pixels.

    Args:
        ink: (H, W), with ink in it and none on its border.
    """
    edges = np.count_nonzero(ink[1:] != ink[:-1]) + np.count_nonzero(ink[:, 1:] != ink[:, :-1])
    return 8 * np.count_nonzero(ink) / (math.pi * edges)


class ConnectedComponents(NamedTuple):
    """Ink in connected components of 8 neighbours.

    Attributes:
        labels: (H + 2, W + 2), the component of each pixel, from 1; 0 is paper.
        areas: (n + 1,), pixels of each label.
        stroke_width: mean width of the lines, pixels.
    """

    labels: NDArray[np.int32]
    areas: NDArray[np.int64]
    stroke_width: float

    @classmethod
    def of(cls, ink: NDArray[np.bool_]) -> ConnectedComponents:
        """The components of an ink mask.

        Args:
            ink: (H, W), with at least one true pixel.
        """
        ink = np.pad(ink, 1)
        labels, count = ndimage.label(ink, EIGHT_NEIGHBOURS)
        return cls(labels, np.bincount(labels.ravel(), minlength=count + 1), stroke_width(ink))

    @property
    def ink(self) -> NDArray[np.bool_]:
        """(H, W), true on ink."""
        return self.labels[1:-1, 1:-1] > 0

    @property
    def boxes(self) -> NDArray[np.int64]:
        """Top, bottom, left and right of each component in `labels`, (n, 4)."""
        slices = ndimage.find_objects(self.labels)
        return np.array([(r.start, r.stop, c.start, c.stop) for r, c in slices], dtype=np.int64)

    @property
    def sides(self) -> NDArray[np.float64]:
        """The longer side of the box of each component, pixels, (n,)."""
        boxes = self.boxes
        sides: NDArray[np.int64] = np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2])
        return sides.astype(np.float64)

    def without_specks(self) -> ConnectedComponents:
        """Removes components that are too small for the pen; the largest component is kept."""
        kept = self.areas >= min(_SPECK * self.stroke_width**2, self.areas[1:].max())
        kept[0] = True
        if kept.all():
            return self
        new_labels = np.where(kept, np.cumsum(kept, dtype=np.int32) - 1, 0).astype(np.int32)
        labels = new_labels[self.labels]
        return ConnectedComponents(labels, self.areas[kept], stroke_width(labels > 0))
