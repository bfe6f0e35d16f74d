"""N-gram language model with interpolated modified Kneser-Ney smoothing.

Chen and Goodman, *An Empirical Study of Smoothing Techniques for Language Modeling* (Harvard
TR-10-98, 1998; Computer Speech and Language 13, 1999), section 3:

    p_n(w | h) = (a(h w) - D(a(h w))) / Σ_v a(h v) + g(h) p_{n-1}(w | h'),

with h' = h without its first token. For the highest order a is the count, below it the number of
different tokens seen before the n-gram; n-grams at the start of a label have no token before them
and keep their counts, as in KenLM (Heafield et al. 2013). D is D1, D2 or D3 for counts of 1, 2, and
3 or more; g(h) redistributes the discounts. Below single tokens the distribution is uniform.

The n-grams of each order lie in one sorted array: an n-gram's key is the index of its first n - 1
tokens among the (n-1)-grams times the vocabulary size, plus its last token.

The row "5-gram LM" of table 3 in Deng et al. 2017 is such a model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import BOS, EOS, Vocabulary

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

FALLBACK = (0.5, 1.0, 1.5)
"""KenLM's discounts, for counts that are too few to estimate them from."""

_NEVER_PREDICTED = 2  # special tokens: padding and the start


@dataclass(frozen=True, slots=True)
class Discounts:
    """The discounts of one order.

    Attributes:
        values: D1, D2 and D3, for counts of 1, 2, and 3 or more.
        estimated: whether they are estimated from counts of counts; else they are `FALLBACK`.
    """

    values: tuple[float, float, float]
    estimated: bool

    @classmethod
    def estimate(cls, counts: Ids) -> Discounts:
        """Computes Chen and Goodman's estimates from the counts of all n-grams."""
        n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
        if n1 and n2 and n3:
            y = n1 / (n1 + 2 * n2)
            values = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
            # Without a discount no probability would be left for unseen tokens.
            if all(0 < value <= count for count, value in enumerate(values, 1)):
                return cls(values, estimated=True)
        return cls(FALLBACK, estimated=False)

    def of(self, counts: Ids) -> Floats:
        """Returns the discount of each count; 0 for 0."""
        return np.array((0.0, *self.values))[np.minimum(counts, 3)]


class KneserNey:
    """Probability of a label's next token given the tokens before it.

    The vocabulary is closed: in every context its tokens, `<unk>` and the end have probability 1
    together. If no token is rarer than `min_count`, `<unk>` has the probability of unseen tokens.

    Args:
        labels: token lists to train on.
        order: n, the length of the longest n-gram.
        min_count: rarer tokens become `<unk>`.

    Attributes:
        order: n.
        vocabulary: equal to the vocabulary of a recogniser trained on the same labels.

    Raises:
        Im2TexError: if there are no labels, or a number is out of range.

    Example:
        >>> model = KneserNey([["x", "+", "y"], ["x", "=", "y"]], order=2)
        >>> round(model.perplexity([["x", "+", "x"]]), 2)
        5.22
    """

    def __init__(self, labels: Iterable[Sequence[str]], order: int = 5, min_count: int = 1) -> None:
        if order < 1 or min_count < 1:
            raise Im2TexError(
                "order and min_count of an n-gram model must be at least 1; got "
                f"{order} and {min_count}."
            )
        labels = list(labels)
        if not labels:
            raise Im2TexError("an n-gram model is trained on formulas, and there are none.")
        self.order = order
        self.vocabulary = Vocabulary.count(labels, min_count)
        self._orders: list[_Order] = []
        lower: NgramCounts | None = None
        contexts = 1  # n-grams of the order below, at first the empty one
        corpus = _Corpus.encode(labels, self.vocabulary)
        for counts in count_ngrams(corpus, order, len(self.vocabulary)):
            if lower is not None:
                continuations = np.where(lower.at_start, lower.counts, counts.extensions)
                contexts = self._add_order(lower, continuations, contexts)
            lower = counts
        assert lower is not None  # every label has at least its start and its end
        self._add_order(lower, lower.counts, contexts)

    @property
    def discounts(self) -> list[Discounts]:
        """Discounts by order, of single tokens first, up to the longest n-grams seen."""
        return [order.discounts for order in self._orders]

    def log_p(self, labels: Iterable[Sequence[str]]) -> Floats:
        """Returns log p of every token in nats: label after label, each with its end."""
        corpus = _Corpus.encode(labels, self.vocabulary)
        size = len(self.vocabulary)
        p = np.full(len(corpus.tokens), 1 / (size - _NEVER_PREDICTED))
        ids = np.zeros(len(corpus.tokens), np.int64)  # of the n-gram that ends here; -1 if unseen
        for n, order in enumerate(self._orders, 1):
            ends = corpus.ngram_ends(n)
            ends = ends[ids[ends - 1] >= 0]
            contexts = ids[ends - 1]
            keys = ngram_keys(contexts, corpus.tokens[ends], size)
            found = np.searchsorted(order.keys, keys).clip(max=len(order.keys) - 1)
            seen = order.keys[found] == keys
            p[ends] = order.backoff[contexts] * p[ends] + np.where(seen, order.p[found], 0.0)
            ids = np.full(len(corpus.tokens), -1)
            ids[ends[seen]] = found[seen]
        log_p: Floats = np.log(p[corpus.positions > 0])
        return log_p

    def perplexity(self, labels: Iterable[Sequence[str]]) -> float:
        """Returns exp(-mean log p), ends included, as `metrics.Perplexity`; nan without labels."""
        log_p = self.log_p(labels)
        return math.exp(-log_p.mean()) if len(log_p) else math.nan

    def _add_order(self, ngrams: NgramCounts, counts: Ids, contexts: int) -> int:
        """Adds an order and returns the number of its n-grams, the contexts of the next order.

        Args:
            ngrams: of this order.
            counts: (G,) the numbers a of the equation.
            contexts: number of n-grams of the order below.
        """
        if not self._orders:
            counts = np.where(ngrams.keys == BOS, 0, counts)  # the start is never predicted
        discounts = Discounts.estimate(counts)
        taken = discounts.of(counts)
        total = np.bincount(ngrams.contexts, counts, contexts)
        left = np.bincount(ngrams.contexts, taken, contexts)
        p = (counts - taken) / total[ngrams.contexts]
        backoff = np.divide(left, total, out=np.ones(contexts), where=total > 0)
        self._orders.append(_Order(ngrams.keys, p, backoff, discounts))
        return len(ngrams.keys)


@dataclass(frozen=True, slots=True)
class _Order:
    """The n-grams of one order.

    Attributes:
        keys: (G,) as in `NgramCounts`.
        p: (G,) the first term of p_n.
        backoff: g by context.
        discounts: D.
    """

    keys: Ids
    p: Floats
    backoff: Floats
    discounts: Discounts


@dataclass(frozen=True, slots=True)
class _Corpus:
    """Concatenated labels, each between a start and an end.

    Attributes:
        tokens: (N,) token ids.
        positions: (N,) of each token in its label; 0 for the start.
    """

    tokens: Ids
    positions: Ids

    @classmethod
    def encode(cls, labels: Iterable[Sequence[str]], vocabulary: Vocabulary) -> _Corpus:
        rows = [[BOS, *vocabulary.encode(label), EOS] for label in labels]
        lengths = np.array([len(row) for row in rows], np.int64)
        total = int(lengths.sum())
        tokens = np.fromiter((token for row in rows for token in row), np.int64, total)
        starts = np.repeat(lengths.cumsum() - lengths, lengths)
        return cls(tokens, np.arange(total) - starts)

    def ngram_ends(self, n: int) -> Ids:
        """Returns the indices of the last tokens of the n-grams within labels."""
        return np.flatnonzero(self.positions >= n - 1)


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """The distinct n-grams of a corpus, in the order of their keys.

    Attributes:
        keys: (G,) ascending, see `ngram_keys`.
        contexts: (G,) index of the first n - 1 tokens of each among the (n-1)-grams.
        counts: (G,) occurrences of each.
        at_start: (G,) whether each begins with the start of a label.
        extensions: number of different tokens before each (n-1)-gram.
    """

    keys: Ids
    contexts: Ids
    counts: Ids
    at_start: NDArray[np.bool_]
    extensions: Ids


def count_ngrams(corpus: _Corpus, order: int, vocabulary_size: int) -> Iterator[NgramCounts]:
    """Yields the counts of n-grams, from single tokens up to the longest that occur.

    Args:
        corpus: the labels.
        order: the longest n.
        vocabulary_size: V, with special tokens.
    """
    ids = np.zeros(len(corpus.tokens), np.int64)  # index of the n-gram that ends at each token
    lower = 1  # n-grams of the order below: the empty one
    for n in range(1, order + 1):
        ends = corpus.ngram_ends(n)
        if not len(ends):
            return
        keys, first, inverse, counts = np.unique(
            ngram_keys(ids[ends - 1], corpus.tokens[ends], vocabulary_size),
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        last = ends[first]  # index at which each n-gram ends for the first time
        yield NgramCounts(
            keys,
            keys // vocabulary_size,
            counts,
            corpus.positions[last] == n - 1,
            # Different n-grams with the same last n - 1 tokens differ in the token before these.
            np.bincount(ids[last], minlength=lower),
        )
        ids[ends] = inverse
        lower = len(keys)


def ngram_keys(contexts: Ids, tokens: Ids, vocabulary_size: int) -> Ids:
    """Returns the keys of n-grams, from the indices of their contexts and their last tokens."""
    return contexts * vocabulary_size + tokens
