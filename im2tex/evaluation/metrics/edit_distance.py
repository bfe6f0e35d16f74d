"""Token-level edit distance: exact matches, near matches and the error rate.

Levenshtein distance over tokens: insertions, deletions and substitutions, each of cost 1. These
are token-level figures. They are close to, but never called, the expression rate of the CROHME
literature, which compares label graphs.
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein
from torch import Tensor

from im2tex.evaluation.metrics.pairs import PairMetric, Tokens, pairs


def token_edits(prediction: Tokens | None, reference: Tokens) -> int:
    """Levenshtein distance in tokens; a missing prediction counts as an empty one."""
    return Levenshtein.distance(prediction or (), reference)


class TokenWithin(PairMetric):
    """Share of samples whose prediction is at most `n` token errors away from the reference.

    In 0..1; nan before the first sample. A missing prediction (None) is wrong, however short the
    reference.

    Args:
        n: token errors allowed; 0 for an exact match.

    Raises:
        ValueError: for a negative `n`.
    """

    higher_is_better = True
    hits: Tensor
    samples: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        if n < 0:
            raise ValueError(f"n is a number of token errors, got {n}.")
        self.n = n
        self.name = f"token_within_{n}" if n else "token_exact"
        self.add_sum("hits")
        self.add_sum("samples")

    def update(self, predictions: Sequence[Tokens | None], references: Sequence[Tokens]) -> None:
        """Counts samples; see `pairs` for the arguments and errors."""
        hits = 0
        for prediction, reference in pairs(predictions, references):
            hits += prediction is not None and token_edits(prediction, reference) <= self.n
        self.hits += hits
        self.samples += len(references)

    def compute(self) -> Tensor:
        """The share, a scalar."""
        samples = int(self.samples)
        return self.value(int(self.hits) / samples if samples else float("nan"))


class TokenExact(TokenWithin):
    """Share of samples whose tokens are all right, in 0..1; nan before the first sample."""

    def __init__(self) -> None:
        super().__init__(0)


class TokenErrorRate(PairMetric):
    """Corpus token error rate: token edits over reference tokens, both summed over samples.

    0 is perfect; it can pass 1 where predictions are too long. nan where there is no reference
    token.
    """

    higher_is_better = False
    name = "token_error_rate"
    edits: Tensor
    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_sum("edits")
        self.add_sum("tokens")

    def update(self, predictions: Sequence[Tokens | None], references: Sequence[Tokens]) -> None:
        """Counts edits; see `pairs` for the arguments and errors."""
        self.edits += sum(token_edits(*pair) for pair in pairs(predictions, references))
        self.tokens += sum(len(reference) for reference in references)

    def compute(self) -> Tensor:
        """The rate, a scalar."""
        tokens = int(self.tokens)
        return self.value(int(self.edits) / tokens if tokens else float("nan"))
