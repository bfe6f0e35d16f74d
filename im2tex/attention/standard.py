"""Standard attention: a softmax over every fine cell.

Two scores. `bilinear`, h^T W V (Luong et al. 2015, "general"), is what the released code of the
paper uses and what its parameter count fits; `additive`, beta^T tanh(W1 h + W2 V) (Bahdanau et
al. 2015), is what its text writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from im2tex.attention.base import ATTENTIONS, Attention, Glimpse
from im2tex.attention.deferred import Deferred, attend
from im2tex.grid import Grid


@dataclass(frozen=True, slots=True)
class StandardMemory:
    """A grid in row-major order.

    Attributes:
        features: (B, h w, D); under `deferred`, without gradient.
        mask: (B, h w).
        keys: (B, h w, A) for the additive score.
        deferred: collects the gradient of the features, in training with the bilinear score.
    """

    features: Tensor
    mask: Tensor
    keys: Tensor | None
    deferred: Deferred | None


@ATTENTIONS.register("standard")
class StandardAttention(Attention):
    """A softmax over every fine cell.

    Args:
        query_width: Q, given by the decoder.
        width: D, given by the encoder.
        score: `bilinear` or `additive`.
        hidden: A, width of the additive score; the width of the query if not given.
    """

    def __init__(
        self,
        query_width: int,
        width: int,
        score: Literal["bilinear", "additive"] = "bilinear",
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        self.score = score
        hidden = hidden or query_width
        if score == "bilinear":
            self.project = nn.Linear(query_width, width, bias=False)
        else:
            self.project = nn.Linear(query_width, hidden, bias=False)
            self.keys = nn.Linear(width, hidden, bias=False)
            self.energy = nn.Linear(hidden, 1, bias=False)

    def prepare(self, grid: Grid) -> StandardMemory:
        """See `Attention.prepare`."""
        features = grid.features.flatten(1, 2)  # (B, h, w, D) -> (B, h w, D)
        mask = grid.mask.flatten(1)
        if self.score == "additive":
            return StandardMemory(features, mask, self.keys(features), None)
        if features.requires_grad and torch.is_grad_enabled():
            return StandardMemory(features.detach(), mask, None, Deferred(features))
        return StandardMemory(features, mask, None, None)

    def select(self, memory: StandardMemory, images: Tensor) -> StandardMemory:
        """See `Attention.select`."""
        return StandardMemory(
            memory.features[images],
            memory.mask[images],
            None if memory.keys is None else memory.keys[images],
            None,
        )

    def forward(self, query: Tensor, memory: StandardMemory, state: Tensor | None) -> Glimpse:
        """See `Attention.forward`."""
        projected = self.project(query)  # (B, K, Q) -> (B, K, D or A)
        if memory.keys is not None:
            mixed = torch.tanh(projected.unsqueeze(2) + memory.keys.unsqueeze(1))
            scores = self.energy(mixed).squeeze(3)  # (B, K, h w, A) -> (B, K, h w)
            weights = masked_softmax(scores, memory.mask)
            context = weights.to(memory.features.dtype) @ memory.features  # (B, K, D)
        elif memory.deferred is not None:
            context, weights = attend(projected, memory.mask, memory.deferred)
        else:
            scores = projected @ memory.features.transpose(1, 2)  # (B, K, h w)
            weights = masked_softmax(scores, memory.mask)
            context = weights.to(memory.features.dtype) @ memory.features
        looked = memory.mask.sum(1, dtype=torch.float32).unsqueeze(1)  # (B, 1)
        fine = looked.expand(query.shape[:2])
        return Glimpse(context, weights, None, torch.zeros_like(fine), fine)


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the true cells, in at least float32.

    Args:
        scores: (B, K, N).
        mask: (B, N) bool; every image has a true cell.

    Returns:
        (B, K, N), zero outside the mask.
    """
    scores = scores.masked_fill(~mask.unsqueeze(1), float("-inf"))
    return scores.softmax(2, dtype=torch.promote_types(scores.dtype, torch.float32))
