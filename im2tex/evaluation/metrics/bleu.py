"""Corpus BLEU over tokens: n-gram counts of a sample, and the value by sacrebleu.

BLEU = BP * exp(1/4 sum_n log p_n), where p_n is the fraction of predicted n-grams, n = 1..4, that
are in their reference, and BP = min(1, exp(1 - r/c)) for r reference and c predicted tokens; all
counts are summed over the corpus. One reference, case-sensitive, no tokenisation and no smoothing:
what multi-bleu.perl gives on space-separated tokens (Deng et al. 2017, section 6).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain

from sacrebleu.metrics.bleu import BLEU, MAX_NGRAM_ORDER

_ORDERS = range(1, MAX_NGRAM_ORDER + 1)


@cache
def bleu_names(name: str = "bleu") -> tuple[str, ...]:
    """Names of the counts of `bleu_counts`, in their order."""
    return (
        f"{name}_reference_tokens",
        f"{name}_long_references",
        *(f"{name}_ngrams_{n}" for n in _ORDERS),
        *(f"{name}_matches_{n}" for n in _ORDERS),
    )


def bleu_counts(
    prediction: Sequence[str] | None, reference: Sequence[str], name: str = "bleu"
) -> dict[str, int]:
    """Returns the counts that one sample adds to corpus BLEU.

    Args:
        prediction: the predicted tokens; None counts as an empty prediction.
        reference: the reference tokens.
        name: put before the name of each count.

    Returns:
        For n in 1..4 `NAME_matches_n` (n-grams of the prediction that are in the reference, each
        at most as often as there) and `NAME_ngrams_n` (n-grams of the prediction);
        `NAME_reference_tokens`; `NAME_long_references`, 1 for a reference of 4 tokens or more.
    """
    prediction = prediction or ()
    ngrams = [max(0, len(prediction) - n + 1) for n in _ORDERS]
    matches = list(ngrams)
    if list(prediction) != list(reference):
        found, available = Counter(_ngrams(prediction)), Counter(_ngrams(reference))
        for ngram, count in found.items() - available.items():
            matches[len(ngram) - 1] -= max(0, count - available[ngram])
    long = int(len(reference) >= MAX_NGRAM_ORDER)
    return dict(zip(bleu_names(name), (len(reference), long, *ngrams, *matches), strict=True))


def bleu_value(sums: Mapping[str, int], name: str = "bleu") -> float:
    """Corpus BLEU in 0..100 from the sums of `bleu_counts` over all samples.

    0 where no 4-gram matches, as there is no smoothing. nan, not defined, where no reference has
    as many as 4 tokens: no prediction could match a 4-gram there.
    """
    if not sums[f"{name}_long_references"]:
        return math.nan
    return BLEU.compute_bleu(
        [sums[f"{name}_matches_{n}"] for n in _ORDERS],
        [sums[f"{name}_ngrams_{n}"] for n in _ORDERS],
        sums[f"{name}_ngrams_1"],
        sums[f"{name}_reference_tokens"],
        smooth_method="none",
    ).score


def bleu_signature() -> str:
    """The signature of the metric, as sacrebleu writes it."""
    bleu = BLEU(tokenize="none", smooth_method="none", force=True)
    bleu.num_refs = 1  # sacrebleu sets it when it scores a corpus
    return str(bleu.get_signature())


def _ngrams(tokens: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The n-grams of all orders."""
    shifted = [tokens[start:] for start in range(MAX_NGRAM_ORDER)]
    return chain.from_iterable(zip(*shifted[:n], strict=False) for n in _ORDERS)
