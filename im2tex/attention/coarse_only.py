"""Coarse-only attention: a softmax over the coarse cells, whose features are the context.

The baseline of Deng et al. 2017 that never looks at the fine grid. What it says of fine cells is
for pictures: the weight of a coarse cell, shared evenly by the fine cells of its block. The fine
grid's row encoder is not used and learns nothing: on several devices, train with
`--trainer.strategy ddp_find_unused_parameters_true`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from im2tex.attention.base import ATTENTIONS, Attention, AttentionOutput
from im2tex.attention.coarse_to_fine_index import CoarseToFineIndex
from im2tex.attention.flat_grid import FlatGrid
from im2tex.grid import Grid


@dataclass(frozen=True, slots=True)
class CoarseMemory:
    """The coarse cells of a grid, and the blocks that they stand for."""

    coarse: FlatGrid
    blocks: CoarseToFineIndex


@ATTENTIONS.register("coarse_only")
class CoarseOnlyAttention(Attention):
    """A softmax over every coarse cell.

    Args:
        query_width: Q, given by the decoder.
        width: D of the fine grid, given by the encoder: what the decoder takes a context for.
        coarse_width: D' of the coarse grid, given by the encoder.

    Raises:
        ValueError: if the levels differ in width.
    """

    needs_coarse = True

    def __init__(self, query_width: int, width: int, coarse_width: int) -> None:
        super().__init__()
        if coarse_width != width:
            raise ValueError(
                f"the coarse cells take the place of the fine ones, but have {coarse_width} "
                f"features where those have {width}; make them equal"
            )
        self.project_coarse = nn.Linear(query_width, coarse_width, bias=False)

    def prepare(self, grid: Grid) -> CoarseMemory:
        """See `Attention.prepare`."""
        blocks = CoarseToFineIndex.of(grid)
        assert grid.coarse is not None  # or there were no blocks
        return CoarseMemory(FlatGrid.of(grid.coarse), blocks)

    def select(self, memory: CoarseMemory, images: Tensor) -> CoarseMemory:
        """See `Attention.select`."""
        return CoarseMemory(memory.coarse.select(images), memory.blocks.select(images))

    def forward(self, query: Tensor, memory: CoarseMemory, state: Tensor | None) -> AttentionOutput:
        """See `Attention.forward`."""
        coarse, blocks = memory.coarse, memory.blocks
        weights = coarse.masked_scores(self.project_coarse(query)).softmax(2)  # (B, K, M)

        def fine() -> Tensor:
            share = weights / blocks.sizes.clamp_min(1).unsqueeze(1)  # (B, K, M)
            return blocks.from_blocks(share.unsqueeze(3) * ~blocks.padding_mask.unsqueeze(1))

        looked = coarse.count.expand(weights.shape[:2])
        return AttentionOutput(
            coarse.weighted_sum(weights),
            fine,
            None,
            looked,
            torch.zeros_like(looked),
            coarse_weights=weights,
        )
