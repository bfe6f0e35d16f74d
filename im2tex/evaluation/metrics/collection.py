"""`FormulaMetrics`: the metrics that every run reports of its predictions, in one call."""

from __future__ import annotations

from torchmetrics import MetricCollection

from im2tex.evaluation.metrics.bleu import CorpusBleu
from im2tex.evaluation.metrics.edit_distance import TokenErrorRate, TokenExact, TokenWithin
from im2tex.evaluation.metrics.expression_rate import ExpressionRate
from im2tex.evaluation.metrics.pairs import PairMetric


class FormulaMetrics(MetricCollection):
    """Token metrics, BLEU and the expression rate of the CROHME line.

    Names: token_exact, token_within_1, _2, _3, token_error_rate; bleu (0..100, all others 0..1);
    expression_rate, expression_rate_1, _2, _3 and structure_rate, which compare label graphs as the
    CROHME tools do, and the same with `_strict` at the end, by stricter rules.

    `update(predictions, references)` takes token lists; a missing prediction is None and counts as
    wrong. `compute()` gives a dictionary; `clone(prefix="test/")` a fresh, named copy. At the end
    of an epoch, log what `compute()` gives and `reset()`.

    Args:
        prefix: put before each name, `val/` or `test/`.
    """

    def __init__(self, prefix: str | None = None) -> None:
        metrics: list[PairMetric] = [
            TokenExact(),
            *(TokenWithin(n) for n in (1, 2, 3)),
            TokenErrorRate(),
            CorpusBleu(),
            ExpressionRate(),
            ExpressionRate("strict"),
        ]
        # No compute groups: torchmetrics would find them by comparing states after the first
        # batch, where metrics with different updates can be equal by chance.
        super().__init__(
            {metric.name: metric for metric in metrics}, prefix=prefix, compute_groups=False
        )

    @property
    def signatures(self) -> dict[str, str]:
        """What makes a figure comparable with others', by metric name without prefix."""
        return {
            metric.name: metric.signature
            for metric in self.values()
            if isinstance(metric, CorpusBleu | ExpressionRate)
        }
