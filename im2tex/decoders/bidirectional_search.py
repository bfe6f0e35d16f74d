"""Search with an autoregressive decoder in one direction, or in both with a joint ranking.

BTTR (Zhao et al. 2021), sections 3.3 and 3.4, and CoMER: one model learns each formula from left to
right and from right to left. Each direction is searched by itself; then every candidate is scored
by the other direction in one pass over its tokens, and both log-likelihoods decide. Differences: a
candidate that both directions find counts once, and its score is the mean of the two rather than
the sum, which ranks equally and can be compared with a model of one direction. A candidate that is
cut off at the length limit is scored without an end in either direction. The look-ups of a
hypothesis are those of its steps in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
"""Candidates times steps times cells scored at a time: some 50 MB at the usual sizes. Four times as
many take twice as long on a CPU, whose caches they exceed."""

_MIN_STEPS = 16  # shorter candidates count as this long, since each has a copy of the memory

Likelihood = Callable[[Tensor, Tensor, Tensor], Tensor]
"""See `SearchableDecoder.score_tokens`, without the state."""


class SearchableDecoder(StepwiseDecoder, Protocol):
    """A decoder or an ensemble of decoders that can be searched in one direction or in both."""

    @property
    def is_bidirectional(self) -> bool:
        """Whether it was also trained to predict from right to left."""
        ...

    def lookups(self, state: Any) -> tuple[Tensor, Tensor]:
        """Numbers of coarse and fine cells, (B, K) each, scored in the last step of a state."""
        ...

    def right_to_left(self, state: Any) -> Any:
        """The start state for predicting from right to left, of a bidirectional decoder."""
        ...

    def score_tokens(self, state: Any, images: Tensor, tokens: Tensor, reverse: Tensor) -> Tensor:
        """Log p of each token of given sequences, of a bidirectional decoder.

        Args:
            state: before the first step.
            images: (B',) indices of its images.
            tokens: (B', C, T) targets of C sequences of each, in the order of prediction.
            reverse: (B', C) bool, whether that is from right to left.

        Returns:
            (B', C, T); arbitrary at padding.
        """
        ...


def reverse_indices(tokens: Tensor) -> Tensor:
    """Indices that reverse each label; ends and padding stay in place.

    Args:
        tokens: (B, T) targets; each row ends with `EOS` and is padded with `PAD`.

    Returns:
        (B, T): `tokens.gather(1, reverse_indices(tokens))` are the targets of the other direction.
    """
    index = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    last = (tokens != PAD).sum(1, keepdim=True) - 2  # of the last token before the end
    return torch.where(index <= last, last - index, index)


@dataclass(slots=True)
class _Candidate:
    """A sequence from left to right, with its log p by each direction that has scored it."""

    tokens: list[int]
    finished: bool
    lookups: tuple[int, int] | None
    log_p: dict[bool, float] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return len(self.tokens) + self.finished

    def target(self, reverse: bool) -> Tensor:
        tokens = self.tokens[::-1] if reverse else self.tokens
        return torch.tensor([*tokens, EOS] if self.finished else tokens, dtype=torch.long)


def search_grids(
    decoder: SearchableDecoder, start: Any, grids: Sequence[Grid], options: SearchOptions
) -> list[list[Hypothesis]]:
    """Searches from left to right, or in both directions with a bidirectional decoder.

    Args:
        decoder: a decoder or an ensemble.
        start: its state of the B images before the first step from left to right.
        grids: of the B images, one for each member of an ensemble.
        options: see `SearchOptions`.

    Returns:
        `n_best` hypotheses of each image, best first.
    """
    batch, device = len(grids[0].features), grids[0].features.device
    if not decoder.is_bidirectional:
        return beam_search(decoder, start, batch, options, device, decoder.lookups)
    whole_beam = replace(options, n_best=options.beam_size)
    forwards, backwards = (
        beam_search(decoder, state, batch, whole_beam, device, decoder.lookups)
        for state in (start, decoder.right_to_left(start))
    )
    likelihood = partial(decoder.score_tokens, start)
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
    """The best candidates of both directions.

    Args:
        forwards: hypotheses of each image from left to right.
        backwards: hypotheses from right to left, in the order of prediction.
        likelihood: scores sequences of some images.
        cells: N of the grid, which bounds with the lengths how many are scored at a time.
        options: length penalty and number of hypotheses.
        device: of the model.

    Returns:
        `n_best` hypotheses of each image, best first; log p is the mean of both directions.
    """
    pools = [_pool(*found) for found in zip(forwards, backwards, strict=True)]
    unscored = [
        (image, candidate, reverse)
        for image, pool in enumerate(pools)
        for candidate in pool
        for reverse in (False, True)
        if reverse not in candidate.log_p
    ]
    unscored.sort(key=lambda item: -item[1].steps)
    for chunk in _chunks(unscored, cells):
        images = torch.tensor([image for image, _, _ in chunk], device=device)
        targets = [candidate.target(reverse) for _, candidate, reverse in chunk]
        tokens = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=PAD)
        tokens = tokens.unsqueeze(1).to(device)  # (B', 1, T)
        directions = torch.tensor([[reverse] for _, _, reverse in chunk], device=device)
        log_p = likelihood(images, tokens, directions).masked_fill(tokens == PAD, 0)
        for (_, candidate, reverse), value in zip(chunk, log_p.sum((1, 2)).tolist(), strict=True):
            candidate.log_p[reverse] = value
    ranked = []
    for pool in pools:
        found = [_hypothesis(candidate, options.length_penalty) for candidate in pool]
        found.sort(key=lambda candidate: -candidate.score)  # stable: forwards first
        ranked.append(found[: options.n_best])
    return ranked


def _pool(forwards: Sequence[Hypothesis], backwards: Sequence[Hypothesis]) -> list[_Candidate]:
    """The distinct candidates of an image."""
    pool: dict[tuple[tuple[int, ...], bool], _Candidate] = {}
    for reverse, found in ((False, forwards), (True, backwards)):
        for hypothesis in found:
            tokens = hypothesis.tokens[::-1] if reverse else hypothesis.tokens
            finished = hypothesis.finished
            candidate = _Candidate(tokens, finished, hypothesis.lookups)
            candidate = pool.setdefault((tuple(tokens), finished), candidate)
            candidate.log_p[reverse] = hypothesis.log_probability
    return list(pool.values())


def _chunks(
    unscored: list[tuple[int, _Candidate, bool]], cells: int
) -> Iterator[list[tuple[int, _Candidate, bool]]]:
    """Splits candidates, the longest first, into batches of at most `MAX_SCORED_CELLS`."""
    while unscored:
        steps = max(unscored[0][1].steps, _MIN_STEPS)
        size = max(1, MAX_SCORED_CELLS // (steps * max(1, cells)))
        yield unscored[:size]
        unscored = unscored[size:]


def _hypothesis(candidate: _Candidate, penalty: float) -> Hypothesis:
    log_p = (candidate.log_p[False] + candidate.log_p[True]) / 2
    score = log_p / max(1, candidate.steps) ** penalty
    lookups = candidate.lookups
    both = None if lookups is None else (2 * lookups[0], 2 * lookups[1])
    return Hypothesis(candidate.tokens, log_p, score, candidate.finished, both)
