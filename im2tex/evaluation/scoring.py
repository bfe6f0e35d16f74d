r"""All metrics of a set of samples.

`im2tex test` and `im2tex score` both use `score_samples`, so that a model of this package and the
predictions of any other system appear in the same table.

BLEU is computed over three forms of the formulas; Deng et al. 2017 report the last two:

* `bleu`, over the tokens as they are: the model's output against its training target.
* `bleu_norm`, both sides in the paper's normal form, from the same tokens.
* `bleu_tok`, the plain tokens of the prediction against those of the reference as found, before
  any normalisation, where that is known. CROHME's labels are found as they were typed (`$x^2$`), so
  that a canonical prediction (`x ^ { 2 }`) loses there.

A formula that cannot be brought to a form is used as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from im2tex.evaluation.breakdown import breakdown
from im2tex.evaluation.metrics.bleu import bleu_counts, bleu_signature
from im2tex.evaluation.metrics.expression_rate import SIGNATURES
from im2tex.evaluation.metrics.totals import ScoreTotals
from im2tex.evaluation.rendered_pairs import Engine, Markup, RenderedPair, render_pairs
from im2tex.evaluation.results import SampleResult
from im2tex.evaluation.sample_scores import score_sample
from im2tex.latex.normalize import NormalizationForm, normalize_or_none
from im2tex.render import Failure

_STAGE_ROWS = {
    "failed to read / draw / decode": ("read", "draw", "decode"),
    "failed to render / score": ("render", "score"),
    "references failed likewise": ("reference_render", "reference_score"),
}
STAGES = tuple(stage for stages in _STAGE_ROWS.values() for stage in stages)
"""Where a sample can fail. Without a prediction: it could not be read, its ink could not be drawn,
or nothing was decoded. Else one of the two formulas has no image (`render`), or no label graph or
no label (`score`). A sample can fail at several stages."""


@dataclass(frozen=True)
class ScoredSplit:
    """The metrics of one split.

    Attributes:
        metrics: values by name.
        samples: the samples in the order given, with every score.
        failed: how many samples failed at each of `STAGES`.
        signatures: the settings under which values are comparable, by metric name.
        engine: the engine that rendered the images.
        breakdown: metrics by group of samples, see `im2tex.evaluation.breakdown`.
    """

    metrics: Mapping[str, float]
    samples: Sequence[SampleResult]
    failed: Mapping[str, int]
    signatures: Mapping[str, str]
    engine: Engine
    breakdown: Mapping[str, Any]

    def failure_rows(self) -> dict[str, str]:
        """The numbers of failures, as rows of the table."""
        return {
            row: " / ".join(f"{self.failed[stage]:,}" for stage in stages)
            for row, stages in _STAGE_ROWS.items()
        }


def score_samples(samples: Sequence[SampleResult], engine: Engine) -> ScoredSplit:
    """Scores a split.

    Args:
        samples: references and predictions. A sample that `SampleResult.of` has scored keeps its
            scores.
        engine: the engine that renders the formulas.
    """
    rendered = render_pairs([_markup(sample) for sample in samples], engine)
    form_counts = _FormCounts()
    failed = Counter(dict.fromkeys(STAGES, 0))
    totals = ScoreTotals()
    scored = []
    for sample, pair in zip(samples, rendered.pairs, strict=True):
        scores = dict(sample.metrics)
        if "token_exact" not in scores:
            scores |= score_sample(sample.prediction, sample.gold)
        if pair is not None:
            scores |= pair.scores
        scores |= form_counts(sample)
        totals.add(scores)
        failures = list(_failures(sample, scores, pair))
        failed.update(stage for stage, _ in failures)
        stage, reason = failures[0] if failures else (sample.failed_at, sample.reason)
        stage = stage and stage.removeprefix("reference_")
        scored.append(replace(sample, metrics=scores, failed_at=stage, reason=reason))
    bleu = bleu_signature()
    signatures = SIGNATURES | {
        "bleu": bleu,
        "bleu_norm": f"{bleu}|form:norm",
        "bleu_tok": f"{bleu}|form:tok|gold:as found",
    }
    if rendered.signature is not None:
        signatures["image"] = rendered.signature
    return ScoredSplit(
        totals.values(), scored, failed, signatures, rendered.engine, breakdown(scored)
    )


def _tokens_to_score(sample: SampleResult) -> Sequence[str] | None:
    """The prediction; None, which is always wrong, for a sample without a label."""
    return sample.prediction if sample.gold else None


def _markup(sample: SampleResult) -> Markup:
    prediction = _tokens_to_score(sample)
    return None if prediction is None else " ".join(prediction), " ".join(sample.gold)


class _FormCounts:
    """Counts of `bleu_norm` and `bleu_tok`; normalises each formula once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, NormalizationForm], Sequence[str] | None] = {}

    def __call__(self, sample: SampleResult) -> dict[str, int]:
        prediction, gold = _tokens_to_score(sample), sample.gold
        counts: dict[str, int] = {}
        for form, latex in ((NormalizationForm.NORM, None), (NormalizationForm.TOK, sample.latex)):
            reference = self._in_form(form, gold, latex)
            guess = prediction and self._in_form(form, prediction)
            counts |= bleu_counts(guess, reference, f"bleu_{form}")
        return counts

    def _in_form(
        self, form: NormalizationForm, tokens: Sequence[str], latex: str | None = None
    ) -> Sequence[str]:
        """The formula as found in this form, if it can be read; else its tokens so; else these."""
        for source in (latex, " ".join(tokens)):
            if source:
                known = self._normalize(source, form)
                if known is not None:
                    return known
        return tokens

    def _normalize(self, source: str, form: NormalizationForm) -> Sequence[str] | None:
        key = source, form
        if key not in self._known:
            found = normalize_or_none(source, form)
            self._known[key] = None if found is None else found.split()
        return self._known[key]


def _failures(
    sample: SampleResult, scores: Mapping[str, bool | float], pair: RenderedPair | None
) -> Iterator[tuple[str, str | None]]:
    """Stages and reasons, the first stage first."""
    if sample.prediction is None:
        yield sample.failed_at or "read", sample.reason or "no prediction"
    if not sample.gold:
        # The reason why the source has no label, if the sample has it.
        known = sample.reason if sample.prediction is not None else None
        yield "reference_score", known or "no label"
        return
    if pair is not None:
        if pair.prediction is not None:
            yield "render", f"prediction: {_describe(pair.prediction)}"
        if pair.reference is not None:
            yield "reference_render", f"reference: {_describe(pair.reference)}"
    if sample.prediction is not None and not scores["prediction_has_graph"]:
        yield "score", "prediction: no label graph"
    if not scores["reference_has_graph"]:
        yield "reference_score", "reference: no label graph"


def _describe(failure: Failure) -> str:
    return f"{failure.reason} ({failure.cause})"
