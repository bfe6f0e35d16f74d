"""Sparsemax: the Euclidean projection onto the simplex, zero for all but the highest scores.

Martins & Astudillo 2016. For scores z in descending order with cumulative sums c_k,

    K = max {k : 1 + k z_k > c_k},   t = (c_K - 1) / K,   p = max(z - t, 0),

where K is the size of the support. The Jacobian subtracts the mean over the support: dz = dp -
mean(dp) within the support and 0 elsewhere.

A score more than 1 below the highest is never in the support. Scores are therefore taken relative
to the highest and clamped at -1, so that masked ones need no infinity; of many scores only the
first few are sorted, unless the support may be larger.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

INITIAL_TOP_K = 64
"""Number of scores that are sorted first."""


def sparsemax(scores: Tensor) -> Tensor:
    """Sparsemax over the last dimension, in at least float32.

    Args:
        scores: (..., N), minus infinity where masked; at least one is finite.

    Returns:
        (..., N), zero for all but the highest scores; sums to 1.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    weights: Tensor = _Sparsemax.apply(scores)
    return weights


class _Sparsemax(Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        scores = (scores - scores.amax(-1, keepdim=True)).clamp_min(-1)
        weights: Tensor = (scores - _threshold(scores)).clamp_min(0)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_weights: Tensor) -> Tensor:
        support: Tensor = ctx.saved_tensors[0] > 0
        d_weights = d_weights * support
        mean = d_weights.sum(-1, keepdim=True) / support.sum(-1, keepdim=True)
        return (d_weights - mean) * support


def _threshold(scores: Tensor) -> Tensor:
    """Threshold t (..., 1) of scores (..., N) in [-1, 0]."""
    if scores.shape[-1] > 2 * INITIAL_TOP_K:
        threshold, size = _threshold_of_sorted(scores.topk(INITIAL_TOP_K).values)
        if not (size == INITIAL_TOP_K).any():
            return threshold
    return _threshold_of_sorted(scores.sort(descending=True).values)[0]


def _threshold_of_sorted(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Threshold t and size K, (..., 1) each, of the highest scores in descending order."""
    total = scores.cumsum(-1)
    rank = torch.arange(1, scores.shape[-1] + 1, device=scores.device, dtype=scores.dtype)
    inside = (1 + rank * scores > total) & (scores > -1)
    size = inside.sum(-1, keepdim=True).clamp_min(1)  # NaN scores have no support
    return (total.gather(-1, size - 1) - 1) / size, size
