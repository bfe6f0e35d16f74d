r"""Every score of a set of formulas.

`im2tex test` and `im2tex score` both end here, so that a model of ours and anyone else's output
stand in the same table. A rate is the mean of the scores of its samples (`sample_scores`); the
metrics of `im2tex.evaluation.metrics`, which add up over processes, equal it on the same samples.

BLEU comes over three forms of the formulas, since the paper has two of its own:

* `bleu`, over the tokens as they are: what the model writes against what it was taught.
* `bleu_norm`, both sides in the paper's normal form, from the same tokens.
* `bleu_tok`, the prediction's plain tokens against those of the reference as found, before any
  normalisation, where that is known. CROHME's labels are found as people typed them (`$x^2$`), so
  that a canonical prediction (`x ^ { 2 }`) loses there what it has put in order.

What cannot be brought to a form stands as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from im2tex.evaluation.breakdown import breakdown, share
from im2tex.evaluation.metrics import CorpusBleu, ExpressionRate
from im2tex.evaluation.rendered_pairs import Engine, render_pairs
from im2tex.evaluation.results import SampleResult
from im2tex.evaluation.sample_scores import STAGES, VARIANTS, judge
from im2tex.latex.normalize import NormalizationForm, normalize_or_none

_NO_RATES = ("finished",)  # true or false of a sample, and no score


@dataclass(frozen=True)
class ScoredSplit:
    """The scores of one split.

    Attributes:
        metrics: values by name.
        samples: in the order given, with every verdict.
        failed: how many samples failed at each of `sample_scores.STAGES`.
        signatures: what makes the figures comparable, by metric name.
        engine: what drew the pictures.
        breakdown: see `im2tex.evaluation.breakdown`.
    """

    metrics: Mapping[str, float]
    samples: Sequence[SampleResult]
    failed: Mapping[str, int]
    signatures: Mapping[str, str]
    engine: Engine
    breakdown: Mapping[str, Any]

    def failed_in_words(self) -> dict[str, str]:
        """The failures as rows of the table."""
        rows = {
            "failed to read / draw / decode": ("read", "draw", "decode"),
            "failed to render / score": ("render", "score"),
            "references failed likewise": ("reference_render", "reference_score"),
        }
        return {
            row: " / ".join(f"{self.failed[stage]:,}" for stage in stages)
            for row, stages in rows.items()
        }


def score_samples(samples: Sequence[SampleResult], engine: Engine) -> ScoredSplit:
    """Scores a split.

    Args:
        samples: references and predictions; verdicts that they have already are kept.
        engine: what draws the pictures.
    """
    drawings = render_pairs(
        [
            (
                None if one.scored_prediction is None else " ".join(one.scored_prediction),
                " ".join(one.gold),
            )
            for one in samples
        ],
        engine,
    )
    failed = Counter(dict.fromkeys(STAGES, 0))
    scored = []
    for sample, compared in zip(samples, drawings.compared, strict=True):
        verdict, stages = judge(sample, compared)
        scored.append(verdict)
        failed.update(stages)
    bleus = _bleus(scored)
    signatures = {rate.name: rate.signature for rate in map(ExpressionRate, VARIANTS)}
    signatures |= {name: signature for name, (_, signature) in bleus.items()}
    if drawings.signature is not None:
        signatures["image"] = drawings.signature
    return ScoredSplit(
        metrics=_rates(scored) | {name: value for name, (value, _) in bleus.items()},
        samples=scored,
        failed=failed,
        signatures=signatures,
        engine=drawings.engine,
        breakdown=breakdown(scored),
    )


def _rates(samples: Sequence[SampleResult]) -> dict[str, float]:
    """All that is a mean, or a ratio of sums, of verdicts."""
    names = {
        name
        for sample in samples
        for name, verdict in sample.verdicts.items()
        if isinstance(verdict, bool) and name not in _NO_RATES
    }
    rates = {name: _or_nan(share(samples, name)) for name in sorted(names)}
    rates["token_error_rate"] = _ratio(
        _sum(samples, "token_edits"), sum(sample.length for sample in samples)
    )
    pictured = [sample for sample in samples if "image_edits" in sample.verdicts]
    if pictured:
        referred = [one for one in pictured if "image_match_released" in one.verdicts]
        for suffix, some in (("", pictured), ("_released", referred)):
            edits = _ratio(_sum(some, "image_edits"), _sum(some, "image_columns"))
            rates[f"image_edit_score{suffix}"] = 1 - edits
    steps = _sum(samples, "steps")
    if steps:
        for name in ("lookups_coarse", "lookups_fine"):
            rates[name] = _sum(samples, name) / steps
    return rates


def _bleus(samples: Sequence[SampleResult]) -> dict[str, tuple[float, str]]:
    """Value and signature of each BLEU by its name."""
    norm, tok = _Form(NormalizationForm.NORM), _Form(NormalizationForm.TOK)
    predictions = [sample.scored_prediction for sample in samples]
    sides = {
        "bleu": ("", predictions, [one.gold for one in samples]),
        "bleu_norm": (
            "|form:norm",
            [guess and norm(guess) for guess in predictions],
            [norm(one.gold) for one in samples],
        ),
        "bleu_tok": (
            "|form:tok|gold:as found",
            [guess and tok(guess) for guess in predictions],
            [tok(one.gold, one.latex) for one in samples],
        ),
    }
    found = {}
    for name, (form, guesses, gold) in sides.items():
        # The first process scores all samples, while the others wait elsewhere.
        bleu = CorpusBleu(name, sync_on_compute=False)
        bleu.update(guesses, gold)
        found[name] = float(bleu.compute()), bleu.signature + form
    return found


class _Form:
    """Formulas in one form, each read once."""

    def __init__(self, mode: NormalizationForm) -> None:
        self._mode = mode
        self._known: dict[str, list[str] | None] = {}

    def __call__(self, tokens: Sequence[str], latex: str | None = None) -> Sequence[str]:
        """The formula as found in this form, if it can be read; else its tokens so; else these."""
        for source in (latex, " ".join(tokens)):
            known = self._read(source) if source else None
            if known is not None:
                return known
        return tokens

    def _read(self, source: str) -> list[str] | None:
        if source not in self._known:
            found = normalize_or_none(source, self._mode)
            self._known[source] = None if found is None else found.split()
        return self._known[source]


def _sum(samples: Sequence[SampleResult], name: str) -> float:
    return sum(sample.verdicts.get(name, 0) for sample in samples)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
