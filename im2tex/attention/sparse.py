"""Sparsemax attention: hierarchical attention whose coarse softmax is a sparsemax.

Section 4.2 of Deng et al. 2017. Blocks with p(z') = 0 need not be looked at: a step costs
H' W' + K s s look-ups with K the size of the support. Without gradients only the support's blocks
are read, of all queries in one list, so that a wide support costs no other query anything; a
batch whose supports hold most of its cells is read as a whole instead, which is faster then.
"""

from __future__ import annotations

import torch
from torch import Tensor

from im2tex.attention.base import ATTENTIONS, Glimpse
from im2tex.attention.coarse_to_fine import CoarseToFine, Levels, look, spread
from im2tex.attention.hierarchical import mixture
from im2tex.attention.sparsemax import sparsemax

PRICE = 2
"""What a cell costs that is taken out, in cells of a grid that is read as a whole: it is read,
written and read twice, where those are read twice."""


@ATTENTIONS.register("sparsemax")
class SparsemaxAttention(CoarseToFine):
    """Sparsemax over coarse cells, softmax over the fine cells of each; see `CoarseToFine`."""

    def forward(self, query: Tensor, memory: Levels, state: Tensor | None) -> Glimpse:
        """See `Attention.forward`."""
        coarse, fine = self.queries(query)
        choice = sparsemax(memory.coarse.scores(coarse), memory.coarse.mask)  # (B, K, M)
        if torch.is_grad_enabled():
            return mixture(choice, fine, memory)
        images, beams, blocks = choice.nonzero(as_tuple=True)  # (P,) each
        if PRICE * memory.blocks.cells.shape[1] * len(blocks) > memory.fine.mask.numel():
            return mixture(choice, fine, memory)
        return gathered(choice, fine, memory, images, beams, blocks)


def gathered(
    choice: Tensor, query: Tensor, memory: Levels, images: Tensor, beams: Tensor, blocks: Tensor
) -> Glimpse:
    """The glimpse of p(z') over P blocks, the only ones whose cells are scored.

    Args:
        choice: p(z'), (B, K, M), zero for all other blocks.
        query: (B, K, D), projected for the fine level.
        memory: of B images.
        images: (P,) whose block it is.
        beams: (P,) which query chose it.
        blocks: (P,) which one it is.
    """
    b, k, _ = choice.shape
    rows, inner = look(memory, query[images, beams], images, blocks)  # (P, S, D), (P, S)
    weights = inner * choice[images, beams, blocks].unsqueeze(1)  # (P, S)
    parts = (weights.unsqueeze(1).to(rows.dtype) @ rows).squeeze(1)  # (P, D)
    queries = images * k + beams  # (P,)
    context = parts.new_zeros(b * k, parts.shape[1]).index_add_(0, queries, parts)
    sizes = memory.blocks.sizes[images, blocks]
    looked = sizes.new_zeros(b * k).index_add_(0, queries, sizes)
    return Glimpse(
        context.reshape(b, k, -1),
        lambda: spread(memory, weights, queries, blocks, k),
        None,
        memory.coarse.mask.sum(1, keepdim=True, dtype=torch.float32).expand(b, k),
        looked.reshape(b, k),
        coarse_weights=choice,
    )
