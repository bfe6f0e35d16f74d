"""The attention of a model along a given prediction, step by step.

For decoders that predict one token at a time (`beam_search.StepwiseDecoder`) and keep the
`AttentionOutput` of a step in their state, as the LSTM and the transformer do. The tokens are given
(teacher forcing), so that the attention is that of the prediction which the beam search returned.
For an ensemble it is averaged over the members, on the first member's grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from im2tex.errors import Im2TexError
from im2tex.grid import Grid
from im2tex.latex.vocabulary import BOS, PAD

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AttentionTrace:
    """The attention of one image along T tokens.

    Attributes:
        fine: (T, h, w) weights of the fine cells; each step sums to 1, or to 0 where no fine cell
            is attended to.
        coarse: (T, h', w') probabilities of the coarse cells; None unless every member has them.
        lookups: (T, 2) numbers of coarse and fine cells scored at each step, summed over members.
        log_probability: (T,) log p of each token given those before it, nats.
        top_k: (T, N) ids of the most probable tokens at each step, the most probable first.
        top_k_log_probability: (T, N) their log p.
    """

    fine: Maps
    coarse: Maps | None
    lookups: NDArray[np.int64]
    log_probability: Maps
    top_k: NDArray[np.int64]
    top_k_log_probability: Maps


@dataclass(frozen=True, slots=True)
class _MemberTrace:
    """The trace of one member: `log_p` is (T, V)."""

    fine: Tensor
    coarse: Tensor | None
    lookups: Tensor
    log_p: Tensor


def supports_attention_trace(decoder: Any) -> bool:
    """Whether a decoder predicts one token at a time, so that its attention can be traced."""
    return hasattr(decoder, "start") and hasattr(decoder, "step")


@torch.no_grad()
def trace_attention(
    members: Sequence[tuple[Any, Grid]], tokens: Sequence[int], top_k: int = 4
) -> AttentionTrace:
    """Runs the members of an ensemble along a prediction.

    Args:
        members: decoders in eval mode, each with its grid of one image.
        tokens: T ids, at least one, without the start; with the end if the prediction has one.
        top_k: N, number of most probable tokens to return for each step.

    Raises:
        Im2TexError: if a decoder has no such steps, or no attention over the grid.
        ValueError: if there is no token, or more than one image.
    """
    traces = [_trace_member(decoder, grid, tokens) for decoder, grid in members]
    log_p = torch.stack([trace.log_p for trace in traces]).logsumexp(0) - math.log(len(traces))
    special = torch.tensor([PAD, BOS], device=log_p.device)
    top = log_p.index_fill(1, special, float("-inf")).topk(min(top_k, log_p.shape[1] - 2))
    ids = torch.tensor(list(tokens), device=log_p.device).unsqueeze(1)
    coarse = [trace.coarse for trace in traces if trace.coarse is not None]
    return AttentionTrace(
        fine=_to_numpy(_mean_map([trace.fine for trace in traces])),
        coarse=_to_numpy(_mean_map(coarse)) if len(coarse) == len(traces) else None,
        lookups=torch.stack([trace.lookups for trace in traces]).sum(0).cpu().numpy(),
        log_probability=_to_numpy(log_p.gather(1, ids).squeeze(1)),
        top_k=top.indices.cpu().numpy(),
        top_k_log_probability=_to_numpy(top.values),
    )


def _trace_member(decoder: Any, grid: Grid, tokens: Sequence[int]) -> _MemberTrace:
    if len(grid.features) != 1 or not len(tokens):
        raise ValueError(
            f"expected one image and its tokens, got {len(grid.features)} images and "
            f"{len(tokens)} tokens"
        )
    if not supports_attention_trace(decoder):
        raise Im2TexError(_untraceable_error(decoder, "it does not predict one token at a time"))
    state = decoder.start(grid)
    fine, coarse, lookups, log_p = [], [], [], []
    for previous in [BOS, *tokens[:-1]]:
        given = torch.full((1, 1), previous, dtype=torch.long, device=grid.features.device)
        step_log_p, state = decoder.step(given, state)  # (1, 1, V)
        output = getattr(state, "attention_output", None)
        if output is None:
            raise Im2TexError(_untraceable_error(decoder, "its steps return no attention weights"))
        fine.append(output.weights)
        if output.coarse_weights is not None:
            coarse.append(output.coarse_weights)
        lookups.append((int(output.coarse_lookups[0, 0]), int(output.fine_lookups[0, 0])))
        log_p.append(step_log_p[0, 0])
    coarse_grid = grid.coarse if len(coarse) == len(tokens) else None
    return _MemberTrace(
        fine=_maps(fine, grid),
        coarse=None if coarse_grid is None else _maps(coarse, coarse_grid),
        lookups=torch.tensor(lookups),
        log_p=torch.stack(log_p),
    )


def _mean_map(maps: Sequence[Tensor]) -> Tensor:
    """The mean of maps (T, h, w) of different sizes, in the size of the first.

    A resized map keeps the sum of every step.
    """
    total = maps[0].clone()
    for one in maps[1:]:
        total += one if one.shape == total.shape else _resize_map(one, total.shape[1:])
    return total / len(maps)


def _resize_map(weights: Tensor, size: Sequence[int]) -> Tensor:
    sums = weights.sum((1, 2), keepdim=True)
    resized = interpolate(
        weights.unsqueeze(1), list(size), mode="bilinear", antialias=True
    ).squeeze(1)  # (T, h, w)
    return resized * sums / resized.sum((1, 2), keepdim=True).clamp_min(1e-12)


def _maps(weights: Sequence[Tensor], grid: Grid) -> Tensor:
    h, w = grid.mask.shape[1:]
    return torch.cat(list(weights), 1).float().reshape(-1, h, w)  # T x (1, 1, N) -> (T, h, w)


def _to_numpy(values: Tensor) -> Maps:
    return values.float().cpu().numpy()


def _untraceable_error(decoder: Any, reason: str) -> str:
    return (
        f"the attention of {type(decoder).__name__} cannot be shown: {reason}. Take a model whose "
        "decoder attends to the image step by step, such as `lstm`."
    )
