"""An n-gram model of labels with interpolated modified Kneser-Ney smoothing.

Chen and Goodman, *An Empirical Study of Smoothing Techniques for Language Modeling* (Harvard
TR-10-98, 1998; Computer Speech and Language 13, 1999), section 3:

    p_n(w | h) = (a(h w) - D(a(h w))) / Σ_v a(h v) + g(h) p_{n-1}(w | h'),

h' being h without its first token. a is the count for the highest order, and below it the number
of different tokens seen before the n-gram; n-grams that begin a label have none before them and
keep their counts, as in KenLM (Heafield et al. 2013). D takes D1, D2 or D3 from counts of 1, 2,
and 3 or more; g(h) hands out what was taken. Below single tokens all are alike.

The row "5-gram LM" of table 3 in Deng et al. 2017 is such a model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.language.grams import Corpus, Level, Numbers, key_of, levels
from im2tex.latex.vocabulary import BOS, Vocabulary

Floats = NDArray[np.float64]

FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where counts are too few to estimate them from; KenLM's."""

_NEVER = 2
"""Special tokens that no label holds: padding and the start."""


@dataclass(frozen=True, slots=True)
class Discounts:
    """What is taken from a count.

    Attributes:
        values: from counts of 1, 2, and 3 or more.
        estimated: from counts of counts; else `FALLBACK`.
    """

    values: tuple[float, float, float]
    estimated: bool

    @classmethod
    def of(cls, counts: Numbers) -> Discounts:
        """Chen and Goodman's estimates, from how many n-grams have each count."""
        n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
        if n1 and n2 and n3:
            y = n1 / (n1 + 2 * n2)
            found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
            # A discount of nothing would leave nothing for what was never seen.
            if all(0 < value <= count for count, value in enumerate(found, 1)):
                return cls(found, estimated=True)
        return cls(FALLBACK, estimated=False)

    def taken(self, counts: Numbers) -> Floats:
        """The discount of each count; nothing from 0."""
        return np.array((0.0, *self.values))[np.minimum(counts, 3)]


@dataclass(frozen=True, slots=True)
class _Order:
    """The n-grams of one order.

    Attributes:
        keys: (G,) as in `Level`.
        share: (G,) the first term of p_n.
        backoff: g by context.
        discounts: what it was made with.
    """

    keys: Numbers
    share: Floats
    backoff: Floats
    discounts: Discounts

    @classmethod
    def of(cls, level: Level, counts: Numbers, contexts: int) -> _Order:
        discounts = Discounts.of(counts)
        taken = discounts.taken(counts)
        total = np.bincount(level.contexts, counts, contexts)
        left = np.bincount(level.contexts, taken, contexts)
        return cls(
            level.keys,
            (counts - taken) / total[level.contexts],
            np.divide(left, total, out=np.ones(contexts), where=total > 0),
            discounts,
        )


class KneserNey:
    """p of a label's next token by the tokens before it.

    The vocabulary is closed: its tokens, `<unk>` and the end share all of p in every context.
    Without a token seen less than `min_count` times, `<unk>` has what unseen tokens have.

    Args:
        labels: token lists to learn from.
        order: n, the longest n-gram.
        min_count: tokens seen less often become `<unk>`.

    Attributes:
        order: n.
        vocabulary: as the models', from the same labels.

    Raises:
        Im2TexError: if there are no labels, or the order or the count is not at least 1.
    """

    def __init__(self, labels: Iterable[Sequence[str]], order: int = 5, min_count: int = 1) -> None:
        if order < 1 or min_count < 1:
            raise Im2TexError(
                f"an n-gram model's order and min_count are at least 1; got {order} and "
                f"{min_count}."
            )
        labels = list(labels)
        if not labels:
            raise Im2TexError("an n-gram model learns from formulas, and there are none.")
        self.order = order
        self.vocabulary = Vocabulary.count(labels, min_count)
        self._orders: list[_Order] = []
        contexts = 1  # grams of the level below, at first the empty one
        below: Level | None = None
        for level in levels(Corpus.of(labels, self.vocabulary), order, len(self.vocabulary)):
            if below is not None:
                counts = np.where(below.first, below.counts, level.extensions)
                contexts = self._add(below, counts, contexts)
            below = level
        assert below is not None  # every label has at least its start and its end
        self._add(below, below.counts, contexts)

    @property
    def discounts(self) -> list[Discounts]:
        """Those of each order that there are n-grams of, single tokens first."""
        return [order.discounts for order in self._orders]

    def log_p(self, labels: Iterable[Sequence[str]]) -> Floats:
        """Log p of every token, nats: label after label, each with its end."""
        corpus = Corpus.of(labels, self.vocabulary)
        size = len(self.vocabulary)
        p = np.full(len(corpus.tokens), 1 / (size - _NEVER))
        numbers = np.zeros(len(corpus.tokens), np.int64)  # -1 where a gram was never seen
        for n, order in enumerate(self._orders, 1):
            ends = corpus.ends_of(n)
            ends = ends[numbers[ends - 1] >= 0]
            contexts = numbers[ends - 1]
            keys = key_of(contexts, corpus.tokens[ends], size)
            grams = np.searchsorted(order.keys, keys).clip(max=len(order.keys) - 1)
            seen = order.keys[grams] == keys
            p[ends] = order.backoff[contexts] * p[ends] + np.where(seen, order.share[grams], 0.0)
            numbers = np.full(len(corpus.tokens), -1)
            numbers[ends[seen]] = grams[seen]
        found: Floats = np.log(p[corpus.places > 0])
        return found

    def perplexity(self, labels: Iterable[Sequence[str]]) -> float:
        """exp(-mean log p), ends included: what `metrics.Perplexity` says of a model.

        Returns:
            nan without labels.
        """
        found = self.log_p(labels)
        return math.exp(-found.mean()) if len(found) else math.nan

    def _add(self, level: Level, counts: Numbers, contexts: int) -> int:
        """Adds an order; returns how many grams it has, the contexts of the next."""
        if not self._orders:
            counts = np.where(level.keys == BOS, 0, counts)  # it is given, not predicted
        self._orders.append(_Order.of(level, counts, contexts))
        return len(level.keys)
