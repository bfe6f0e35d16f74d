"""Hierarchical attention: p(z) = sum over z' of p(z') p(z | z'), summed exactly.

Section 4 of Deng et al. 2017. Both levels are softmaxes. It costs as much as standard attention
and more; what it is good for is to start the sparse ones from, which have its parameters.
"""

from __future__ import annotations

from torch import Tensor

from im2tex.attention.base import ATTENTIONS, Glimpse
from im2tex.attention.coarse_to_fine import CoarseToFine, Levels


@ATTENTIONS.register("hierarchical")
class HierarchicalAttention(CoarseToFine):
    """Softmax over coarse cells, and over the fine cells of each; see `CoarseToFine`."""

    def forward(self, query: Tensor, memory: Levels, state: Tensor | None) -> Glimpse:
        """See `Attention.forward`."""
        coarse, fine = self.queries(query)
        choice = memory.coarse.masked_scores(coarse).softmax(2)  # (B, K, M)
        return mixture(choice, fine, memory, memory.fine.count.expand(query.shape[:2]))


def mixture(
    choice: Tensor, query: Tensor, memory: Levels, looked: Tensor, taught: Tensor | None = None
) -> Glimpse:
    """The glimpse of p(z') over every block, all fine cells scored.

    Args:
        choice: p(z'), (B, K, M).
        query: (B, K, D), projected for the fine level.
        memory: of B images.
        looked: (B, K) fine cells that count as looked at.
        taught: (B, K, M) what stands for p(z') in guided attention; p(z') itself if not given.
    """
    blocks = memory.blocks
    inner = blocks.softmax(memory.fine.scores(query))  # (B, K, M, S)
    weights = blocks.join(choice.unsqueeze(3) * inner)  # (B, K, N)
    return Glimpse(
        memory.fine.mix(weights),
        weights,
        None,
        memory.coarse.count.expand(choice.shape[:2]),
        looked,
        coarse_weights=choice,
        guided=None if taught is None else lambda: blocks.join(taught.unsqueeze(3) * inner),
    )
