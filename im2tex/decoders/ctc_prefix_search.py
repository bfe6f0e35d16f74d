"""Prefix beam search: the most likely labels under CTC, each summed over its alignments.

Graves, *Sequence Transduction with Recurrent Neural Networks* (2012), algorithm 1, without a
prediction network; Hannun et al., *First-Pass Large Vocabulary Continuous Speech Recognition*
(2014), algorithm 1, without a language model. Two alignments of a label differ in where blanks and
repetitions stand, so a hypothesis is a prefix with two probabilities: of its alignments that end
with a blank, and of those that end with its last token. A step of time leaves a prefix as it is or
adds a token to it; what is added to a prefix of the beam may be another prefix of the beam, whose
probability it joins.

All images and prefixes are advanced together, in a loop over time alone. With a beam that holds
every prefix the result is exact; else the probability of a label is a lower bound, for want of
alignments through prefixes that had been dropped. A beam of 1 is a greedy search which still sums
over the alignments of the one prefix that it keeps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from im2tex.decoders.beam_search import Hypothesis, SearchOptions
from im2tex.latex.vocabulary import PAD

_NEVER = float("-inf")


@torch.no_grad()
def prefix_search(
    log_p: Tensor, lengths: Tensor, options: SearchOptions, banned_tokens: Sequence[int] = ()
) -> list[list[Hypothesis]]:
    """Searches for the most likely labels.

    A prefix of `max_length` tokens is not continued, and does not count as finished. Prefixes
    compete by log p alone; `length_penalty` orders those that are left in the end, by
    log p / (tokens + 1) ** penalty.

    Args:
        log_p: (B, T, V) at each step of time, nats; in the place of `PAD` that of the blank.
        lengths: (B,) steps of time that each image has.
        options: beam size, length limit, ranking.
        banned_tokens: tokens that are never read.

    Returns:
        `n_best` hypotheses an image, best first (fewer if there are fewer labels).
    """
    batch, _, vocabulary = log_p.shape
    log_p = log_p.index_fill(
        2, torch.tensor(banned_tokens, dtype=torch.long, device=log_p.device), _NEVER
    )
    blank = log_p[:, :, PAD]  # (B, T)
    # Only a step's best K + 1 tokens can matter: a prefix continued by any other of them, but for
    # the one that repeats its end, is as good at least as continued by a token beyond these.
    best = log_p.index_fill(2, torch.tensor([PAD], device=log_p.device), _NEVER)
    best_p, best_token = best.topk(min(options.beam_size + 1, vocabulary), dim=2)  # (B, T, M)
    prefixes = _Prefixes.empty(batch, log_p)
    for t in range(int(lengths.max())):
        prefixes = _advance(
            prefixes,
            log_p[:, t],
            blank[:, t : t + 1],
            (best_p[:, t], best_token[:, t]),
            (t < lengths).unsqueeze(1),
            options,
        )
    return _collect(prefixes, options)


class _Prefixes:
    """K prefixes an image, none twice but for those that nothing leads to.

    Attributes:
        tokens: (B, K, L), `PAD` beyond the end.
        lengths: (B, K).
        blank: (B, K) log p of the alignments that end with a blank.
        token: (B, K) log p of those that end with the last token.
    """

    def __init__(self, tokens: Tensor, lengths: Tensor, blank: Tensor, token: Tensor) -> None:
        self.tokens, self.lengths, self.blank, self.token = tokens, lengths, blank, token

    @classmethod
    def empty(cls, batch: int, like: Tensor) -> _Prefixes:
        """The empty prefix of each image, certain before the first step."""
        lengths = torch.zeros(batch, 1, dtype=torch.long, device=like.device)
        return cls(
            lengths.new_full((batch, 1, 1), PAD),
            lengths,
            like.new_zeros(batch, 1),
            like.new_full((batch, 1), _NEVER),
        )

    @property
    def total(self) -> Tensor:
        """(B, K) log p of the prefix."""
        return torch.logaddexp(self.blank, self.token)

    @property
    def last(self) -> Tensor:
        """(B, K) the last token; `PAD` of the empty prefix."""
        place = (self.lengths - 1).clamp_min(0)
        return self.tokens.gather(2, place.unsqueeze(2)).squeeze(2)

    def follows(self) -> Tensor:
        """(B, J, K) whether prefix j is prefix k and one token more."""
        place = (self.lengths - 1).clamp_min(0).unsqueeze(2)
        shorter = self.tokens.scatter(2, place, PAD)  # each without its last token
        same = (shorter.unsqueeze(2) == self.tokens.unsqueeze(1)).all(3)  # (B, J, K)
        one_more = self.lengths.unsqueeze(2) == self.lengths.unsqueeze(1) + 1
        return same & one_more & ~self.total.isneginf().unsqueeze(2)


def _advance(
    prefixes: _Prefixes,
    log_p: Tensor,
    blank: Tensor,
    best: tuple[Tensor, Tensor],
    active: Tensor,
    options: SearchOptions,
) -> _Prefixes:
    """One step of time.

    Args:
        prefixes: K of each image.
        log_p: (B, V).
        blank: (B, 1).
        best: log p and numbers of the tokens to continue with, (B, M) each.
        active: (B, 1) whether the image has this step.
        options: of the search.
    """
    total, last = prefixes.total, prefixes.last
    own = log_p.gather(1, last)  # (B, K)
    # As they are: a blank, or the last token once more ...
    stay_blank = total + blank
    stay_token = prefixes.token + own
    # ... or reached from the prefix that is one token shorter, if that is in the beam. A token
    # that repeats the end of what it continues needs a blank between.
    follows = prefixes.follows()  # (B, J, K)
    doubled = last.unsqueeze(2) == last.unsqueeze(1)  # (B, J, K)
    from_shorter = torch.where(doubled, prefixes.blank.unsqueeze(1), total.unsqueeze(1))
    arriving = from_shorter.masked_fill(~follows, _NEVER).amax(2) + own  # one k at most
    stay_token = torch.logaddexp(stay_token, arriving)
    # A step that an image does not have changes nothing.
    stay_blank = torch.where(active, stay_blank, prefixes.blank)
    stay_token = torch.where(active, stay_token, prefixes.token)
    # Longer by one token: new prefixes, but for those in the beam, which have been seen to.
    best_p, best_token = best
    repeats = best_token.unsqueeze(1) == last.unsqueeze(2)  # (B, K, M)
    grown = torch.where(repeats, prefixes.blank.unsqueeze(2), total.unsqueeze(2))
    grown = grown + best_p.unsqueeze(1)
    taken = follows.unsqueeze(3) & (last.unsqueeze(2) == best_token.unsqueeze(1)).unsqueeze(2)
    closed = taken.any(1) | ~active.unsqueeze(2)  # (B, J, K, M) -> (B, K, M)
    closed |= (prefixes.lengths >= options.max_length).unsqueeze(2)
    grown = grown.masked_fill(closed, _NEVER)

    beam, tokens = grown.shape[1:]
    offers = torch.cat([torch.logaddexp(stay_blank, stay_token), grown.flatten(1)], 1)
    chosen = offers.topk(min(options.beam_size, offers.shape[1]), dim=1).indices  # (B, K')
    grows = chosen >= beam
    number = (chosen - beam).clamp_min(0)
    parents = torch.where(grows, number // tokens, chosen)
    added = torch.where(grows, best_token.gather(1, number % tokens), PAD)
    lengths = prefixes.lengths.gather(1, parents)
    width = prefixes.tokens.shape[2]
    history = prefixes.tokens.gather(1, parents.unsqueeze(2).expand(-1, -1, width))
    # Room for one more, at the end of a prefix that stays its PAD once again.
    history = torch.nn.functional.pad(history, (0, 1), value=PAD)
    return _Prefixes(
        history.scatter(2, lengths.unsqueeze(2), added.unsqueeze(2)),
        lengths + grows,
        stay_blank.gather(1, parents).masked_fill(grows, _NEVER),
        torch.where(grows, offers.gather(1, chosen), stay_token.gather(1, parents)),
    )


def _collect(prefixes: _Prefixes, options: SearchOptions) -> list[list[Hypothesis]]:
    """The best hypotheses of each image, on the host."""
    total = prefixes.total
    score = total / (prefixes.lengths + 1).to(total.dtype).pow(options.length_penalty)
    n = min(options.n_best, score.shape[1])
    score, order = score.topk(n, dim=1)  # (B, N)
    parts = score, total.gather(1, order), order, prefixes.lengths.gather(1, order)
    tokens = prefixes.tokens.tolist()
    found: list[list[Hypothesis]] = []
    for image, rows in enumerate(zip(*(part.tolist() for part in parts), strict=True)):
        found.append(
            [
                Hypothesis(tokens[image][k][:length], log_p, ranked, length < options.max_length)
                for ranked, log_p, k, length in zip(*rows, strict=True)
                if log_p != _NEVER  # nan, of a model that has diverged, is a reading as well
            ]
        )
    return found
