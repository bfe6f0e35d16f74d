"""Beam search over one token at a time: batched, with finished hypotheses kept in the beam."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import BOS, EOS, PAD, UNK
from im2tex.utils.checks import check_settings


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Options of the search; not stored among a checkpoint's hyper-parameters.

    Attributes:
        beam_size: K, hypotheses of each image; 1 is greedy search.
        max_length: longest output in tokens, the end included.
        length_penalty: hypotheses are ranked by log p / length ** length_penalty. 0 (the paper)
            ranks by log p alone; higher values favour longer ones.
        n_best: hypotheses returned for each image, at most `beam_size`.

    Raises:
        Im2TexError: if a value is out of range.
    """

    beam_size: int = 5
    max_length: int = 200
    length_penalty: float = 0.0
    n_best: int = 1

    def __post_init__(self) -> None:
        check_settings("", 1, beam_size=self.beam_size, max_length=self.max_length)
        if self.length_penalty < 0 or not math.isfinite(self.length_penalty):
            raise Im2TexError(f"length_penalty must be >= 0, got {self.length_penalty}.")
        if not 1 <= self.n_best <= self.beam_size:
            raise Im2TexError(
                f"n_best must be between 1 and beam_size ({self.beam_size}), got {self.n_best}."
            )


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A predicted token sequence.

    Attributes:
        tokens: ids, without start and end.
        log_probability: in nats, the end included.
        score: the value it is ranked by, log p / length ** length_penalty.
        finished: whether it has an end within the length limit.
        lookups: number of coarse and fine cells that the attention scored in all of its steps;
            None for a decoder that does not report it.
    """

    tokens: list[int]
    log_probability: float
    score: float
    finished: bool
    lookups: tuple[int, int] | None = None

    @property
    def steps(self) -> int:
        """Number of decoding steps: the tokens, and the end if there is one."""
        return len(self.tokens) + self.finished


class StepwiseDecoder(Protocol):
    """A decoder that is advanced by one token at a time, K hypotheses of each image.

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
        """The state of some of the images; (B',) indices."""
        ...


def log_softmax(logits: Tensor) -> Tensor:
    """Log-softmax over the last dimension, the vocabulary, in at least float32."""
    return logits.log_softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))


Lookups = Callable[[Any], tuple[Tensor, Tensor]]
"""Maps a state to the numbers of coarse and fine cells, (B, K) each, scored in its last step."""


@torch.no_grad()
def beam_search(
    decoder: StepwiseDecoder,
    state: Any,
    batch: int,
    options: SearchOptions,
    device: torch.device,
    lookups: Lookups | None = None,
) -> list[list[Hypothesis]]:
    """Searches for the most probable token sequences.

    A finished hypothesis stays in the beam with its score. An image leaves the batch as soon as
    none of its `n_best` can change, so that the batch shrinks while long formulas continue. This is
    exact: further steps only lower log p, and the length has a limit.

    Log p is summed in at least float32. A hypothesis that is cut off at the length limit is ranked
    by the log p of its tokens, without that of an end.

    Args:
        decoder: advances the state.
        state: before the first step, of B images with one hypothesis each.
        batch: B.
        options: beam size, length limit, ranking.
        device: of the state.
        lookups: counts the cells scored in a step.

    Returns:
        `n_best` hypotheses of each image, best first (fewer if the vocabulary offers fewer).
    """
    beam = options.beam_size
    found: list[list[Hypothesis]] = [[] for _ in range(batch)]
    banned_tokens = torch.tensor([PAD, BOS, UNK], device=device)
    images = torch.arange(batch, device=device)  # index of the image in each row
    history = torch.full((batch, 1, 1), BOS, dtype=torch.long, device=device)  # (B, K, t + 1)
    log_p = torch.zeros(batch, 1, device=device)
    lengths = torch.zeros(batch, 1, dtype=torch.long, device=device)
    finished = torch.zeros(batch, 1, dtype=torch.bool, device=device)
    scored = torch.zeros(batch, 1, 2, dtype=torch.long, device=device)  # coarse and fine cells
    for length in range(1, options.max_length + 1):
        step_log_p, state = decoder.step(history[:, :, -1], state)  # (B, K, V)
        if lookups is not None:
            step_scored = torch.stack(lookups(state), 2).long()  # (B, K, 2)
            scored = scored + step_scored.masked_fill(finished.unsqueeze(2), 0)
        step_log_p = step_log_p.index_fill(2, banned_tokens, float("-inf"))
        # A finished hypothesis has one continuation, with log p = 0.
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
        scored = gather_beams(scored, parents)
        state = decoder.reorder(state, parents)

        ranks = rank.flatten(1).gather(1, best)
        done = _is_done(finished, log_p, ranks, options)
        if length == options.max_length:
            done = torch.ones_like(done)
        if done.any():
            rows = done.nonzero().flatten()
            beams = history, log_p, ranks, lengths, finished, scored
            _collect(found, images, rows, beams, options, lookups is not None)
            left = (~done).nonzero().flatten()
            if not len(left):
                break
            images, history, log_p = images[left], history[left], log_p[left]
            lengths, finished, scored = lengths[left], finished[left], scored[left]
            state = decoder.select(state, left)
    return found


def _rank(log_p: Tensor, lengths: Tensor, penalty: float) -> Tensor:
    return log_p if penalty == 0 else log_p / lengths.to(log_p.dtype).pow(penalty)


def gather_beams(values: Tensor, parents: Tensor) -> Tensor:
    """Values (B, K, ...) of the hypotheses `parents` (B, K') -> (B, K', ...)."""
    index = parents.reshape(*parents.shape, *[1] * (values.dim() - 2))
    return values.gather(1, index.expand(-1, -1, *values.shape[2:]))


def _is_done(finished: Tensor, log_p: Tensor, ranks: Tensor, options: SearchOptions) -> Tensor:
    """(B,) whether no unfinished hypothesis can enter the n best, which are sorted by rank."""
    n = min(options.n_best, ranks.shape[1])
    ended = finished | log_p.isneginf()  # log p = -inf: an empty place of the beam
    # Log p only falls, and the longest length gives the highest rank.
    longest = torch.full_like(log_p, options.max_length)
    bound = _rank(log_p, longest, options.length_penalty)
    best = bound.masked_fill(ended, float("-inf")).amax(1)
    return ended[:, :n].all(1) & (best <= ranks[:, n - 1])


def _collect(
    found: list[list[Hypothesis]],
    images: Tensor,
    rows: Tensor,
    beams: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor],
    options: SearchOptions,
    counted: bool,
) -> None:
    """Copies the hypotheses of the given rows to the host, one transfer for each tensor."""
    history, log_p, ranks, lengths, finished, scored = (part[rows].tolist() for part in beams)
    for row, image in enumerate(images[rows].tolist()):
        for k in range(min(options.n_best, len(log_p[row]))):
            if log_p[row][k] == float("-inf"):
                continue
            end = lengths[row][k] + 1 - int(finished[row][k])
            found[image].append(
                Hypothesis(
                    tokens=history[row][k][1:end],
                    log_probability=log_p[row][k],
                    score=ranks[row][k],
                    finished=finished[row][k],
                    lookups=(scored[row][k][0], scored[row][k][1]) if counted else None,
                )
            )
