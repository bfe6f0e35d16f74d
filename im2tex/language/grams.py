"""The n-grams of labels, counted a level at a time in sorted arrays.

A level holds each distinct n-gram once, as one number: that of its first n - 1 tokens (a gram of
the level below) times the size of the vocabulary, plus its last token. Sorted, these numbers are
searched; no tuple and no dictionary is made for a gram.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.latex.vocabulary import BOS, EOS, Vocabulary

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labels one after the other, each between a start and an end.

    Attributes:
        tokens: (N,) numbers of the tokens, starts and ends among them.
        places: (N,) how far each is from its label's start.
    """

    tokens: Numbers
    places: Numbers

    @classmethod
    def of(cls, labels: Iterable[Sequence[str]], vocabulary: Vocabulary) -> Corpus:
        """The labels as numbers; tokens that the vocabulary does not know are `UNK`."""
        rows = [[BOS, *vocabulary.encode(label), EOS] for label in labels]
        lengths = np.array([len(row) for row in rows], np.int64)
        total = int(lengths.sum())
        tokens = np.fromiter((token for row in rows for token in row), np.int64, total)
        starts = np.repeat(lengths.cumsum() - lengths, lengths)
        return cls(tokens, np.arange(total) - starts)

    def ends_of(self, n: int) -> Numbers:
        """Positions of the last tokens of the n-grams that lie within one label."""
        return np.flatnonzero(self.places >= n - 1)


@dataclass(frozen=True, slots=True)
class Level:
    """The distinct n-grams of a corpus, numbered in the order of their keys.

    Attributes:
        keys: (G,) what they are, rising: see `key_of`.
        contexts: (G,) number of each one's first n - 1 tokens in the level below.
        counts: (G,) how often each occurs.
        first: (G,) whether each begins a label, with the start.
        extensions: how many different tokens stand before each gram of the level below.
    """

    keys: Numbers
    contexts: Numbers
    counts: Numbers
    first: NDArray[np.bool_]
    extensions: Numbers


def levels(corpus: Corpus, order: int, vocabulary_size: int) -> Iterator[Level]:
    """The levels from single tokens up, as far as there are n-grams so long.

    Args:
        corpus: what is counted.
        order: the longest n.
        vocabulary_size: V, the special tokens included.
    """
    numbers = np.zeros(len(corpus.tokens), np.int64)  # of the gram that ends at each position
    below = 1  # the empty gram
    for n in range(1, order + 1):
        ends = corpus.ends_of(n)
        if not len(ends):
            return
        keys, one, which, counts = np.unique(
            key_of(numbers[ends - 1], corpus.tokens[ends], vocabulary_size),
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        one = ends[one]  # a position where each gram ends
        yield Level(
            keys,
            keys // vocabulary_size,
            counts,
            corpus.places[one] == n - 1,
            # Grams of this level that end alike differ in the token before.
            np.bincount(numbers[one], minlength=below),
        )
        numbers[ends] = which
        below = len(keys)


def key_of(contexts: Numbers, tokens: Numbers, vocabulary_size: int) -> Numbers:
    """What an n-gram is known by: the number of its first n - 1 tokens, and its last token."""
    return contexts * vocabulary_size + tokens
