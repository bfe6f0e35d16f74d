"""Metric values from the scores of samples, added up.

A metric is the mean of a score over the samples that have it, a ratio of two sums (`RATIOS`), or
BLEU, which is a function of n-gram counts. All summands are whole numbers, so that a value depends
neither on the order of the samples nor on how they were spread over batches and processes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from im2tex.evaluation.metrics.bleu import bleu_names, bleu_value
from im2tex.evaluation.metrics.expression_rate import GRAPH_SCORES
from im2tex.evaluation.metrics.names import BLEUS, IMAGE_SCORES, TOKEN_SCORES

SampleScores: TypeAlias = dict[str, bool | float]
"""The scores of one sample by name; a score that is not defined for the sample is absent."""


class Ratio(NamedTuple):
    """A ratio of two sums over samples.

    Attributes:
        part: score summed in the numerator.
        whole: score summed in the denominator.
        complement: whether the metric is 1 minus the ratio.
    """

    part: str
    whole: str
    complement: bool = False


RATIOS = {
    "token_error_rate": Ratio("token_edits", "reference_tokens"),
    "image_edit_score": Ratio("image_edits", "image_columns", complement=True),
    "image_edit_score_released": Ratio("image_edits_released", "image_columns_released", True),
    "lookups_coarse": Ratio("lookups_coarse", "steps"),
    "lookups_fine": Ratio("lookups_fine", "steps"),
}
"""Metrics that are ratios of sums."""


class ScoreTotals:
    """Sums of scores over samples.

    Example:
        >>> totals = ScoreTotals()
        >>> totals.add({"token_exact": True})
        >>> totals.add({"token_exact": False})
        >>> totals.values()
        {'token_exact': 0.5}

    Attributes:
        sums: the sum of each score.
        counts: how many samples have the score.
    """

    def __init__(
        self, sums: Mapping[str, int] | None = None, counts: Mapping[str, int] | None = None
    ) -> None:
        self.sums: Counter[str] = Counter(sums)
        self.counts: Counter[str] = Counter(counts)

    def add(self, scores: Mapping[str, bool | float]) -> None:
        """Adds the scores of one sample."""
        self.counts.update(scores.keys())
        sums = self.sums
        for name, value in scores.items():
            sums[name] = sums.get(name, 0) + value  # type: ignore[assignment] # floats in files

    def mean(self, name: str) -> float:
        """Mean of a score over the samples that have it; nan without any."""
        return _ratio(self.sums[name], self.counts[name])

    def values(self) -> dict[str, float]:
        """The value of each metric whose scores were added; nan where it is not defined."""
        known = self.counts.keys()
        found = {
            name: self.mean(name)
            for name in (*TOKEN_SCORES, *GRAPH_SCORES, *IMAGE_SCORES)
            if name in known
        }
        for name, (part, whole, complement) in RATIOS.items():
            if part in known and whole in known:
                value = _ratio(self.sums[part], self.sums[whole])
                found[name] = 1 - value if complement else value
        for name in BLEUS:
            if known >= set(bleu_names(name)):
                found[name] = bleu_value(self.sums, name)
        return found


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
