"""`Grid`: the one thing that passes from an encoder to a decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """A batch of feature maps.

    Attributes:
        features: (B, h, w, D).
        mask: (B, h, w) bool, true where there is image.
        stride: pixels of the input a cell covers, (vertical, horizontal).
        coarse: a second grid, h' = ceil(h / s) by w' = ceil(w / s), for coarse-to-fine attention.
    """

    features: Tensor
    mask: Tensor
    stride: tuple[int, int]
    coarse: Grid | None = None

    @property
    def block(self) -> tuple[int, int]:
        """Fine cells that a coarse cell covers, (vertical, horizontal): the paper's are 4 x 4.

        Fine cell (i, j) lies in coarse cell (i // block[0], j // block[1]); blocks at the bottom
        and right edges may be smaller.

        Raises:
            ValueError: if there is no coarse grid, or it does not cover the fine one so.
        """
        if self.coarse is None:
            raise ValueError("this grid has no coarse grid")
        fine, coarse = self.mask.shape[1:], self.coarse.mask.shape[1:]
        block = tuple(max(1, c // f) for c, f in zip(self.coarse.stride, self.stride, strict=True))
        expected = tuple(-(-n // side) for n, side in zip(fine, block, strict=True))
        strides = tuple(side * f for side, f in zip(block, self.stride, strict=True))
        if strides != self.coarse.stride or expected != tuple(coarse):
            raise ValueError(
                f"{tuple(fine)} cells of {self.stride} pixels do not lie in {tuple(coarse)} coarse "
                f"ones of {self.coarse.stride}: its stride is a multiple, its size is rounded up"
            )
        return block[0], block[1]

    def cells_overlapping(self, boxes: Tensor) -> Tensor:
        """Which cells lie in given boxes of the input image.

        A cell belongs to a box if they have a point in common, the cell without its right and
        bottom edge, the box with all of its own: a dot lies in exactly one cell. A box beyond the
        image has none.

        Args:
            boxes: (B, T, 4) left, top, right, bottom in pixels; right < left for no box.

        Returns:
            (B, T, h, w) bool; false everywhere for no box and outside the mask.
        """
        _, h, w = self.mask.shape
        rows = torch.arange(h, device=boxes.device) * self.stride[0]
        columns = torch.arange(w, device=boxes.device) * self.stride[1]
        left, top, right, bottom = boxes.unsqueeze(-1).unbind(-2)  # 4 x (B, T, 1)
        vertical = (rows + self.stride[0] > top) & (rows <= bottom)  # (B, T, h)
        horizontal = (columns + self.stride[1] > left) & (columns <= right)  # (B, T, w)
        known = (right >= left).unsqueeze(-1)  # (B, T, 1, 1)
        inside = vertical.unsqueeze(-1) & horizontal.unsqueeze(-2)  # (B, T, h, w)
        return inside & known & self.mask.unsqueeze(1)


def size_mask(sizes: Tensor, height: int, width: int) -> Tensor:
    """The mask of a padded batch.

    Args:
        sizes: (B, 2) true height and width of each image, in pixels or cells.
        height: padded height H, same unit.
        width: padded width W, same unit.

    Returns:
        (B, H, W) bool, true where there is image.
    """
    rows = torch.arange(height, device=sizes.device) < sizes[:, :1]  # (B, H)
    columns = torch.arange(width, device=sizes.device) < sizes[:, 1:]  # (B, W)
    return rows.unsqueeze(2) & columns.unsqueeze(1)  # (B, H, W)
