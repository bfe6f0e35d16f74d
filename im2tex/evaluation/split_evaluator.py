"""`SplitEvaluator`: the test of one split, as far as one process has got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from im2tex.data.dataset import Batch
from im2tex.decoders import Hypothesis
from im2tex.evaluation.metrics.formula_metrics import FormulaMetrics
from im2tex.evaluation.metrics.perplexity import Perplexity
from im2tex.evaluation.results import SampleResult
from im2tex.latex.vocabulary import Vocabulary


@dataclass
class SplitEvaluator:
    """Collects the predictions of one split and adds up their scores, in one process.

    Attributes:
        perplexity: perplexity of the labels.
        metrics: metrics of the predictions.
        records: one a sample, with its scores.
        values: the metrics by name, over all processes; empty before `compute`.
    """

    perplexity: Perplexity
    metrics: FormulaMetrics
    records: list[SampleResult] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)

    @classmethod
    def on(cls, device: torch.device) -> SplitEvaluator:
        """An evaluator without samples, with its metrics on a device."""
        return cls(Perplexity().to(device), FormulaMetrics().to(device))

    def add(
        self,
        batch: Batch,
        found: Sequence[Sequence[Hypothesis]],
        vocabulary: Vocabulary,
        logs: Mapping[str, Tensor],
    ) -> None:
        """Scores and adds a batch.

        Args:
            batch: the batch.
            found: the hypotheses of each image, the best first.
            vocabulary: the model's.
            logs: those of the decoder's loss on the labels; without `nll` there is no perplexity.
        """
        if "nll" in logs:
            self.perplexity.update(logs["nll"], logs["tokens"])
        records = []
        for row, gold in enumerate(batch.tokens):
            best, failed = found[row][0], row in batch.failed
            record = SampleResult.of(
                batch.keys[row],
                gold,
                None if failed else vocabulary.decode(best.tokens),
                failed_at="draw" if failed else None,
                score=best.score,
                reason=batch.failed.get(row),
                finished=best.finished,
                **({} if failed else _lookups(best)),
            )
            records.append(record)
        self.metrics.update(record.metrics for record in records)
        self.records += records

    def compute(self) -> dict[str, float]:
        """The metrics by name, over all processes; kept in `values`."""
        values = self.metrics.compute() | {"perplexity": self.perplexity.compute()}
        self.values = {metric: float(value) for metric, value in values.items()}
        return self.values


def _lookups(best: Hypothesis) -> dict[str, int]:
    """Cells that the attention scored over the steps of a hypothesis, and the number of steps."""
    if best.lookups is None:
        return {}
    coarse, fine = best.lookups
    return {"lookups_coarse": coarse, "lookups_fine": fine, "steps": best.steps}
