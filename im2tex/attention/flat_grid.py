"""`FlatGrid`: one level of a grid with its cells in one dimension."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from im2tex.attention.gradient_accumulation import AccumulatedGradient
from im2tex.grid import Grid


@dataclass(frozen=True, slots=True)
class FlatGrid:
    """The cells of a batch of grids in row-major order.

    Attributes:
        features: (B, N, D); detached from the graph with `accumulated_gradient`.
        mask: (B, N) bool, true inside the image.
        padding_mask: (B, 1, N) bool, true outside the image.
        count: (B, 1) float, number of cells inside the image.
        accumulated_gradient: computes products with the features and their gradient where the
            features need one; None otherwise.
    """

    features: Tensor
    mask: Tensor
    padding_mask: Tensor
    count: Tensor
    accumulated_gradient: AccumulatedGradient | None = None

    @classmethod
    def of(cls, grid: Grid) -> FlatGrid:
        """The fine cells of a grid."""
        features, mask = grid.features.flatten(1, 2), grid.mask.flatten(1)
        learns = features.requires_grad and torch.is_grad_enabled()
        return cls(
            features.detach() if learns else features,
            mask,
            ~mask.unsqueeze(1),
            mask.sum(1, keepdim=True, dtype=torch.float32),
            AccumulatedGradient(features) if learns else None,
        )

    def select(self, images: Tensor) -> FlatGrid:
        """The cells of some of the images, (B',) indices; without gradient for the features."""
        return FlatGrid(
            self.features[images], self.mask[images], self.padding_mask[images], self.count[images]
        )

    def scores(self, query: Tensor) -> Tensor:
        """Dot products with queries (B, K, D): (B, K, N), in at least float32, not masked."""
        if self.accumulated_gradient is not None:
            scores = self.accumulated_gradient.scores(query)
        else:
            scores = query @ self.features.transpose(1, 2)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def masked(self, scores: Tensor) -> Tensor:
        """Scores (B, K, N) in at least float32, minus infinity outside the image."""
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        return scores.masked_fill(self.padding_mask, float("-inf"))

    def masked_scores(self, query: Tensor) -> Tensor:
        """`scores` of queries (B, K, D), minus infinity outside the image."""
        return self.masked(self.scores(query))

    def weighted_sum(self, weights: Tensor) -> Tensor:
        """Sums of the features by weights (B, K, N): (B, K, D)."""
        if self.accumulated_gradient is not None:
            return self.accumulated_gradient.weighted_sum(weights)
        return weights.to(self.features.dtype) @ self.features

    def rows(self, index: Tensor) -> Tensor:
        """Features of the cells with the indices b * N + n in `index` (P, S): (P, S, D)."""
        if self.accumulated_gradient is not None:
            return self.accumulated_gradient.rows(index)
        rows = self.features.flatten(0, 1).index_select(0, index.flatten())
        return rows.reshape(*index.shape, -1)
