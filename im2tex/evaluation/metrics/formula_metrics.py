"""`FormulaMetrics`: the metrics that a validation and a test log, added up over processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torchmetrics import Metric

from im2tex.evaluation.metrics.bleu import bleu_names
from im2tex.evaluation.metrics.expression_rate import GRAPH_SCORES
from im2tex.evaluation.metrics.names import TOKEN_SCORES
from im2tex.evaluation.metrics.totals import ScoreTotals

_SCORES = (*TOKEN_SCORES, *GRAPH_SCORES, "token_edits", "reference_tokens", *bleu_names())


class FormulaMetrics(Metric):
    """Token metrics, BLEU and the expression rate, from the scores of samples.

    The values are fractions in 0..1; BLEU is in 0..100. A value that is not defined, and each
    before the first sample, is nan. The states are sums of integers: a value does not depend on
    how the samples were spread over batches and processes.

    Example:
        >>> metrics = FormulaMetrics()
        >>> metrics.update([score_sample(["x"], ["x"]), score_sample(["y"], ["x"])])
        >>> float(metrics.compute()["expression_rate"])
        0.5

    Args:
        prefix: put before each name, such as `val/`.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, prefix: str = "") -> None:
        super().__init__()
        self.prefix = prefix
        for state in ("sums", "counts"):
            zeros = torch.zeros(len(_SCORES), dtype=torch.int64)
            self.add_state(state, zeros, dist_reduce_fx="sum")

    def update(self, scores: Iterable[Mapping[str, bool | float]]) -> None:
        """Adds the scores of samples, see `score_sample`."""
        totals = ScoreTotals()
        for sample in scores:
            totals.add(sample)
        self.sums += self.sums.new_tensor([totals.sums[name] for name in _SCORES])
        self.counts += self.counts.new_tensor([totals.counts[name] for name in _SCORES])

    def compute(self) -> dict[str, Tensor]:
        """The values by name, scalars."""
        totals = ScoreTotals(
            dict(zip(_SCORES, self.sums.tolist(), strict=True)),
            dict(zip(_SCORES, self.counts.tolist(), strict=True)),
        )
        return {
            self.prefix + name: scalar(value, self.device)
            for name, value in totals.values().items()
        }


def scalar(number: float, device: torch.device) -> Tensor:
    """A float64 scalar; float32 on Apple's GPUs, which have no float64."""
    return torch.tensor(
        number, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device
    )
