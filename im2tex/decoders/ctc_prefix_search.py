"""Prefix beam search: the most probable labels under CTC, each summed over its alignments.

Graves, *Sequence Transduction with Recurrent Neural Networks* (2012), algorithm 1, without a
prediction network; Hannun et al., *First-Pass Large Vocabulary Continuous Speech Recognition*
(2014), algorithm 1, without a language model. Alignments of one label differ in the positions of
blanks and repetitions, so a hypothesis is a prefix y with two probabilities: that of its alignments
that end with a blank, and that of those that end with its last token,

    p_blank(y, t) = p(blank) (p_blank + p_token)(y, t - 1),
    p_token(y, t) = p(y_n) (p_token(y, t - 1) + (p_blank + p_token)(y_1..n-1, t - 1)),

where only p_blank of the shorter prefix counts if it ends with the same token y_n.

All images and prefixes advance together in one loop over time. With a beam that holds every prefix
the result is exact; otherwise the probability of a label is a lower bound, without the alignments
through prefixes that were dropped. A beam of 1 is a greedy search that still sums over the
alignments of its one prefix.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from im2tex.decoders.beam_search import Hypothesis, SearchOptions, gather_beams
from im2tex.latex.vocabulary import PAD

_NEVER = float("-inf")


@torch.no_grad()
def prefix_search(
    log_p: Tensor, lengths: Tensor, options: SearchOptions, banned_tokens: Sequence[int] = ()
) -> list[list[Hypothesis]]:
    """Searches for the most probable labels.

    A prefix of `max_length` tokens is not extended, and counts as unfinished. Prefixes compete by
    log p alone; `length_penalty` orders the final ones by log p / (tokens + 1) ** penalty.

    Args:
        log_p: (B, T, V) at each time step, nats; that of the blank at index `PAD`.
        lengths: (B,) time steps of each image.
        options: beam size, length limit, ranking.
        banned_tokens: tokens that are never predicted.

    Returns:
        `n_best` hypotheses of each image, best first (fewer if there are fewer labels).
    """
    batch, _, vocabulary = log_p.shape
    banned = torch.tensor(banned_tokens, dtype=torch.long, device=log_p.device)
    log_p = log_p.index_fill(2, banned, _NEVER)
    blank = log_p[:, :, PAD]  # (B, T)
    # Only the best K + 1 tokens of a step matter: an extension by any other token is at most as
    # probable as K extensions by these, one of which may repeat the last token.
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
    """K distinct prefixes of each image; unreachable ones may repeat.

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
        """The empty prefix of each image, with probability 1."""
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
    def last_index(self) -> Tensor:
        """(B, K) index of the last token; 0 in the empty prefix."""
        return (self.lengths - 1).clamp_min(0)

    @property
    def last(self) -> Tensor:
        """(B, K) the last token; `PAD` of the empty prefix."""
        return self.tokens.gather(2, self.last_index.unsqueeze(2)).squeeze(2)

    def extends(self) -> Tensor:
        """(B, J, K) whether prefix j is prefix k with one more token."""
        shorter = self.tokens.scatter(2, self.last_index.unsqueeze(2), PAD)
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
    """One time step.

    Args:
        prefixes: K of each image.
        log_p: (B, V).
        blank: (B, 1).
        best: log p and ids of the tokens for extensions, (B, M) each.
        active: (B, 1) whether the image has this time step.
        options: of the search.
    """
    total, last = prefixes.total, prefixes.last
    own = log_p.gather(1, last)  # (B, K)
    # An unchanged prefix: by a blank, by its last token once more ...
    stay_blank = total + blank
    stay_token = prefixes.token + own
    # ... or by extending the prefix that is one token shorter, if that is in the beam. A token
    # that repeats the last one needs a blank in between.
    extends = prefixes.extends()  # (B, J, K)
    repeated = last.unsqueeze(2) == last.unsqueeze(1)  # (B, J, K)
    from_shorter = torch.where(repeated, prefixes.blank.unsqueeze(1), total.unsqueeze(1))
    arriving = from_shorter.masked_fill(~extends, _NEVER).amax(2) + own  # at most one k
    stay_token = torch.logaddexp(stay_token, arriving)
    # An image without this time step keeps its prefixes.
    stay_blank = torch.where(active, stay_blank, prefixes.blank)
    stay_token = torch.where(active, stay_token, prefixes.token)
    # Extensions that are not in the beam yet.
    best_p, best_token = best
    repeats = best_token.unsqueeze(1) == last.unsqueeze(2)  # (B, K, M)
    longer = torch.where(repeats, prefixes.blank.unsqueeze(2), total.unsqueeze(2))
    longer = longer + best_p.unsqueeze(1)
    in_beam = extends.unsqueeze(3) & (last.unsqueeze(2) == best_token.unsqueeze(1)).unsqueeze(2)
    excluded = in_beam.any(1) | ~active.unsqueeze(2)  # (B, J, K, M) -> (B, K, M)
    excluded |= (prefixes.lengths >= options.max_length).unsqueeze(2)
    longer = longer.masked_fill(excluded, _NEVER)

    beam, tokens = longer.shape[1:]
    scores = torch.cat([torch.logaddexp(stay_blank, stay_token), longer.flatten(1)], 1)
    chosen = scores.topk(min(options.beam_size, scores.shape[1]), dim=1).indices  # (B, K')
    grows = chosen >= beam
    index = (chosen - beam).clamp_min(0)
    parents = torch.where(grows, index // tokens, chosen)
    added = torch.where(grows, best_token.gather(1, index % tokens), PAD)
    lengths = prefixes.lengths.gather(1, parents)
    # One more position; in a prefix that does not grow, it is PAD like the one before.
    history = torch.nn.functional.pad(gather_beams(prefixes.tokens, parents), (0, 1), value=PAD)
    return _Prefixes(
        history.scatter(2, lengths.unsqueeze(2), added.unsqueeze(2)),
        lengths + grows,
        stay_blank.gather(1, parents).masked_fill(grows, _NEVER),
        torch.where(grows, scores.gather(1, chosen), stay_token.gather(1, parents)),
    )


def _collect(prefixes: _Prefixes, options: SearchOptions) -> list[list[Hypothesis]]:
    """The best hypotheses of each image, on the host."""
    total = prefixes.total
    score = total / (prefixes.lengths + 1).to(total.dtype).pow(options.length_penalty)
    n = min(options.n_best, score.shape[1])
    score, order = score.topk(n, dim=1)  # (B, N)
    columns = score, total.gather(1, order), order, prefixes.lengths.gather(1, order)
    tokens = prefixes.tokens.tolist()
    return [
        [
            Hypothesis(tokens[image][k][:length], log_p, ranked, length < options.max_length)
            for ranked, log_p, k, length in zip(*rows, strict=True)
            if log_p != _NEVER  # NaN, of a model that has diverged, is kept
        ]
        for image, rows in enumerate(zip(*(part.tolist() for part in columns), strict=True))
    ]
