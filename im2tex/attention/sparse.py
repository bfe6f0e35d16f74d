"""Sparsemax attention: hierarchical attention whose coarse softmax is a sparsemax.

Section 4 of Deng et al. 2017. CoarseToFineIndex with p(z') = 0 need not be looked at: a step costs
H' W' + K s s look-ups with K the size of the support. Without gradients only the support's blocks
are read, of all queries in one list, so that a wide support costs no other query anything; a
batch whose supports hold most of its cells is read as a whole instead, which is faster then.

-log of a sparsemax cannot be trained: towards p = 0 its gradient grows without bound, at p = 0 it
is zero. Guided attention (`decoders.alignment_losses`) therefore uses the softmax of the same
scores, which has the same order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from im2tex.attention.base import ATTENTIONS, AttentionOutput
from im2tex.attention.coarse_to_fine import (
    CoarseToFine,
    TwoLevelMemory,
    attend_to_blocks,
    chunk_blocks,
    scatter_to_grid,
)
from im2tex.attention.hierarchical import full_attention
from im2tex.attention.sparsemax import sparsemax

GATHER_COST = 1.5
"""What a cell that is taken out costs, in cells of a grid that is read as a whole. On a CPU
`benchmarks/attention_cost.py` finds 0.7 to 1.7 mostly; 2 to 19 where few are taken out at a time,
be it that there are no more or that more would take more memory (`pieces`)."""


@ATTENTIONS.register("sparsemax")
class SparsemaxAttention(CoarseToFine):
    """Sparsemax over coarse cells, softmax over the fine cells of each; see `CoarseToFine`."""

    def forward(
        self, query: Tensor, memory: TwoLevelMemory, state: Tensor | None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        coarse, fine = self.queries(query)
        scores = memory.coarse.masked_scores(coarse)
        del coarse  # not held beside the cells taken out
        choice = sparsemax(scores)  # (B, K, M)
        looked = ((choice > 0) * memory.blocks.sizes.unsqueeze(1)).sum(2)  # (B, K)
        if torch.is_grad_enabled():
            return full_attention(choice, fine, memory, looked, taught=scores.softmax(2))
        queries, blocks = choice.flatten(0, 1).nonzero(as_tuple=True)  # (P,) each
        if GATHER_COST * memory.blocks.cells.shape[1] * len(blocks) > memory.fine.mask.numel():
            return full_attention(choice, fine, memory, looked)
        return gathered(choice, fine, memory, looked, queries, blocks)


def gathered(
    choice: Tensor,
    query: Tensor,
    memory: TwoLevelMemory,
    looked: Tensor,
    queries: Tensor,
    blocks: Tensor,
) -> AttentionOutput:
    """The output of p(z') over P blocks, the only ones whose cells are scored.

    Args:
        choice: p(z'), (B, K, M), zero for all other blocks.
        query: (B, K, D), projected for the fine level.
        memory: of B images.
        looked: (B, K) fine cells that count as looked at.
        queries: (P,) which query chose a block: b * K + k.
        blocks: (P,) which block of its image it is.
    """
    b, k, m = choice.shape
    share = choice.flatten(0, 1)[queries, blocks].unsqueeze(1)  # (P, 1)
    chosen = queries // k * m + blocks
    rows = query.flatten(0, 1)
    context = torch.zeros_like(rows, dtype=memory.fine.features.dtype)  # (B K, D)
    inner = share.new_empty(len(chosen), memory.blocks.cells.shape[1])  # (P, S)
    for some in chunk_blocks(memory, k, chosen):
        asking = queries[some]
        part, inner[some] = attend_to_blocks(memory, rows.index_select(0, asking), chosen[some])
        context.index_add_(0, asking, (part * share[some]).to(context.dtype))
    return AttentionOutput(
        context.reshape(b, k, -1),
        lambda: scatter_to_grid(memory, inner * share, queries, chosen, k),
        None,
        memory.coarse.count.expand(b, k),
        looked,
        coarse_weights=choice,
    )
