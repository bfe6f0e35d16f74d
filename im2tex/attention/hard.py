"""Hard attention: one coarse cell is chosen, and only the cells of its block are scored.

Section 4 of Deng et al. 2017 ("C2F"). In training z' is sampled from p(z'), otherwise it is the
most probable one; within the block p(z | z') is a softmax. A step costs h' w' + s s look-ups, in
training and in inference. The choice has no gradient: the output has log p(z') of the sample, and
the decoder trains it by REINFORCE (`decoders.reinforce`). Start from a trained hierarchical model,
as the paper does.
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
    """One block a step; see `CoarseToFine` and `ReinforceOptions`.

    The weights of the output are those of the chosen block; `coarse_weights` are p(z').

    Args:
        query_width: Q, given by the decoder.
        width: D of the fine grid, given by the encoder.
        coarse_width: D' of the coarse grid, given by the encoder.
        share_projection: use one weight for the scores of both levels.
        samples: paths sampled for each image in training.
        discount: gamma of the return; 0.5 in the paper.
        baseline_rate: weight of a new value in the moving average of each step's return.
        entropy: weight of the entropy of p(z') as a bonus.
        reward_scale: factor of the REINFORCE term.

    Raises:
        ValueError: if a value is out of range, or the levels share a projection and differ in
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
        coarse, fine = self.project_queries(query)
        scores = memory.coarse.masked_scores(coarse)  # (B, K, M)
        del coarse  # frees its memory before cells are gathered
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
        parts = [
            attend_to_blocks(memory, rows[chunk], blocks[chunk])
            for chunk in chunk_blocks(memory, k, blocks)
        ]
        context, weights = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
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
    """Samples one index for each query.

    argmax p_m / e_m with e_m ~ Exp(1) has the distribution p (the Gumbel-max trick). Other than
    `torch.multinomial` it does not synchronise a GPU, and does not raise for NaN.

    Args:
        probabilities: (B, K, M).

    Returns:
        (B, K) indices.
    """
    return (probabilities / torch.empty_like(probabilities).exponential_()).argmax(2)
