"""Standard attention: a softmax over every fine cell.

    p(z) = softmax(score(h, v_z)),   c = sum over z of p(z) v_z.

Two scores. `bilinear`, h^T W v (Luong et al. 2015, "general"), is that of the paper's released
code and fits its number of parameters; `additive`, beta^T tanh(W1 h + W2 v) (Bahdanau et al. 2015),
is that of its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from im2tex.attention.base import ATTENTIONS, Attention, AttentionOutput
from im2tex.attention.flat_grid import FlatGrid
from im2tex.grid import Grid
from im2tex.utils.checks import check_at_least


@dataclass(frozen=True, slots=True)
class StandardMemory:
    """The cells of a grid.

    Attributes:
        cells: N = h w cells.
        keys: W2 v of the additive score, (B, N, A); None for the bilinear score.
    """

    cells: FlatGrid
    keys: Tensor | None


@ATTENTIONS.register("standard")
class StandardAttention(Attention):
    """A softmax over every fine cell.

    Args:
        query_width: Q, given by the decoder.
        width: D, given by the encoder.
        score: `bilinear` or `additive`.
        attention_dim: A, width of the additive score; Q if not given.

    Raises:
        ValueError: if `attention_dim` is less than 1.
    """

    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {
        "attention_dim": ("score", "bilinear")
    }

    def __init__(
        self,
        query_width: int,
        width: int,
        score: Literal["bilinear", "additive"] = "bilinear",
        attention_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.score = score
        attention_dim = query_width if attention_dim is None else attention_dim
        check_at_least(1, attention_dim=attention_dim)
        if score == "bilinear":
            self.project = nn.Linear(query_width, width, bias=False)
        else:
            self.project = nn.Linear(query_width, attention_dim, bias=False)
            self.keys = nn.Linear(width, attention_dim, bias=False)
            self.energy = nn.Linear(attention_dim, 1, bias=False)

    def prepare(self, grid: Grid) -> StandardMemory:
        """See `Attention.prepare`."""
        keys = None
        if self.score == "additive":
            keys = self.keys(grid.features.flatten(1, 2))  # (B, h, w, D) -> (B, h w, A)
        return StandardMemory(FlatGrid.of(grid), keys)

    def select(self, memory: StandardMemory, images: Tensor) -> StandardMemory:
        """See `Attention.select`."""
        keys = None if memory.keys is None else memory.keys[images]
        return StandardMemory(memory.cells.select(images), keys)

    def forward(
        self, query: Tensor, memory: StandardMemory, state: Tensor | None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        cells = memory.cells
        projected = self.project(query)  # (B, K, Q) -> (B, K, D or A)
        if memory.keys is None:
            scores = cells.masked_scores(projected)  # (B, K, N)
        else:
            mixed = torch.tanh(projected.unsqueeze(2) + memory.keys.unsqueeze(1))
            scores = cells.masked(self.energy(mixed).squeeze(3))  # (B, K, N, A) -> (B, K, N)
        weights = scores.softmax(2)
        context = cells.weighted_sum(weights)
        lookups = cells.count.expand(query.shape[:2])
        return AttentionOutput(context, weights, None, torch.zeros_like(lookups), lookups)
