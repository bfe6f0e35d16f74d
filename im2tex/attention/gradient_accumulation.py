"""Gradient of a grid, computed once for all steps of a recurrent decoder.

A recurrent decoder attends T times to one grid V. With plain autograd each step makes two gradients
as large as the grid (through the scores and through the context) and adds them to the total: on a
CPU this memory traffic costs more than the convolutions. The sum over all steps is

    dV = dS^T Q + A^T dC,

with scores S (T, N), projected queries Q (T, D), weights A (T, N) and contexts C (T, D). Each step
therefore only stores its rows of dS, Q, A and dC in backward, and the two matrix products follow
after the last of them. `AccumulatedGradient.scores` and `weighted_sum` are the two ends of an
attention; a step that gathers a few cells (`rows`) adds their gradient in place.

`FlatGrid.of` decides where it is used; `benchmarks/attention_gradient.py` compares it with plain
autograd.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class AccumulatedGradient:
    """Accumulates the gradient of the features of one batch of grids.

    Args:
        features: (B, N, D), part of the graph.

    Attributes:
        values: the features, detached.
        pending: what the steps of the running backward pass have stored.
        handle: (1,) zero, an input of every step. Autograd runs its gradient function after those
            of all steps; it passes the sum on to the features.
    """

    def __init__(self, features: Tensor) -> None:
        self.values = features.detach()
        self.pending = PendingGradients()
        # The graph holds `pending` and not this object, which holds the graph: a reference cycle
        # would keep each batch's grid in memory until the garbage collector runs.
        self.handle: Tensor = _PassOn.apply(features, self.pending)

    def scores(self, query: Tensor) -> Tensor:
        """Dot products of queries (B, K, D) and features: (B, K, N)."""
        scores: Tensor = _Scores.apply(query, self.handle, self.values, self.pending)
        return scores

    def weighted_sum(self, weights: Tensor) -> Tensor:
        """Sums of the features by weights (B, K, N): (B, K, D)."""
        context: Tensor = _WeightedSum.apply(weights, self.handle, self.values, self.pending)
        return context

    def rows(self, index: Tensor) -> Tensor:
        """Features of some cells.

        Args:
            index: (P, S) indices of cells in the batch, b * N + n.

        Returns:
            (P, S, D).
        """
        rows: Tensor = _Rows.apply(self.handle, self.values, index, self.pending)
        return rows


class PendingGradients:
    """The values that the steps of one backward pass have stored.

    A backward pass that does not need the features' gradient leaves its steps here. The next pass
    drops them: the identity of the running pass is stored with them.
    """

    def __init__(self) -> None:
        self._pass = -1
        self._pairs: list[tuple[Tensor, Tensor]] = []
        self._rows: Tensor | None = None

    def add(self, left: Tensor, right: Tensor) -> None:
        """Adds left^T right, of shapes (B, K, N) and (B, K, D), to the sum."""
        self._begin()
        self._pairs.append((left, right))

    def scatter(self, index: Tensor, rows: Tensor, like: Tensor) -> None:
        """Adds the gradient of some cells, (P, S) and (P, S, D), of features shaped as `like`."""
        self._begin()
        if self._rows is None:
            # At least float32, as within a matrix product: a sum of many steps, rounded at each.
            dtype = torch.promote_types(like.dtype, torch.float32)
            self._rows = torch.zeros_like(like, dtype=dtype)
        rows = rows.flatten(0, 1).to(self._rows.dtype)
        self._rows.flatten(0, 1).index_add_(0, index.flatten(), rows)

    def take(self) -> Tensor:
        """The sum of this pass, (B, N, D); clears it.

        In the type of the features, or in float32 where cells were gathered.
        """
        pairs, total = self._pairs, self._rows
        self._pairs, self._rows = [], None
        if pairs:
            left, right = (torch.cat(parts, 1) for parts in zip(*pairs, strict=True))
            dense = left.transpose(1, 2) @ right  # (B, T K, N) and (B, T K, D) -> (B, N, D)
            total = dense if total is None else total + dense
        assert total is not None  # without a step the handle has no gradient
        return total

    def _begin(self) -> None:
        # torch.utils.checkpoint distinguishes passes by the same identifier.
        running = torch._C._current_graph_task_id()
        if running != self._pass:
            self._pass = running
            self._pairs.clear()
            self._rows = None


class _PassOn(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, pending: PendingGradients) -> Tensor:
        ctx.pending, ctx.dtype = pending, features.dtype
        return features.new_zeros(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor, None]:
        return ctx.pending.take().to(ctx.dtype), None


class _Scores(Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, handle: Tensor, values: Tensor, pending: PendingGradients
    ) -> Tensor:
        ctx.save_for_backward(query, values)
        ctx.pending = pending
        return query.to(values.dtype) @ values.transpose(1, 2)  # (B, K, N)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_scores: Tensor) -> tuple[Any, ...]:
        query, values = ctx.saved_tensors
        d_scores = d_scores.to(values.dtype)
        ctx.pending.add(d_scores, query.to(values.dtype))
        return (d_scores @ values).to(query.dtype), values.new_zeros(1), None, None


class _WeightedSum(Function):
    @staticmethod
    def forward(
        ctx: Any, weights: Tensor, handle: Tensor, values: Tensor, pending: PendingGradients
    ) -> Tensor:
        ctx.save_for_backward(weights, values)
        ctx.pending = pending
        return weights.to(values.dtype) @ values  # (B, K, D)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_context: Tensor) -> tuple[Any, ...]:
        weights, values = ctx.saved_tensors
        d_context = d_context.to(values.dtype)
        ctx.pending.add(weights.to(values.dtype), d_context)
        d_weights = (d_context @ values.transpose(1, 2)).to(weights.dtype)
        return d_weights, values.new_zeros(1), None, None


class _Rows(Function):
    @staticmethod
    def forward(
        ctx: Any, handle: Tensor, values: Tensor, index: Tensor, pending: PendingGradients
    ) -> Tensor:
        ctx.save_for_backward(values, index)
        ctx.pending = pending
        rows = values.flatten(0, 1).index_select(0, index.flatten())
        return rows.reshape(*index.shape, -1)  # (P, S, D)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_rows: Tensor) -> tuple[Any, ...]:
        values, index = ctx.saved_tensors
        ctx.pending.scatter(index, d_rows, values)
        return values.new_zeros(1), None, None, None
