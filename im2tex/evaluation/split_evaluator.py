"""`SplitEvaluator`: what a test of one split has found so far, in one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from im2tex.data.dataset import Batch
from im2tex.decoders import Hypothesis
from im2tex.evaluation.metrics import FormulaMetrics, Perplexity
from im2tex.evaluation.results import SampleResult
from im2tex.latex.vocabulary import Vocabulary


@dataclass
class SplitEvaluator:
    """A test of one split, as it goes on in one process.

    Attributes:
        name: of the split.
        perplexity: of the labels.
        metrics: of the predictions.
        records: a record a sample.
        unfinished: hypotheses cut off at the length limit.
        scores: the final values by name, over all processes.
    """

    name: str
    perplexity: Perplexity
    metrics: FormulaMetrics
    records: list[SampleResult] = field(default_factory=list)
    unfinished: int = 0
    scores: dict[str, float] = field(default_factory=dict)

    @classmethod
    def start(cls, name: str, device: torch.device) -> SplitEvaluator:
        """A test of a split of which nothing is read yet."""
        return cls(name, Perplexity().to(device), FormulaMetrics().to(device))

    def add(
        self,
        batch: Batch,
        found: Sequence[Sequence[Hypothesis]],
        words: Vocabulary,
        logs: Mapping[str, Tensor],
    ) -> None:
        """Adds a batch.

        Args:
            batch: the batch.
            found: the hypotheses of each image, the best first.
            words: the model's vocabulary.
            logs: what the decoder's loss says of the labels; without `nll` there is no perplexity.
        """
        if "nll" in logs:
            self.perplexity.update(logs["nll"], logs["tokens"])
        predictions = [words.decode(one[0].tokens) for one in found]
        right_or_wrong = mask_failed_predictions(predictions, batch)
        self.metrics.update(right_or_wrong, batch.tokens)
        for row, gold in enumerate(batch.tokens):
            best, drawn = found[row][0], row not in batch.failed
            self.unfinished += not best.finished
            record = SampleResult.of(
                batch.keys[row],
                gold,
                predictions[row] if drawn else None,
                failed_at=_failed_at(drawn, right_or_wrong[row] is not None),
                score=best.score,
                reason=batch.failed.get(row),
                finished=best.finished,
                **(_lookups(best) if drawn else {}),
            )
            if right_or_wrong[row] is None:
                record = replace(record, verdicts={**record.verdicts, "token_exact": False})
            self.records.append(record)

    def compute(self) -> dict[str, float]:
        """The values by name, over all processes; kept in `scores`."""
        values = self.metrics.compute() | {"perplexity": self.perplexity.compute()}
        self.scores = {metric: float(value) for metric, value in values.items()}
        return self.scores


def mask_failed_predictions(
    predictions: Sequence[list[str]], batch: Batch
) -> list[list[str] | None]:
    """Predictions, but None, which is always wrong, where nothing was drawn or there is no label.

    An empty reading would else be right for a blank image or a sample without a label.
    """
    return [
        prediction if tokens and row not in batch.failed else None
        for row, (prediction, tokens) in enumerate(zip(predictions, batch.tokens, strict=True))
    ]


def _failed_at(drawn: bool, scored: bool) -> str | None:
    if not drawn:
        return "draw"
    return None if scored else "score"


def _lookups(reading: Hypothesis) -> dict[str, int]:
    """Cells that the attention scored over a reading's steps, and the number of these."""
    if reading.lookups is None:
        return {}
    coarse, fine = reading.lookups
    return {"lookups_coarse": coarse, "lookups_fine": fine, "steps": reading.steps}
