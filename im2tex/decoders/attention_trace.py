"""Where a decoder looked: its attention along one reading, step by step.

For a decoder that can be advanced a token at a time (`search.Steps`) and keeps the `Glimpse` of
the step in its state, as the LSTM and the transformer do. The reading is given, so that what is
traced is what the beam search found, or any other, such as the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from im2tex.attention.base import Glimpse
from im2tex.errors import Im2TexError
from im2tex.grid import Grid
from im2tex.latex.vocabulary import BOS, PAD

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Trace:
    """The attention of one image along T tokens.

    Attributes:
        fine: (T, h, w) weights of the fine cells.
        coarse: (T, h', w') probabilities of the coarse cells; None without a coarse grid.
        lookups: (T, 2) cells scored at each step, coarse and fine ones.
        log_probability: (T,) log p of each token after those before it, nats.
        likely: (T, N) numbers of the most likely tokens at each step, the likeliest first.
        likely_log_probability: (T, N) their log p.
    """

    fine: Maps
    coarse: Maps | None
    lookups: NDArray[np.int64]
    log_probability: Maps
    likely: NDArray[np.int64]
    likely_log_probability: Maps


def can_trace(decoder: Any) -> bool:
    """Whether a decoder goes token by token, which is what its attention is traced along."""
    return hasattr(decoder, "start") and hasattr(decoder, "step")


@torch.no_grad()
def trace(decoder: Any, grid: Grid, tokens: Sequence[int], likely: int = 4) -> Trace:
    """Follows a decoder along a reading.

    Args:
        decoder: in eval mode; with a `start(grid)` and a `step(tokens, state)` whose states have
            the step's `glimpse`.
        grid: of one image.
        tokens: T numbers, at least one, without the start; with the end if the reading has one.
        likely: N, how many of a step's most likely tokens to name.

    Raises:
        Im2TexError: if the decoder has no such steps, or no attention over the grid.
        ValueError: if there is no token, or more than one image.
    """
    if len(grid.features) != 1 or not len(tokens):
        raise ValueError(f"one image and its tokens, not {len(grid.features)} and {len(tokens)}")
    if not can_trace(decoder):
        raise Im2TexError(_cannot(decoder, "it does not read token by token"))
    state = decoder.start(grid)
    glimpses, log_p, best, best_log_p = [], [], [], []
    for before, token in zip([BOS, *tokens], tokens, strict=False):
        given = torch.full((1, 1), before, dtype=torch.long, device=grid.features.device)
        step_log_p, state = decoder.step(given, state)  # (1, 1, V)
        glimpse = getattr(state, "glimpse", None)
        if glimpse is None:
            raise Im2TexError(_cannot(decoder, "its steps do not say where they look"))
        step_log_p = step_log_p[0, 0]
        top = step_log_p.index_fill(
            0, torch.tensor([PAD, BOS], device=step_log_p.device), float("-inf")
        ).topk(min(likely, len(step_log_p) - 2))
        glimpses.append(glimpse)
        log_p.append(step_log_p[token])
        best.append(top.indices)
        best_log_p.append(top.values)
    return Trace(
        fine=_maps([one.weights for one in glimpses], grid),
        coarse=_coarse(glimpses, grid.coarse),
        lookups=np.array([_lookups(one) for one in glimpses], dtype=np.int64),
        log_probability=_numpy(torch.stack(log_p)),
        likely=torch.stack(best).cpu().numpy(),
        likely_log_probability=_numpy(torch.stack(best_log_p)),
    )


def _coarse(glimpses: Sequence[Glimpse], grid: Grid | None) -> Maps | None:
    known = [one.coarse_weights for one in glimpses]
    weights = [one for one in known if one is not None]
    return _maps(weights, grid) if grid is not None and len(weights) == len(known) else None


def _maps(weights: Sequence[Tensor], grid: Grid) -> Maps:
    h, w = grid.mask.shape[1:]
    return _numpy(torch.cat(list(weights), 1).reshape(-1, h, w))  # T x (1, 1, N) -> (T, h, w)


def _lookups(glimpse: Glimpse) -> tuple[int, int]:
    return int(glimpse.coarse_lookups[0, 0]), int(glimpse.fine_lookups[0, 0])


def _numpy(values: Tensor) -> Maps:
    return values.float().cpu().numpy()


def _cannot(decoder: Any, why: str) -> str:
    name = type(decoder).__name__
    return (
        f"the attention of {name} cannot be shown: {why}. Take a model whose decoder attends to "
        "the picture step by step, such as `lstm`."
    )
