"""The search of whatever reads a token at a time: one direction, or both and their joint ranking.

BTTR (Zhao et al. 2021), sections 3.3 and 3.4, and CoMER: one model learns every formula from left
to right and from right to left. In use each direction searches by itself; then every candidate is
scored by the direction that did not find it, in one pass over all of its tokens, and the sum of
both log-likelihoods decides. Different from them: a reading that both found counts once, and its
score is the mean of the two rather than the sum, which ranks alike and stays comparable with a
model of one direction. A reading cut off at the length limit is scored without the price of an
end in either. Its look-ups are those of its steps in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any, Protocol

import torch
from torch import Tensor

from im2tex.decoders.beam_search import Hypothesis, SearchOptions, StepwiseDecoder, beam_search
from im2tex.grid import Grid
from im2tex.latex.vocabulary import EOS, PAD

MAX_SCORED_CELLS = 2**16
"""Candidates times steps times cells scored at a time: some 50 MB at the usual sizes. Four times
as many take a CPU twice as long, whose caches they leave."""

Likelihood = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From images (B',), tokens (B', C, T) as they are read, and whether that is backwards (B', C), to
log p of each token (B', C, T), anything where there is padding."""


class SearchableDecoder(StepwiseDecoder, Protocol):
    """A decoder, or several together, whose steps make readings in one direction or in both."""

    @property
    def is_bidirectional(self) -> bool:
        """Whether it was trained to read from right to left, too."""
        ...

    def lookups(self, state: Any) -> tuple[Tensor, Tensor]:
        """Coarse and fine cells, (B, K) each, scored in the step that led to a state."""
        ...

    def right_to_left(self, state: Any) -> Any:
        """The state to start from right to left with, where it reads both ways."""
        ...

    def score_tokens(self, state: Any, images: Tensor, tokens: Tensor, backwards: Tensor) -> Tensor:
        """Log p of each token of given readings, where it reads both ways.

        Args:
            state: before the first step.
            images: (B') which of its images.
            tokens: (B', C, T) targets of C readings each, in the order in which they are read.
            backwards: (B', C) bool.

        Returns:
            (B', C, T).
        """
        ...


def reverse_indices(tokens: Tensor) -> Tensor:
    """Where each token of the other direction stands in this one; ends and padding stay.

    Args:
        tokens: (B, T) targets, each row ending with `EOS`, then `PAD`.

    Returns:
        (B, T) indices: `tokens.gather(1, reverse_indices(tokens))` are those of the other one.
    """
    places = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    last = (tokens != PAD).sum(1, keepdim=True) - 2  # the last token before the end
    return torch.where(places <= last, last - places, places)


@dataclass(slots=True)
class _Candidate:
    """A reading from left to right, look-ups of one direction, and log p by it, where known."""

    tokens: list[int]
    finished: bool
    lookups: tuple[int, int] | None
    log_p: dict[bool, float] = field(default_factory=dict)

    def target(self, backwards: bool) -> list[int]:
        tokens = self.tokens[::-1] if backwards else self.tokens
        return [*tokens, EOS] if self.finished else tokens


def search_grids(
    reader: SearchableDecoder, start: Any, grids: Sequence[Grid], options: SearchOptions
) -> list[list[Hypothesis]]:
    """Searches from left to right; in both directions where the reader knows both.

    Args:
        reader: a decoder, or several together.
        start: its state of the B images from left to right, before the first step.
        grids: of the B images, all that it is shown.
        options: see `SearchOptions`.

    Returns:
        `n_best` hypotheses an image, best first.
    """
    batch, device = len(grids[0].features), grids[0].features.device
    if not reader.is_bidirectional:
        return beam_search(reader, start, batch, options, device, reader.lookups)
    every = replace(options, n_best=options.beam_size)
    forwards, backwards = (
        beam_search(reader, one, batch, every, device, reader.lookups)
        for one in (start, reader.right_to_left(start))
    )
    likelihood = partial(reader.score_tokens, start)
    cells = max(prod(grid.mask.shape[1:]) for grid in grids)
    return rank_jointly(forwards, backwards, likelihood, cells, options, device)


def rank_jointly(
    forwards: Sequence[Sequence[Hypothesis]],
    backwards: Sequence[Sequence[Hypothesis]],
    likelihood: Likelihood,
    cells: int,
    options: SearchOptions,
    device: torch.device,
) -> list[list[Hypothesis]]:
    """The best of both directions.

    Args:
        forwards: candidates of each image found from left to right.
        backwards: those found from right to left, in the order in which they were read.
        likelihood: scores readings of some images.
        cells: N of the grid, which with lengths bounds what is scored at a time.
        options: length penalty and number of readings.
        device: where the model is.

    Returns:
        `n_best` hypotheses an image, best first; log p is the mean of both directions'.
    """
    pools = [_pool(*found) for found in zip(forwards, backwards, strict=True)]
    missing = [
        [(one, way) for one in pool for way in (False, True) if way not in one.log_p]
        for pool in pools
    ]
    _score(missing, likelihood, cells, device)
    ranked = []
    for pool in pools:
        found = [_hypothesis(one, options.length_penalty) for one in pool]
        found.sort(key=lambda one: -one.score)  # stable: what was found forwards comes first
        ranked.append(found[: options.n_best])
    return ranked


def _pool(forwards: Sequence[Hypothesis], backwards: Sequence[Hypothesis]) -> list[_Candidate]:
    """The distinct candidates of an image."""
    pool: dict[tuple[tuple[int, ...], bool], _Candidate] = {}
    for way, found in ((False, forwards), (True, backwards)):
        for one in found:
            tokens = one.tokens[::-1] if way else one.tokens
            candidate = pool.setdefault(
                (tuple(tokens), one.finished), _Candidate(tokens, one.finished, one.lookups)
            )
            candidate.log_p[way] = one.log_probability
    return list(pool.values())


def _score(
    missing: Sequence[Sequence[tuple[_Candidate, bool]]],
    likelihood: Likelihood,
    cells: int,
    device: torch.device,
) -> None:
    """Fills in what is missing: several images at a time, or some of one image's candidates."""
    queue = [(image, part) for image, part in enumerate(missing) if part]
    queue.sort(key=lambda item: -_longest(item[1]))
    while queue:
        steps = _longest(queue[0][1])
        at_once = max(1, MAX_SCORED_CELLS // max(1, steps * cells))
        widest = len(queue[0][1])
        taken = 0
        while taken < len(queue):
            widest = max(widest, len(queue[taken][1]))
            if taken and widest * (taken + 1) > at_once:
                break
            taken += 1
        group, queue = queue[:taken], queue[taken:]
        images = torch.tensor([image for image, _ in group], device=device)
        widest = max(len(part) for _, part in group)
        for start in range(0, widest, max(1, at_once // taken)):
            parts = [part[start : start + max(1, at_once // taken)] for _, part in group]
            _score_some(parts, images, likelihood, device)


def _score_some(
    parts: Sequence[Sequence[tuple[_Candidate, bool]]],
    images: Tensor,
    likelihood: Likelihood,
    device: torch.device,
) -> None:
    shape = (len(parts), max(map(len, parts)), max(map(_longest, parts)))
    tokens = torch.full(shape, PAD, dtype=torch.long)
    ways = torch.zeros(shape[:2], dtype=torch.bool)
    for row, part in enumerate(parts):
        for column, (candidate, way) in enumerate(part):
            target = candidate.target(way)
            tokens[row, column, : len(target)] = torch.tensor(target, dtype=torch.long)
            ways[row, column] = way
    tokens = tokens.to(device)
    log_p = likelihood(images, tokens, ways.to(device)).masked_fill(tokens == PAD, 0)  # (B', C, T)
    for part, values in zip(parts, log_p.sum(2).tolist(), strict=True):
        for (candidate, way), value in zip(part, values, strict=False):
            candidate.log_p[way] = value


def _longest(part: Sequence[tuple[_Candidate, bool]]) -> int:
    return max((len(one.tokens) + one.finished for one, _ in part), default=1)


def _hypothesis(candidate: _Candidate, penalty: float) -> Hypothesis:
    log_p = (candidate.log_p[False] + candidate.log_p[True]) / 2
    steps = len(candidate.tokens) + candidate.finished
    score = log_p / max(1, steps) ** penalty
    looked = candidate.lookups
    twice = None if looked is None else (2 * looked[0], 2 * looked[1])
    return Hypothesis(candidate.tokens, log_p, score, candidate.finished, twice)
