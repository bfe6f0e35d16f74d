"""Attention whose gradient for the grid is added up once, not once a step.

A recurrent decoder attends T times to one grid V. Left to autograd, every step makes a gradient
as large as the grid, twice (through the scores and through the context), and adds it to the rest:
on a CPU that traffic costs more than the convolutions. The sum over steps is two matrix products,

    dV = dS^T Q + A^T dC,

with S (T, N) the scores, Q (T, D) the projected queries, A (T, N) the weights and C (T, D) the
contexts, so the steps only leave their four vectors behind, and the products are made when the
last of them has run backwards. What lies between scores and weights is free: `attend` is the
softmax of standard attention in one piece, `AccumulatedGradient.scores` and `weighted_sum` are the
two ends for any other. A step that gathers a few cells (`rows`) adds their gradient in place.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Pair = tuple[Tensor, Tensor]
"""What a step leaves behind: rows of dS and Q, or of A and dC; (B, K, N) and (B, K, D)."""


class AccumulatedGradient:
    """Collects the gradient of one batch of grids.

    Args:
        features: (B, N, D), part of the graph.

    Attributes:
        values: the features without gradient.
        steps: what the steps of a backward pass left behind so far.
        handle: (1,) zero that every step takes as an input; its gradient function, which autograd
            runs after those of all the steps, hands the sum to the features.
    """

    def __init__(self, features: Tensor) -> None:
        self.values = features.detach()
        self.steps = PendingGradients()
        # The graph knows the steps and not this object, which knows the graph: a circle would keep
        # every batch's grid until the garbage collector comes by.
        self.handle: Tensor = _Gather.apply(features, self.steps)

    def scores(self, query: Tensor) -> Tensor:
        """Products of queries (B, K, D) and features: (B, K, N)."""
        scores: Tensor = _Scores.apply(query, self.handle, self.values, self.steps)
        return scores

    def weighted_sum(self, weights: Tensor) -> Tensor:
        """Sums of features by weights (B, K, N): (B, K, D)."""
        context: Tensor = _Mix.apply(weights, self.handle, self.values, self.steps)
        return context

    def rows(self, index: Tensor) -> Tensor:
        """Features of some cells.

        Args:
            index: (P, S) numbers of cells, image after image: b * N + n.

        Returns:
            (P, S, D).
        """
        rows: Tensor = _Rows.apply(self.handle, self.values, index, self.steps)
        return rows


class PendingGradients:
    """The steps of one backward pass.

    A pass that was not asked for the features' gradient leaves its steps behind; the next one
    must not count them, so the steps know their pass.
    """

    def __init__(self) -> None:
        self._pass = -1
        self._pairs: list[Pair] = []
        self._rows: Tensor | None = None

    def add(self, left: Tensor, right: Tensor) -> None:
        """Adds a step's share left^T right to the backward pass that is running."""
        self._begin()
        self._pairs.append((left, right))

    def scatter(self, index: Tensor, rows: Tensor, like: Tensor) -> None:
        """Adds a step's gradient of some cells, (P, S) and (P, S, D), of features like `like`."""
        self._begin()
        if self._rows is None:
            # At least float32, as within a matrix product: a sum of many steps, rounded at each.
            dtype = torch.promote_types(like.dtype, torch.float32)
            self._rows = torch.zeros_like(like, dtype=dtype)
        rows = rows.flatten(0, 1).to(self._rows.dtype)
        self._rows.flatten(0, 1).index_add_(0, index.flatten(), rows)

    def take(self) -> Tensor:
        """The gradient of this pass, (B, N, D), whose steps are then forgotten.

        In the type of the features, or in float32 where cells were taken out.
        """
        pairs, total = self._pairs, self._rows
        self._pairs, self._rows = [], None
        if pairs:
            left = torch.cat([one for one, _ in pairs], 1)  # (B, T K, N)
            right = torch.cat([one for _, one in pairs], 1)  # (B, T K, D)
            dense = left.transpose(1, 2) @ right
            total = dense if total is None else total + dense
        assert total is not None  # some step ran, or the handle would have had no gradient
        return total

    def _begin(self) -> None:
        # What torch.utils.checkpoint, too, tells the passes apart by.
        running = torch._C._current_graph_task_id()
        if running != self._pass:
            self._pass = running
            self._pairs.clear()
            self._rows = None


def attend(
    query: Tensor, mask: Tensor, accumulated_gradient: AccumulatedGradient
) -> tuple[Tensor, Tensor]:
    """Softmax attention over the cells of `accumulated_gradient`.

    Args:
        query: (B, K, D), already projected.
        mask: (B, N) bool; every image has a true cell.
        accumulated_gradient: the grid.

    Returns:
        The context (B, K, D) and the weights (B, K, N), in at least float32.
    """
    context, weights = _Attend.apply(
        query,
        accumulated_gradient.handle,
        accumulated_gradient.values,
        mask,
        accumulated_gradient.steps,
    )
    return context, weights


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, steps: PendingGradients) -> Tensor:
        ctx.steps = steps
        ctx.dtype = features.dtype
        return features.new_zeros(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor, None]:
        return ctx.steps.take().to(ctx.dtype), None


class _Scores(Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, handle: Tensor, values: Tensor, steps: PendingGradients
    ) -> Tensor:
        ctx.save_for_backward(query, values)
        ctx.steps = steps
        return query.to(values.dtype) @ values.transpose(1, 2)  # (B, K, N)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_scores: Tensor) -> tuple[Any, ...]:
        query, values = ctx.saved_tensors
        d_scores = d_scores.to(values.dtype)
        ctx.steps.add(d_scores, query.to(values.dtype))
        return (d_scores @ values).to(query.dtype), values.new_zeros(1), None, None


class _Mix(Function):
    @staticmethod
    def forward(
        ctx: Any, weights: Tensor, handle: Tensor, values: Tensor, steps: PendingGradients
    ) -> Tensor:
        ctx.save_for_backward(weights, values)
        ctx.steps = steps
        return weights.to(values.dtype) @ values  # (B, K, D)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_context: Tensor) -> tuple[Any, ...]:
        weights, values = ctx.saved_tensors
        d_context = d_context.to(values.dtype)
        ctx.steps.add(weights.to(values.dtype), d_context)
        d_weights = (d_context @ values.transpose(1, 2)).to(weights.dtype)
        return d_weights, values.new_zeros(1), None, None


class _Rows(Function):
    @staticmethod
    def forward(
        ctx: Any, handle: Tensor, values: Tensor, index: Tensor, steps: PendingGradients
    ) -> Tensor:
        ctx.save_for_backward(values, index)
        ctx.steps = steps
        rows = values.flatten(0, 1).index_select(0, index.flatten())
        return rows.reshape(*index.shape, -1)  # (P, S, D)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_rows: Tensor) -> tuple[Any, ...]:
        values, index = ctx.saved_tensors
        ctx.steps.scatter(index, d_rows, values)
        return values.new_zeros(1), None, None, None


class _Attend(Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        handle: Tensor,
        values: Tensor,
        mask: Tensor,
        steps: PendingGradients,
    ) -> tuple[Tensor, Tensor]:
        scores = query.to(values.dtype) @ values.transpose(1, 2)  # (B, K, N)
        scores.masked_fill_(~mask.unsqueeze(1), float("-inf"))
        weights = scores.softmax(2, dtype=torch.promote_types(scores.dtype, torch.float32))
        ctx.save_for_backward(query, values, weights)
        ctx.steps = steps
        return weights.to(values.dtype) @ values, weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_context: Tensor, d_weights: Tensor) -> tuple[Any, ...]:
        query, values, weights = ctx.saved_tensors
        d_context = d_context.to(values.dtype)
        total = (d_context @ values.transpose(1, 2)).to(weights.dtype) + d_weights  # (B, K, N)
        d_scores = weights * (total - (weights * total).sum(2, keepdim=True))
        d_scores = d_scores.to(values.dtype)
        ctx.steps.add(d_scores, query.to(values.dtype))
        ctx.steps.add(weights.to(values.dtype), d_context)
        d_query = (d_scores @ values).to(query.dtype)
        return d_query, d_context.new_zeros(1), None, None, None
