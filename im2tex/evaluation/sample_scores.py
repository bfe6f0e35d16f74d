"""The scores of one sample that need no images; `metrics.image_match` has those of the images.

A metric of a table is the mean of the scores of its name, or a ratio of their sums, over the
samples that have the score: see `metrics.totals`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from im2tex.evaluation.metrics.bleu import bleu_counts
from im2tex.evaluation.metrics.expression_rate import VARIANTS, graph_scores
from im2tex.evaluation.metrics.totals import SampleScores


def score_sample(prediction: Sequence[str] | None, reference: Sequence[str]) -> SampleScores:
    """Scores a prediction against its reference: tokens, label graphs, n-grams.

    Example:
        >>> scores = score_sample(["x", "+", "1"], ["x", "+", "2"])
        >>> scores["token_edits"], scores["expression_rate"], scores["expression_rate_1"]
        (1, False, True)

    Args:
        prediction: the predicted tokens; None for a missing prediction, which is always wrong.
        reference: the reference tokens. A sample without a label has none, and is always wrong.

    Returns:
        `token_exact` and `token_within_1`, `_2`, `_3` (at most so many token edits); `token_edits`
        (Levenshtein distance in tokens) and `reference_tokens`; the scores of `graph_scores` in
        both variants; the counts of `bleu_counts`.

    Raises:
        TypeError: for a string instead of a list of tokens.
    """
    for tokens in (prediction, reference):
        if isinstance(tokens, str):
            raise TypeError(f"expected a list of tokens, got the string {tokens!r}.")
    if not reference:
        prediction = None
    edits = Levenshtein.distance(prediction or (), reference)
    scores: SampleScores = {
        f"token_within_{n}" if n else "token_exact": prediction is not None and edits <= n
        for n in range(4)
    }
    scores |= {"token_edits": edits, "reference_tokens": len(reference)}
    for variant in VARIANTS:
        scores |= graph_scores(prediction, reference, variant)
    return scores | bleu_counts(prediction, reference)
