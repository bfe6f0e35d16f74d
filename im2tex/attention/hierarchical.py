"""Hierarchical attention: p(z) = sum over z' of p(z') p(z | z'), summed exactly.

Section 4 of Deng et al. 2017. Both levels are softmaxes. It costs as much as standard attention
and more; what it is good for is to start the sparse ones from, which have its parameters.
"""

from __future__ import annotations

from torch import Tensor

from im2tex.attention.base import ATTENTIONS, AttentionOutput
from im2tex.attention.coarse_to_fine import CoarseToFine, TwoLevelMemory


@ATTENTIONS.register("hierarchical")
class HierarchicalAttention(CoarseToFine):
    """Softmax over coarse cells, and over the fine cells of each; see `CoarseToFine`."""

    def forward(
        self, query: Tensor, memory: TwoLevelMemory, state: Tensor | None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        coarse, fine = self.queries(query)
        choice = memory.coarse.masked_scores(coarse).softmax(2)  # (B, K, M)
        return full_attention(choice, fine, memory, memory.fine.count.expand(query.shape[:2]))


def full_attention(
    choice: Tensor,
    query: Tensor,
    memory: TwoLevelMemory,
    looked: Tensor,
    taught: Tensor | None = None,
) -> AttentionOutput:
    """The output of p(z') over every block, all fine cells scored.

    Args:
        choice: p(z'), (B, K, M).
        query: (B, K, D), projected for the fine level.
        memory: of B images.
        looked: (B, K) fine cells that count as looked at.
        taught: (B, K, M) what stands for p(z') in guided attention; p(z') itself if not given.
    """
    blocks = memory.blocks
    inner = blocks.softmax(memory.fine.scores(query))  # (B, K, M, S)
    weights = blocks.from_blocks(choice.unsqueeze(3) * inner)  # (B, K, N)
    return AttentionOutput(
        memory.fine.weighted_sum(weights),
        weights,
        None,
        memory.coarse.count.expand(choice.shape[:2]),
        looked,
        coarse_weights=choice,
        supervised_weights=None
        if taught is None
        else lambda: blocks.from_blocks(taught.unsqueeze(3) * inner),
    )
