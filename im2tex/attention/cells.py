"""`Cells`: one level of a grid, laid out for attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from im2tex.attention.deferred import Deferred
from im2tex.grid import Grid


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a batch of grids in row-major order.

    Attributes:
        features: (B, N, D); under `deferred`, without gradient.
        mask: (B, N) bool.
        outside: (B, 1, N) bool, where the mask is false.
        count: (B, 1) float, true cells.
        deferred: collects the gradient of the features, where they learn.
    """

    features: Tensor
    mask: Tensor
    outside: Tensor
    count: Tensor
    deferred: Deferred | None = None

    @classmethod
    def of(cls, grid: Grid) -> Cells:
        """The cells of a grid, without its coarse ones."""
        features, mask = grid.features.flatten(1, 2), grid.mask.flatten(1)
        learns = features.requires_grad and torch.is_grad_enabled()
        return cls(
            features.detach() if learns else features,
            mask,
            ~mask.unsqueeze(1),
            mask.sum(1, keepdim=True, dtype=torch.float32),
            Deferred(features) if learns else None,
        )

    def select(self, images: Tensor) -> Cells:
        """Those of some images, (B',) indices; without gradient for the features."""
        return Cells(
            self.features[images], self.mask[images], self.outside[images], self.count[images]
        )

    def scores(self, query: Tensor) -> Tensor:
        """Products with projected queries (B, K, D): (B, K, N), in at least float32, unmasked."""
        if self.deferred is not None:
            scores = self.deferred.scores(query)
        else:
            scores = query @ self.features.transpose(1, 2)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def masked(self, scores: Tensor) -> Tensor:
        """Scores (B, K, N) in at least float32, minus infinity outside of the mask."""
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return scores.masked_fill(self.outside, float("-inf"))

    def masked_scores(self, query: Tensor) -> Tensor:
        """Products with projected queries, masked."""
        return self.masked(self.scores(query))

    def mix(self, weights: Tensor) -> Tensor:
        """Sums of features by weights (B, K, N): (B, K, D)."""
        if self.deferred is not None:
            return self.deferred.mix(weights)
        return weights.to(self.features.dtype) @ self.features

    def rows(self, index: Tensor) -> Tensor:
        """Features of the cells numbered b * N + n in `index` (P, S): (P, S, D)."""
        if self.deferred is not None:
            return self.deferred.rows(index)
        rows = self.features.flatten(0, 1).index_select(0, index.flatten())
        return rows.reshape(*index.shape, -1)
