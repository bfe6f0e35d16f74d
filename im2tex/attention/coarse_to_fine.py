"""The two levels of coarse-to-fine attention and their scores.

Section 4 of Deng et al. 2017:

    p(z) = sum over z' of p(z') p(z | z'),   c = sum over z of p(z) v_z,

where each fine cell z lies in one coarse cell z', its block. Scores are bilinear, h^T W v, as in
the released code of standard attention. The paper does not state whether both levels have the same
W; here each has its own by default.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from im2tex.attention.base import Attention
from im2tex.attention.coarse_to_fine_index import CoarseToFineIndex, block_softmax
from im2tex.attention.flat_grid import FlatGrid
from im2tex.grid import Grid

MAX_GATHERED_FEATURES = 2**18
"""Most features gathered at a time on a CPU: few enough for its cache and for an allocation that is
reused at the next step."""

SMALL_SCORE_COUNT = 2**15
"""Above this number of standard attention's scores, no more features than scores are gathered at a
time without gradients, so that a step takes less memory than one of standard attention."""


@dataclass(frozen=True, slots=True)
class TwoLevelMemory:
    """A grid of two levels.

    Attributes:
        coarse: M cells.
        fine: N cells.
        blocks: which fine cells lie in which coarse cell.
    """

    coarse: FlatGrid
    fine: FlatGrid
    blocks: CoarseToFineIndex


class TwoLevelAttention(Attention):
    """An attention whose memory has the fine and the coarse cells."""

    needs_coarse = True

    def prepare(self, grid: Grid) -> TwoLevelMemory:
        """See `Attention.prepare`."""
        blocks = CoarseToFineIndex.of(grid)
        assert grid.coarse is not None  # or the line above raises
        return TwoLevelMemory(FlatGrid.of(grid.coarse), FlatGrid.of(grid), blocks)

    def select(self, memory: TwoLevelMemory, images: Tensor) -> TwoLevelMemory:
        """See `Attention.select`."""
        return TwoLevelMemory(
            memory.coarse.select(images), memory.fine.select(images), memory.blocks.select(images)
        )


class CoarseToFine(TwoLevelAttention):
    """Two levels and their scores.

    Args:
        query_width: Q, given by the decoder.
        width: D of the fine grid, given by the encoder.
        coarse_width: D' of the coarse grid, given by the encoder.
        share_projection: use one W for the scores of both levels.

    Raises:
        ValueError: if the levels share a projection and differ in width.
    """

    def __init__(
        self, query_width: int, width: int, coarse_width: int, share_projection: bool = False
    ) -> None:
        super().__init__()
        if share_projection and coarse_width != width:
            raise ValueError(
                f"share_projection needs as many coarse features as fine ones, got {coarse_width} "
                f"and {width}; leave it out"
            )
        self.project = nn.Linear(query_width, width, bias=False)
        self.project_coarse = (
            None if share_projection else nn.Linear(query_width, coarse_width, bias=False)
        )

    def project_queries(self, query: Tensor) -> tuple[Tensor, Tensor]:
        """Queries (B, K, Q) for the coarse and the fine level: (B, K, D'), (B, K, D)."""
        fine = self.project(query)
        return fine if self.project_coarse is None else self.project_coarse(query), fine


def attend_to_blocks(
    memory: TwoLevelMemory, query: Tensor, chosen: Tensor
) -> tuple[Tensor, Tensor]:
    """Attends to one block for each of P queries, and reads no other cell.

    Args:
        memory: of B images.
        query: (P, D), projected.
        chosen: (P,) indices of blocks in the batch, b * M + m.

    Returns:
        The contexts (P, D), and p(z | z') (P, S).
    """
    blocks = memory.blocks
    rows = memory.fine.rows(blocks.rows.index_select(0, chosen))  # (P, S, D)
    # One row times a matrix: a matrix times one column takes ten times as long on a CPU.
    scores = query.to(rows.dtype).unsqueeze(1) @ rows.transpose(1, 2)  # (P, 1, S)
    padding_mask = blocks.padding_mask.flatten(0, 1).index_select(0, chosen)  # (P, S)
    weights = block_softmax(scores, padding_mask.unsqueeze(1))
    return (weights.to(rows.dtype) @ rows).squeeze(1), weights.squeeze(1)


def chunk_blocks(memory: TwoLevelMemory, beam: int, chosen: Tensor) -> list[slice]:
    """Splits a list of blocks into chunks whose cells are gathered together.

    Args:
        memory: of B images.
        beam: K queries of each image.
        chosen: (P,) blocks.
    """
    size = max(1, len(chosen))
    if chosen.device.type == "cpu":
        limit = MAX_GATHERED_FEATURES
        scores = beam * memory.fine.mask.numel()
        # With gradients all gathered features are kept anyway.
        if scores > SMALL_SCORE_COUNT and not torch.is_grad_enabled():
            limit = min(limit, scores)
        size = max(1, limit // (memory.blocks.cells.shape[1] * memory.fine.features.shape[2]))
    return [slice(start, start + size) for start in range(0, max(1, len(chosen)), size)]


def scatter_to_grid(
    memory: TwoLevelMemory, weights: Tensor, queries: Tensor, chosen: Tensor, beam: int
) -> Tensor:
    """Writes the weights of P blocks into a tensor of all fine cells.

    Args:
        memory: of B images.
        weights: (P, S).
        queries: (P,) index of the query of each, b * K + k.
        chosen: (P,) indices of blocks in the batch, b * M + m.
        beam: K.

    Returns:
        (B, K, N).
    """
    b, n = memory.fine.mask.shape
    cells = memory.blocks.cells[chosen % len(memory.blocks.cells)]  # (P, S)
    index = cells + (queries * n).unsqueeze(1)
    # Padding has the index 0 and the weight 0.
    zeros = weights.new_zeros(b * beam * n)
    return zeros.index_add(0, index.flatten(), weights.flatten()).reshape(b, beam, n)
