"""What the coarse-to-fine attentions have in common: two levels and their two scores.

Section 4 of Deng et al. 2017: p(z) = sum over z' of p(z') p(z | z'), where a fine cell z lies in
exactly one coarse cell z', its block. The context is made of fine features alone. Scores are
bilinear, as in the released code of standard attention. The paper does not say whether its two
levels share the weight of the score; here each has its own unless told to share.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from im2tex.attention.base import Attention
from im2tex.attention.blocks import Blocks, inner_softmax
from im2tex.attention.cells import Cells
from im2tex.grid import Grid


@dataclass(frozen=True, slots=True)
class Levels:
    """A grid of two levels.

    Attributes:
        coarse: M cells.
        fine: N cells.
        blocks: which fine cells lie in which coarse one.
    """

    coarse: Cells
    fine: Cells
    blocks: Blocks


class CoarseToFine(Attention):
    """Two levels and their scores.

    Args:
        query_width: Q, given by the decoder.
        width: D of the fine grid, given by the encoder.
        coarse_width: D' of the coarse grid, given by the encoder.
        share: use one weight for the scores of both levels.

    Raises:
        ValueError: if the levels are to share a weight and differ in width.
    """

    needs_coarse = True

    def __init__(
        self, query_width: int, width: int, coarse_width: int, share: bool = False
    ) -> None:
        super().__init__()
        if share and coarse_width != width:
            raise ValueError(
                f"share scores both levels by one weight, but fine cells have {width} features "
                f"and coarse ones {coarse_width}; leave it out"
            )
        self.project = nn.Linear(query_width, width, bias=False)
        self.project_coarse = None if share else nn.Linear(query_width, coarse_width, bias=False)

    def prepare(self, grid: Grid) -> Levels:
        """See `Attention.prepare`."""
        blocks = Blocks.of(grid)
        assert grid.coarse is not None  # or there were no blocks
        return Levels(Cells.of(grid.coarse), Cells.of(grid), blocks)

    def select(self, memory: Levels, images: Tensor) -> Levels:
        """See `Attention.select`."""
        return Levels(
            memory.coarse.select(images), memory.fine.select(images), memory.blocks.select(images)
        )

    def queries(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Queries (B, K, Q) as the coarse and the fine level score them: (B, K, D'), (B, K, D)."""
        fine = self.project(query)
        return fine if self.project_coarse is None else self.project_coarse(query), fine


def look(memory: Levels, query: Tensor, images: Tensor, blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Attends to P blocks, each by itself, and reads no other cell.

    Args:
        memory: of B images.
        query: (P, D), projected.
        images: (P,) which image.
        blocks: (P,) which of its blocks.

    Returns:
        The features of the blocks' cells (P, S, D), and p(z | z') (P, S).
    """
    cells = memory.blocks.cells[blocks]  # (P, S)
    rows = memory.fine.rows(cells + (images * memory.fine.features.shape[1]).unsqueeze(1))
    scores = (rows @ query.to(rows.dtype).unsqueeze(2)).squeeze(2)  # (P, S, D) -> (P, S)
    return rows, inner_softmax(scores, memory.blocks.outside[images, blocks])


def spread(memory: Levels, weights: Tensor, queries: Tensor, blocks: Tensor, beam: int) -> Tensor:
    """Weights of a few blocks, written out over all fine cells.

    Args:
        memory: of B images.
        weights: (P, S).
        queries: (P,) whose weights they are: b * K + k.
        blocks: (P,) which blocks.
        beam: K.

    Returns:
        (B, K, N).
    """
    b, n = memory.fine.mask.shape
    index = memory.blocks.cells[blocks] + (queries * n).unsqueeze(1)  # (P, S)
    empty = weights.new_zeros(b * beam * n)
    # Places that are no cell have the number 0 and the weight 0.
    return empty.index_add(0, index.flatten(), weights.flatten()).reshape(b, beam, n)
