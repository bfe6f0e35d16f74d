"""Hard attention: one coarse cell is chosen, and only the cells of its block are looked at.

Section 4 of Deng et al. 2017 ("C2F"). In training z' is drawn from p(z'), otherwise it is the
likeliest; inside the block there is a softmax. A step costs H' W' + s s look-ups, in training as
in use. The choice has no gradient: the output holds log p(z') of the draw, and the decoder
trains it by REINFORCE (`decoders.reinforce`). Start it from a trained hierarchical model, as the
paper does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from im2tex.attention.base import ATTENTIONS, AttentionOutput, ReinforceOptions
from im2tex.attention.coarse_to_fine import (
    CoarseToFine,
    TwoLevelMemory,
    attend_to_blocks,
    chunk_blocks,
    scatter_to_grid,
)


@ATTENTIONS.register("hard")
class HardAttention(CoarseToFine):
    """One block a step; see `CoarseToFine` for its parameters and `ReinforceOptions`.

    The weights it gives are those of the chosen block; `coarse_weights` are p(z'), that it chose
    from.

    Args:
        query_width: Q, given by the decoder.
        width: D of the fine grid, given by the encoder.
        coarse_width: D' of the coarse grid, given by the encoder.
        share_projection: use one weight for the scores of both levels.
        samples: paths drawn an image in training.
        discount: gamma of the return; the paper's is 0.5.
        baseline_rate: weight of the new value in each step's moving average of returns.
        entropy: weight of a bonus for the entropy of p(z').
        reward_scale: factor of the reward.

    Raises:
        ValueError: if a value is out of range, or the levels are to share a weight and differ in
            width.
    """

    def __init__(
        self,
        query_width: int,
        width: int,
        coarse_width: int,
        share_projection: bool = False,
        samples: int = 1,
        discount: float = 0.5,
        baseline_rate: float = 0.01,
        entropy: float = 0.0,
        reward_scale: float = 1.0,
    ) -> None:
        super().__init__(query_width, width, coarse_width, share_projection)
        self.sampling = ReinforceOptions(samples, discount, baseline_rate, entropy, reward_scale)

    def forward(
        self, query: Tensor, memory: TwoLevelMemory, state: Tensor | None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        coarse, fine = self.queries(query)
        scores = memory.coarse.masked_scores(coarse)  # (B, K, M)
        del coarse  # not held beside the cells taken out
        log_probability = None
        if self.training:
            log_p = scores.log_softmax(2)
            chosen = sample_categorical(log_p.detach().exp())  # (B, K)
            log_probability = log_p.gather(2, chosen.unsqueeze(2)).squeeze(2)
        else:
            chosen = scores.argmax(2)
        b, k, m = scores.shape
        blocks = (chosen + m * torch.arange(b, device=chosen.device).unsqueeze(1)).flatten()
        rows = fine.flatten(0, 1)
        found = [
            attend_to_blocks(memory, rows[some], blocks[some])
            for some in chunk_blocks(memory, k, blocks)
        ]
        context, weights = (torch.cat(parts) for parts in zip(*found, strict=True))
        queries = torch.arange(b * k, device=chosen.device)
        return AttentionOutput(
            context.reshape(b, k, -1),
            lambda: scatter_to_grid(memory, weights, queries, blocks, k),
            None,
            memory.coarse.count.expand(b, k),
            memory.blocks.sizes.gather(1, chosen),
            log_probability,
            lambda: scores.softmax(2),
        )


def sample_categorical(probabilities: Tensor) -> Tensor:
    """One sample a query, of probabilities (B, K, M): (B, K) numbers of coarse cells.

    The first of M exponential clocks that run at these speeds to ring: what `torch.multinomial`
    does, but that one waits for a GPU, and stops a run whose numbers have overflowed with an error
    that no one expects of an attention.
    """
    return (probabilities / torch.empty_like(probabilities).exponential_()).argmax(2)
