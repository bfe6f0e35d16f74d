"""Sparsemax attention: hierarchical attention with a sparsemax over the coarse cells.

Section 4 of Deng et al. 2017. Blocks with p(z') = 0 need not be scored: a step costs h' w' + K s s
look-ups, with K the size of the support. Without gradients only the blocks of the support are
gathered, those of all queries in one list. A batch whose supports contain most of its cells is read
densely instead, which is faster then.

-log p has no useful gradient for a sparsemax: it grows without bound towards p = 0 and is zero at
p = 0. The guided attention loss (`decoders.alignment_losses`) therefore trains the softmax of the
same scores, which has the same order.
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
"""Cost of gathering one cell, relative to reading it densely. `benchmarks/attention_cost.py`
measures 0.7 to 1.7 on a CPU, and 2 to 19 where few cells are gathered at a time."""


@ATTENTIONS.register("sparsemax")
class SparsemaxAttention(CoarseToFine):
    """Sparsemax over coarse cells, softmax over the fine cells of each; see `CoarseToFine`."""

    def forward(
        self, query: Tensor, memory: TwoLevelMemory, state: Tensor | None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        coarse, fine = self.project_queries(query)
        scores = memory.coarse.masked_scores(coarse)
        del coarse  # frees its memory before cells are gathered
        coarse_probs = sparsemax(scores)  # (B, K, M)
        lookups = ((coarse_probs > 0) * memory.blocks.sizes.unsqueeze(1)).sum(2)  # (B, K)
        if torch.is_grad_enabled():
            return full_attention(coarse_probs, fine, memory, lookups, scores.softmax(2))
        queries, blocks = coarse_probs.flatten(0, 1).nonzero(as_tuple=True)  # (P,) each
        if GATHER_COST * memory.blocks.cells.shape[1] * len(blocks) > memory.fine.mask.numel():
            return full_attention(coarse_probs, fine, memory, lookups)
        return gathered_attention(coarse_probs, fine, memory, lookups, queries, blocks)


def gathered_attention(
    coarse_probs: Tensor,
    query: Tensor,
    memory: TwoLevelMemory,
    fine_lookups: Tensor,
    queries: Tensor,
    blocks: Tensor,
) -> AttentionOutput:
    """Attends to P blocks; only their cells are scored.

    Args:
        coarse_probs: p(z'), (B, K, M), zero for all other blocks.
        query: (B, K, D), projected for the fine level.
        memory: of B images.
        fine_lookups: (B, K) number of fine cells to report as scored.
        queries: (P,) index of the query that chose each block, b * K + k.
        blocks: (P,) index of each block in its image.
    """
    b, k, m = coarse_probs.shape
    block_probs = coarse_probs.flatten(0, 1)[queries, blocks].unsqueeze(1)  # (P, 1)
    chosen = queries // k * m + blocks
    rows = query.flatten(0, 1)
    context = torch.zeros_like(rows, dtype=memory.fine.features.dtype)  # (B K, D)
    weights = block_probs.new_empty(len(chosen), memory.blocks.cells.shape[1])  # (P, S)
    for chunk in chunk_blocks(memory, k, chosen):
        owners = queries[chunk]
        part, weights[chunk] = attend_to_blocks(memory, rows[owners], chosen[chunk])
        context.index_add_(0, owners, (part * block_probs[chunk]).to(context.dtype))
    return AttentionOutput(
        context.reshape(b, k, -1),
        lambda: scatter_to_grid(memory, weights * block_probs, queries, chosen, k),
        None,
        memory.coarse.count.expand(b, k),
        fine_lookups,
        coarse_weights=coarse_probs,
    )
