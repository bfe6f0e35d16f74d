"""Sparsemax: the nearest point of the simplex, which is zero for all but the highest scores.

Martins & Astudillo 2016. With scores in descending order and c_k the sum of the first k, the
support is the largest k with 1 + k z_k > c_k, its threshold t = (c_k - 1) / k, and the outcome
max(z - t, 0). The Jacobian is that of taking the mean off: within the support, dz is dp less the
support's mean of dp, and zero elsewhere.

A score that is 1 below the highest is never in the support. Scores are therefore taken relative to
the highest and cut off at -1, so that masked ones need no infinity; and of many scores only the
first few are sorted, unless the support may be wider.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

INITIAL_TOP_K = 64
"""How many scores are sorted at first."""


def sparsemax(scores: Tensor) -> Tensor:
    """Sparsemax over the last dimension, in at least float32.

    Args:
        scores: (..., N), minus infinity for what is not to be chosen; not all of them.

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
    """(..., 1), of scores (..., N) with 0 for the highest and -1 for those far below."""
    n = scores.shape[-1]
    if n > 2 * INITIAL_TOP_K:
        threshold, size = _of_sorted(scores.topk(INITIAL_TOP_K).values)
        if not (size == INITIAL_TOP_K).any():
            return threshold
    return _of_sorted(scores.sort(descending=True).values)[0]


def _of_sorted(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The threshold and the size of the support, (..., 1), of the highest scores, descending."""
    total = scores.cumsum(-1)
    rank = torch.arange(1, scores.shape[-1] + 1, device=scores.device, dtype=scores.dtype)
    inside = (1 + rank * scores > total) & (scores > -1)
    size = inside.sum(-1, keepdim=True).clamp_min(1)  # or none, where scores are not numbers
    return (total.gather(-1, size - 1) - 1) / size, size
