"""`CoarseToFineIndex`: which fine cells lie in which coarse cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from im2tex.grid import Grid


@dataclass(frozen=True, slots=True)
class CoarseToFineIndex:
    """The h x w fine cells, grouped by the coarse cell that they lie in.

    There are M = h' w' blocks of S = s s positions, both in row-major order. Positions beyond the
    edge of the grid or outside the mask are padding.

    Attributes:
        size: (h, w).
        block: sides of a block in fine cells, (vertical, horizontal).
        cells: (M, S) index of the fine cell at each position; 0 beyond the edge.
        rows: (B M, S) index of the same cells among all cells of the batch, b * h w + n.
        padding_mask: (B, M, S) bool, true for padding.
        sizes: (B, M) float, number of fine cells in each block, without padding.
    """

    size: tuple[int, int]
    block: tuple[int, int]
    cells: Tensor
    rows: Tensor
    padding_mask: Tensor
    sizes: Tensor

    @classmethod
    def of(cls, grid: Grid) -> CoarseToFineIndex:
        """The index of a grid.

        Raises:
            ValueError: if the grid has no coarse grid that covers it.
        """
        _, h, w = grid.mask.shape
        indices = torch.arange(h * w, device=grid.mask.device).reshape(1, 1, -1)
        cells = _to_blocks(indices, (h, w), grid.block)[0, 0]
        inside = _to_blocks(grid.mask.reshape(-1, 1, h * w).long(), (h, w), grid.block)[:, 0]
        sizes = inside.sum(2, dtype=torch.float32)
        rows = _batch_rows(cells, len(inside), h * w)
        return cls((h, w), grid.block, cells, rows, inside == 0, sizes)

    def select(self, images: Tensor) -> CoarseToFineIndex:
        """The index of some of the images, (B',) indices."""
        return replace(
            self,
            rows=_batch_rows(self.cells, len(images), self.size[0] * self.size[1]),
            padding_mask=self.padding_mask[images],
            sizes=self.sizes[images],
        )

    def to_blocks(self, values: Tensor) -> Tensor:
        """Fine cells to blocks: (B, K, h w) -> (B, K, M, S), zero beyond the edge."""
        return _to_blocks(values, self.size, self.block)

    def from_blocks(self, values: Tensor) -> Tensor:
        """Blocks to fine cells: (B, K, M, S) -> (B, K, h w)."""
        (h, w), (down, right) = self.size, self.block
        b, k = values.shape[:2]
        values = values.reshape(b, k, -(-h // down), -(-w // right), down, right)
        values = values.transpose(3, 4)  # (B, K, h', w', s, s) -> (B, K, h', s, w', s)
        values = values.reshape(b, k, -(-h // down) * down, -1)
        return values[:, :, :h, :w].reshape(b, k, h * w)

    def softmax(self, scores: Tensor) -> Tensor:
        """p(z | z') of every block.

        Args:
            scores: (B, K, h w).

        Returns:
            (B, K, M, S): sums to 1 in each block that has a cell and is zero at its padding;
            finite in the other blocks, which have p(z') = 0.
        """
        return block_softmax(self.to_blocks(scores), self.padding_mask.unsqueeze(1))


def block_softmax(scores: Tensor, padding_mask: Tensor) -> Tensor:
    """Softmax over the cells of a block in at least float32; finite in a block without cells.

    Args:
        scores: (..., S).
        padding_mask: (..., S) bool, true for padding.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return scores.masked_fill(padding_mask, torch.finfo(scores.dtype).min).softmax(-1)


def _batch_rows(cells: Tensor, images: int, n: int) -> Tensor:
    starts = n * torch.arange(images, device=cells.device)
    return (starts.reshape(-1, 1, 1) + cells).flatten(0, 1)  # (B, M, S) -> (B M, S)


def _to_blocks(values: Tensor, size: tuple[int, int], block: tuple[int, int]) -> Tensor:
    (h, w), (down, right) = size, block
    b, k = values.shape[:2]
    values = values.reshape(b, k, h, w)
    if h % down or w % right:
        values = nn.functional.pad(values, (0, -w % right, 0, -h % down))
    values = values.reshape(b, k, -(-h // down), down, -(-w // right), right)
    # (B, K, h', s, w', s) -> (B, K, h', w', s, s) -> (B, K, M, S)
    return values.transpose(3, 4).reshape(b, k, -1, down * right)
