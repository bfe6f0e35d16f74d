"""Hierarchical attention: p(z) = sum over z' of p(z') p(z | z'), summed exactly.

Section 4 of Deng et al. 2017. Both levels are softmaxes. A step costs more than one of standard
attention; a trained model initialises the sparse attentions, which have the same parameters.
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
        coarse, fine = self.project_queries(query)
        coarse_probs = memory.coarse.masked_scores(coarse).softmax(2)  # (B, K, M)
        return full_attention(coarse_probs, fine, memory, memory.fine.count.expand(query.shape[:2]))


def full_attention(
    coarse_probs: Tensor,
    query: Tensor,
    memory: TwoLevelMemory,
    fine_lookups: Tensor,
    supervised_probs: Tensor | None = None,
) -> AttentionOutput:
    """Attends to all blocks; all fine cells are scored.

    Args:
        coarse_probs: p(z'), (B, K, M).
        query: (B, K, D), projected for the fine level.
        memory: of B images.
        fine_lookups: (B, K) number of fine cells to report as scored.
        supervised_probs: (B, K, M) replaces p(z') in the weights that the guided attention loss
            trains; p(z') itself if not given.
    """
    blocks = memory.blocks
    inner = blocks.softmax(memory.fine.scores(query))  # (B, K, M, S)
    weights = blocks.from_blocks(coarse_probs.unsqueeze(3) * inner)  # (B, K, N)

    def supervised_weights() -> Tensor:
        assert supervised_probs is not None
        return blocks.from_blocks(supervised_probs.unsqueeze(3) * inner)

    return AttentionOutput(
        memory.fine.weighted_sum(weights),
        weights,
        None,
        memory.coarse.count.expand(coarse_probs.shape[:2]),
        fine_lookups,
        coarse_weights=coarse_probs,
        supervised_weights=None if supervised_probs is None else supervised_weights,
    )
