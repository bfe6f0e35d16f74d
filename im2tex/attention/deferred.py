"""Bilinear attention whose gradient for the grid is added up once, not once a step.

A recurrent decoder attends T times to one grid V. Left to autograd, every step makes a gradient
as large as the grid, twice (through the scores and through the context), and adds it to the rest:
on a CPU that traffic costs more than the convolutions. The sum over steps is two matrix products,

    dV = dS^T Q + A^T dC,

with S (T, N) the scores, Q (T, D) the projected queries, A (T, N) the weights and C (T, D) the
contexts, so the steps only leave their four vectors behind, and the products are made when the
last of them has run backwards.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

Step = tuple[Tensor, Tensor, Tensor, Tensor]
"""What a step leaves behind: rows of dS and A, (B, K, N), and of Q and dC, (B, K, D)."""


class Deferred:
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
        self.steps = Steps()
        # The graph knows the steps and not this object, which knows the graph: a circle would keep
        # every batch's grid until the garbage collector comes by.
        self.handle: Tensor = _Gather.apply(features, self.steps)


class Steps:
    """The steps of one backward pass.

    A pass that was not asked for the features' gradient leaves its steps behind; the next one
    must not count them, so the steps know their pass.
    """

    def __init__(self) -> None:
        self._pass = -1
        self._steps: list[Step] = []

    def add(self, step: Step) -> None:
        """Adds a step to those of the backward pass that is running."""
        # What torch.utils.checkpoint, too, tells the passes apart by.
        running = torch._C._current_graph_task_id()
        if running != self._pass:
            self._pass = running
            self._steps.clear()
        self._steps.append(step)

    def take(self) -> list[Step]:
        """The steps of this pass, which are then forgotten."""
        steps, self._steps = self._steps, []
        return steps


def attend(query: Tensor, mask: Tensor, deferred: Deferred) -> tuple[Tensor, Tensor]:
    """Softmax attention over the cells of `deferred`.

    Args:
        query: (B, K, D), already projected.
        mask: (B, N) bool; every image has a true cell.
        deferred: the grid.

    Returns:
        The context (B, K, D) and the weights (B, K, N), in at least float32.
    """
    context, weights = _Attend.apply(query, deferred.handle, deferred.values, mask, deferred.steps)
    return context, weights


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, steps: Steps) -> Tensor:
        ctx.steps = steps
        return features.new_zeros(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor, None]:
        steps = ctx.steps.take()
        left = torch.cat([torch.cat([s, w], 1) for s, w, _, _ in steps], 1)  # (B, 2 T K, N)
        right = torch.cat([torch.cat([q, c], 1) for _, _, q, c in steps], 1)  # (B, 2 T K, D)
        return left.transpose(1, 2) @ right, None


class _Attend(Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, handle: Tensor, values: Tensor, mask: Tensor, steps: Steps
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
        ctx.steps.add((d_scores, weights.to(values.dtype), query.to(values.dtype), d_context))
        d_query = (d_scores @ values).to(query.dtype)
        return d_query, d_context.new_zeros(1), None, None, None
