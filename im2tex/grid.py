"""`Grid`: the output of an encoder, and the input of a decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Grid:
    """A batch of feature maps, such as the grid V of Deng et al. 2017.

    Example:
        >>> Grid(torch.zeros(2, 4, 16, 64), torch.ones(2, 4, 16, dtype=torch.bool), (8, 8))

    Attributes:
        features: (B, h, w, D).
        mask: (B, h, w) bool, true for cells of the image, false for padding.
        stride: (vertical, horizontal) size of a cell in pixels of the image.
        coarse: a coarser grid of the same images, for coarse-to-fine attention: for a ratio s of
            the strides, h' = ceil(h / s) and w' = ceil(w / s).
    """

    features: Tensor
    mask: Tensor
    stride: tuple[int, int]
    coarse: Grid | None = None

    @property
    def block(self) -> tuple[int, int]:
        """Number of fine cells in a coarse cell, (vertical, horizontal); (4, 4) in the paper.

        Fine cell (i, j) lies in coarse cell (i // block[0], j // block[1]); blocks at the bottom
        and right edges may be smaller.

        Raises:
            ValueError: if there is no coarse grid, or the sizes and strides do not match.
        """
        if self.coarse is None:
            raise ValueError("this grid has no coarse grid")
        fine, coarse = self.mask.shape[1:], self.coarse.mask.shape[1:]
        block = tuple(max(1, c // f) for c, f in zip(self.coarse.stride, self.stride, strict=True))
        expected = tuple(-(-n // side) for n, side in zip(fine, block, strict=True))
        strides = tuple(side * f for side, f in zip(block, self.stride, strict=True))
        if strides != self.coarse.stride or expected != tuple(coarse):
            raise ValueError(
                f"the coarse grid must have {expected} cells and a stride that is a multiple of "
                f"{self.stride}, got {tuple(coarse)} cells and stride {self.coarse.stride}"
            )
        return block[0], block[1]

    def cells_overlapping(self, boxes: Tensor) -> Tensor:
        """The cells that overlap boxes in the image.

        A cell includes its left and top edges only, a box all of its edges: a box of one point
        overlaps exactly one cell.

        Args:
            boxes: (B, T, 4) left, top, right, bottom in pixels; right < left for no box.

        Returns:
            (B, T, h, w) bool; false for no box, and outside the mask.
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
        sizes: (B, 2) height and width of each image, in pixels or cells.
        height: padded height H, in the same unit.
        width: padded width W, in the same unit.

    Returns:
        (B, H, W) bool, true for the image, false for padding.
    """
    rows = torch.arange(height, device=sizes.device) < sizes[:, :1]  # (B, H)
    columns = torch.arange(width, device=sizes.device) < sizes[:, 1:]  # (B, W)
    return rows.unsqueeze(2) & columns.unsqueeze(1)  # (B, H, W)
