"""Coarse-only attention: a softmax over the coarse cells, whose features are the context.

A baseline of Deng et al. 2017: c = sum over z' of p(z') v_z'. Its weights of fine cells are for
visualisation: the weight of a coarse cell is divided evenly among the fine cells of its block. The
fine grid's row encoder gets no gradient: on several devices, train with
`--trainer.strategy ddp_find_unused_parameters_true`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from im2tex.attention.base import ATTENTIONS, AttentionOutput
from im2tex.attention.coarse_to_fine import TwoLevelAttention, TwoLevelMemory


@ATTENTIONS.register("coarse_only")
class CoarseOnlyAttention(TwoLevelAttention):
    """A softmax over every coarse cell.

    Args:
        query_width: Q, given by the decoder.
        width: D of the fine grid, given by the encoder; the decoder expects contexts of this width.
        coarse_width: D' of the coarse grid, given by the encoder.

    Raises:
        ValueError: if the levels differ in width.
    """

    def __init__(self, query_width: int, width: int, coarse_width: int) -> None:
        super().__init__()
        if coarse_width != width:
            raise ValueError(
                f"coarse cells must have as many features as fine ones, got {coarse_width} and "
                f"{width}"
            )
        self.project_coarse = nn.Linear(query_width, coarse_width, bias=False)

    def forward(
        self, query: Tensor, memory: TwoLevelMemory, state: Tensor | None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        coarse, blocks = memory.coarse, memory.blocks
        weights = coarse.masked_scores(self.project_coarse(query)).softmax(2)  # (B, K, M)

        def fine_weights() -> Tensor:
            cell_weights = weights / blocks.sizes.clamp_min(1).unsqueeze(1)  # (B, K, M)
            return blocks.from_blocks(cell_weights.unsqueeze(3) * ~blocks.padding_mask.unsqueeze(1))

        lookups = coarse.count.expand(weights.shape[:2])
        return AttentionOutput(
            coarse.weighted_sum(weights),
            fine_weights,
            None,
            lookups,
            torch.zeros_like(lookups),
            coarse_weights=weights,
        )
