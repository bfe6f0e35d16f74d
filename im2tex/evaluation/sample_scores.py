"""Every verdict on one sample, and where it failed.

A rate of the table is the mean of the verdict of its name, over the samples that have it: a sample
has no verdict on what it is left out of (see `ExpressionRate` and `ImageScores`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from im2tex.evaluation.metrics import GraphScores, compare_graphs, token_edits
from im2tex.evaluation.metrics.expression_rate import Variant
from im2tex.evaluation.metrics.image_match import ImageComparison
from im2tex.evaluation.results import SampleResult
from im2tex.render import Failure

Verdicts = dict[str, bool | float]

STAGES = (
    "read",
    "draw",
    "decode",
    "render",
    "score",
    "reference_render",
    "reference_score",
)
"""Where a sample can fail. There is no prediction: it could not be read, its ink not be drawn, or
nothing was decoded. Or one of the two formulas has no picture (`render`), or no label graph or no
label (`score`). A formula can fail at both."""

VARIANTS: tuple[Variant, ...] = ("crohme2019", "strict")


@dataclass(frozen=True)
class RenderedPair:
    """A sample's two formulas as pictures.

    Attributes:
        images: what the pictures have in common.
        prediction: why the prediction has none.
        reference: why the reference has none.
    """

    images: ImageComparison
    prediction: Failure | None = None
    reference: Failure | None = None


def judge(sample: SampleResult, compared: RenderedPair | None) -> tuple[SampleResult, list[str]]:
    """A sample with its verdicts, and the stages at which it failed.

    Args:
        sample: with its prediction; verdicts it has already are kept.
        compared: its pictures; None where none are drawn.

    Returns:
        The sample, whose `failed_at` is its first failure, and all of `STAGES` that apply.
    """
    graphs = {
        variant: compare_graphs(sample.scored_prediction, sample.gold, variant)
        for variant in VARIANTS
    }
    verdicts = dict(sample.verdicts) | _tokens(sample)
    for variant, verdict in graphs.items():
        verdicts |= verdict.shares(variant)
        if verdict.comparison is not None and verdict.comparison.comparable:
            suffix = "" if variant == "crohme2019" else f"_{variant}"
            verdicts[f"expression_errors{suffix}"] = verdict.comparison.errors
    if compared is not None:
        verdicts |= _images(compared.images)
    failures = list(_failures(sample, compared, graphs["crohme2019"]))
    stage, reason = failures[0] if failures else (sample.failed_at, sample.reason)
    stage = None if stage is None else stage.removeprefix("reference_")
    return (
        replace(sample, verdicts=verdicts, failed_at=stage, reason=reason),
        [name for name, _ in failures],
    )


def _tokens(sample: SampleResult) -> Verdicts:
    edits = token_edits(sample.scored_prediction, sample.gold)
    verdicts: Verdicts = {f"token_within_{n}": edits <= n for n in (1, 2, 3)}
    verdicts["token_exact"] = edits == 0
    if sample.scored_prediction is None:
        verdicts = dict.fromkeys(verdicts, False)
    return verdicts | {"token_edits": edits}


def _images(comparison: ImageComparison) -> Verdicts:
    verdicts: Verdicts = {
        "image_exact": comparison.has_prediction
        and comparison.has_reference
        and not comparison.edits,
        "image_match": comparison.match,
        "image_match_no_space": comparison.match_no_space,
        "image_edits": comparison.edits,
        "image_columns": comparison.width,
    }
    if comparison.has_reference:  # the released script knows no others
        verdicts["image_match_released"] = comparison.match_released
        verdicts["image_match_no_space_released"] = comparison.match_no_space_released
    return verdicts


def _failures(
    sample: SampleResult, compared: RenderedPair | None, graph: GraphScores
) -> Iterator[tuple[str, str | None]]:
    """Stages and reasons, the first stage first."""
    if sample.prediction is None:
        yield sample.failed_at or "read", sample.reason or "no prediction"
    if not sample.gold:
        # What there was instead of a label, if the sample knows it.
        known = sample.reason if sample.prediction is not None else None
        yield "reference_score", known or "no label"
        return
    if compared is not None:
        if compared.prediction is not None:
            yield "render", f"prediction: {_said(compared.prediction)}"
        if compared.reference is not None:
            yield "reference_render", f"reference: {_said(compared.reference)}"
    if sample.prediction is not None and not graph.read_prediction:
        yield "score", "prediction: no label graph"
    if graph.comparison is None:
        yield "reference_score", "reference: no label graph"


def _said(failure: Failure) -> str:
    return f"{failure.reason} ({failure.cause})"
