"""The one beam search: batched, with frozen finished beams; greedy search is beam size 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import BOS, EOS, PAD, UNK


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search; never part of a checkpoint's hyper-parameters.

    Attributes:
        beam_size: K, hypotheses kept alive an image. 1 is greedy search.
        max_length: longest output in tokens, the end included.
        length_penalty: hypotheses are ranked by log p / length ** length_penalty; 0 (the paper)
            ranks by log p alone, more favours longer ones.
        n_best: readings returned an image, at most `beam_size`.

    Raises:
        Im2TexError: if a value is out of range.
    """

    beam_size: int = 5
    max_length: int = 200
    length_penalty: float = 0.0
    n_best: int = 1

    def __post_init__(self) -> None:
        if self.beam_size < 1 or self.max_length < 1:
            raise Im2TexError(
                f"beam_size and max_length are at least 1; got {self.beam_size} and "
                f"{self.max_length}."
            )
        if self.length_penalty < 0 or not math.isfinite(self.length_penalty):
            raise Im2TexError(f"length_penalty is at least 0; got {self.length_penalty}.")
        if not 1 <= self.n_best <= self.beam_size:
            raise Im2TexError(
                f"n_best is between 1 and beam_size ({self.beam_size}); got {self.n_best}."
            )


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One reading.

    Attributes:
        tokens: numbers, without start and end.
        log_probability: in nats, the end included.
        score: what it was ranked by, log p / length ** length_penalty.
        finished: whether it ended by itself within the length limit.
        lookups: cells that the attention scored along its steps, coarse and fine ones; None for a
            decoder that does not say.
    """

    tokens: list[int]
    log_probability: float
    score: float
    finished: bool
    lookups: tuple[int, int] | None = None

    @property
    def steps(self) -> int:
        """Decoding steps: the tokens, and the end where it came."""
        return len(self.tokens) + self.finished


class StepwiseDecoder(Protocol):
    """A decoder that can be advanced a token at a time, K hypotheses an image.

    States are opaque to the search.
    """

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Advances every hypothesis by one token.

        Args:
            tokens: (B, K) the last token of each hypothesis.
            state: of the B images.

        Returns:
            log p of the next token (B, K, V), and the state after the step.
        """
        ...

    def reorder(self, state: Any, parents: Tensor) -> Any:
        """The state in which hypothesis k of image b continues `parents[b, k]`; (B, K')."""
        ...

    def select(self, state: Any, images: Tensor) -> Any:
        """The state of some images only; (B',) indices."""
        ...


def log_softmax(logits: Tensor) -> Tensor:
    """Over the vocabulary, the last dimension, in at least float32."""
    return logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))


Lookups = Callable[[Any], tuple[Tensor, Tensor]]
"""From a state to the coarse and fine cells, (B, K) each, scored in the step that led to it."""


@torch.no_grad()
def beam_search(
    decoder: StepwiseDecoder,
    state: Any,
    batch: int,
    options: SearchOptions,
    device: torch.device,
    lookups: Lookups | None = None,
) -> list[list[Hypothesis]]:
    """Searches for the most likely readings.

    A finished hypothesis stays in its beam with its score and competes there. An image leaves the
    batch as soon as none of its `n_best` can change, so the batch shrinks while long formulas go
    on. This is exact: going on can only lower log p, and lengths have a limit.

    Log p is summed in at least float32. A hypothesis cut off at the length limit is ranked by what
    it has, without the price of an end.

    Args:
        decoder: steps through tokens.
        state: its state for the B images with one hypothesis each, before the first step.
        batch: B.
        options: beam size, length limit, ranking.
        device: where the state lives.
        lookups: counts the cells that a step scored.

    Returns:
        `n_best` hypotheses an image, best first (fewer if the vocabulary offers fewer).
    """
    beam = options.beam_size
    found: list[list[Hypothesis]] = [[] for _ in range(batch)]
    banned_tokens = torch.tensor([PAD, BOS, UNK], device=device)
    images = torch.arange(batch, device=device)  # which image each row still is
    history = torch.full((batch, 1, 1), BOS, dtype=torch.long, device=device)  # (B, K, t + 1)
    log_p = torch.zeros(batch, 1, device=device)
    lengths = torch.zeros(batch, 1, dtype=torch.long, device=device)
    finished = torch.zeros(batch, 1, dtype=torch.bool, device=device)
    looked = torch.zeros(batch, 1, 2, dtype=torch.long, device=device)  # coarse, fine
    for length in range(1, options.max_length + 1):
        step_log_p, state = decoder.step(history[:, :, -1], state)  # (B, K, V)
        if lookups is not None:
            step_looked = torch.stack(lookups(state), 2).long()  # (B, K, 2)
            looked = looked + step_looked.masked_fill(finished.unsqueeze(2), 0)
        step_log_p = step_log_p.index_fill(2, banned_tokens, float("-inf"))
        # A finished hypothesis has one continuation, free of charge.
        step_log_p.masked_fill_(finished.unsqueeze(2), float("-inf"))
        step_log_p[:, :, PAD].masked_fill_(finished, 0.0)
        total = log_p.unsqueeze(2) + step_log_p  # (B, K, V)
        new_lengths = torch.where(finished, lengths, length)  # (B, K)
        rank = _rank(total, new_lengths.unsqueeze(2), options.length_penalty)
        vocabulary = total.shape[2]
        keep = min(beam, rank.shape[1] * vocabulary)
        best = rank.flatten(1).topk(keep, dim=1).indices  # (B, K')
        parents, tokens = best // vocabulary, best % vocabulary
        log_p = total.flatten(1).gather(1, best)
        lengths = new_lengths.gather(1, parents)
        finished = finished.gather(1, parents) | (tokens == EOS)
        history = torch.cat([gather_beams(history, parents), tokens.unsqueeze(2)], dim=2)
        looked = gather_beams(looked, parents)
        state = decoder.reorder(state, parents)

        ranks = rank.flatten(1).gather(1, best)
        done = _is_done(finished, log_p, ranks, options)
        if length == options.max_length:
            done = torch.ones_like(done)
        if done.any():
            rows = done.nonzero().flatten()
            beams = history, log_p, ranks, lengths, finished, looked
            _collect(found, images, rows, beams, options, lookups is not None)
            left = (~done).nonzero().flatten()
            if not len(left):
                break
            images, history, log_p = images[left], history[left], log_p[left]
            lengths, finished, looked = lengths[left], finished[left], looked[left]
            state = decoder.select(state, left)
    return found


def _rank(log_p: Tensor, lengths: Tensor, penalty: float) -> Tensor:
    return log_p if penalty == 0 else log_p / lengths.to(log_p.dtype).pow(penalty)


def gather_beams(part: Tensor, parents: Tensor) -> Tensor:
    """Hypotheses of (B, K, ...) by their parents (B, K') -> (B, K', ...)."""
    index = parents.reshape(*parents.shape, *[1] * (part.dim() - 2))
    return part.gather(1, index.expand(-1, -1, *part.shape[2:]))


def _is_done(finished: Tensor, log_p: Tensor, ranks: Tensor, options: SearchOptions) -> Tensor:
    """(B,) whether no live hypothesis can still enter the n best, which are sorted by rank."""
    n = min(options.n_best, ranks.shape[1])
    over = finished | log_p.isneginf()  # places that no hypothesis fills are over, too
    # Log p only falls, and to divide it by the longest length flatters it the most.
    longest = torch.full_like(log_p, options.max_length)
    reach = _rank(log_p, longest, options.length_penalty)
    best = reach.masked_fill(over, float("-inf")).amax(1)
    return over[:, :n].all(1) & (best <= ranks[:, n - 1])


def _collect(
    found: list[list[Hypothesis]],
    images: Tensor,
    rows: Tensor,
    beams: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor],
    options: SearchOptions,
    counted: bool,
) -> None:
    """Moves the hypotheses of the given rows to the host, in one transfer each."""
    history, log_p, ranks, lengths, finished, looked = (part[rows].tolist() for part in beams)
    for number, image in enumerate(images[rows].tolist()):
        for k in range(min(options.n_best, len(log_p[number]))):
            if log_p[number][k] == float("-inf"):
                continue
            end = lengths[number][k] + 1 - int(finished[number][k])
            found[image].append(
                Hypothesis(
                    tokens=history[number][k][1:end],
                    log_probability=log_p[number][k],
                    score=ranks[number][k],
                    finished=finished[number][k],
                    lookups=(looked[number][k][0], looked[number][k][1]) if counted else None,
                )
            )
