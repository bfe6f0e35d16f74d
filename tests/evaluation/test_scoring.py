"""Every value of the table by hand, and equal to `FormulaMetrics` on the same samples."""

import random

import numpy as np
import pytest

from im2tex.evaluation import scoring
from im2tex.evaluation.metrics.formula_metrics import FormulaMetrics
from im2tex.evaluation.metrics.image_match import compare_images, equal_image_scores
from im2tex.evaluation.rendered_pairs import Engine, RenderedPair, RenderedPairs
from im2tex.evaluation.results import SampleResult
from im2tex.evaluation.sample_scores import score_sample
from im2tex.evaluation.scoring import score_samples
from im2tex.render import Cause, Failure

NO_PICTURES = Engine("none")


def sample(key, gold, prediction, **more):
    tokens = None if prediction is None else prediction.split()
    return SampleResult(key, gold.split(), tokens, more.pop("metrics", {}), **more)


PLANTED = [
    sample("right", "x + 1", "x + 1"),
    # One symbol wrong: 1 label error, 1 token error, same structure.
    sample("wrong symbol", "x + 1", "x + 2"),
    # The last of 3 symbols and the edge to it are missing: 2 label errors, 1 token error.
    sample("short", "x + 1", "x +"),
    # A script on the other corner: 2 places with 2 labels, 2 pairs: 4 label errors.
    sample("corner", "x ^ { 2 }", "x _ { 2 }"),
    # Unreadable: the tools count the 3 labels and 2 edges of the reference.
    sample("broken", "a + b", "a + {"),
    # Missing, of one symbol: 1 error for the tools, wrong at any number by the strict rules.
    sample("missing", "y", None),
]


def test_score_samples_planted_errors_have_their_values():
    scored = score_samples(PLANTED, NO_PICTURES)
    values = {name: round(6 * value, 9) for name, value in scored.metrics.items()}
    assert {name: n for name, n in values.items() if name.startswith("expression_rate")} == {
        "expression_rate": 1,  # right
        "expression_rate_1": 3,  # wrong symbol, missing
        "expression_rate_2": 4,  # short
        "expression_rate_3": 4,
        "expression_rate_strict": 1,
        "expression_rate_1_strict": 2,
        "expression_rate_2_strict": 3,
        "expression_rate_3_strict": 3,
    }
    assert values["structure_rate"] == values["structure_rate_strict"] == 2
    assert values["token_exact"] == 1
    # wrong symbol, short, corner and broken have one token wrong; missing is wrong at any number.
    assert values["token_within_1"] == 5
    # Edits 0 1 1 1 1 1 over 3 + 3 + 3 + 5 + 3 + 1 tokens.
    assert scored.metrics["token_error_rate"] == pytest.approx(5 / 18)
    assert scored.failed == {
        "read": 1,
        "draw": 0,
        "decode": 0,
        "render": 0,
        "score": 1,
        "reference_render": 0,
        "reference_score": 0,
    }
    assert [sample.failed_at for sample in scored.samples] == [None] * 4 + ["score", "read"]
    errors = [sample.metrics.get("expression_errors") for sample in scored.samples]
    assert errors == [0, 1, 2, 4, 5, 1]
    strict = [sample.metrics.get("expression_errors_strict") for sample in scored.samples]
    assert strict == [0, 1, 2, 4, None, None]  # nothing to compare in the last two
    assert not any(name.startswith("image") for name in scored.metrics)


def test_score_samples_reference_against_itself_is_right():
    gold = [sample(str(n), text, text) for n, text in enumerate(["x + 1", r"\frac { 1 } { 2 } a"])]
    metrics = dict(score_samples(gold, NO_PICTURES).metrics)
    assert metrics.pop("token_error_rate") == 0
    for name in ("bleu", "bleu_norm", "bleu_tok"):
        assert metrics.pop(name) == pytest.approx(100)
    assert set(metrics.values()) == {1.0}


def test_score_samples_sample_without_label_is_wrong():
    scored = score_samples([sample("a", "", ""), sample("b", "x", "x")], NO_PICTURES)
    assert scored.metrics["token_exact"] == 0.5
    # The tools leave an unreadable reference out; the strict rules count it as wrong.
    assert scored.metrics["expression_rate"] == 1
    assert scored.metrics["expression_rate_strict"] == 0.5
    assert (scored.samples[0].failed_at, scored.samples[0].reason) == ("score", "no label")
    assert scored.failed["reference_score"] == 1


def test_score_samples_metrics_equal_formula_metrics():
    rng = random.Random(3)
    words = ["x", "y", "^", "_", "{", "}", r"\frac", "+"]
    samples = []
    for number in range(60):
        gold = [rng.choice(words) for _ in range(rng.randrange(0, 12))]
        guess = [rng.choice(words) if rng.random() < 0.1 else token for token in gold]
        samples.append(SampleResult(str(number), gold, None if number % 9 == 0 else guess, {}))
    metrics = FormulaMetrics()
    metrics.update([score_sample(sample.prediction, sample.gold) for sample in samples])
    expected = {name: pytest.approx(float(value)) for name, value in metrics.compute().items()}
    found = score_samples(samples, NO_PICTURES).metrics
    assert {name: found[name] for name in expected} == expected


def test_score_samples_bleu_in_three_forms():
    # Found as `a^2+b`; taught as `a ^ { 2 } + b`; the prediction has no braces: 5 tokens for 7.
    one = sample("a", "a ^ { 2 } + b", "a ^ 2 + b", latex="$a^2+b$")
    scored = score_samples([one], NO_PICTURES)
    assert scored.metrics["bleu_tok"] == pytest.approx(100)  # both `a ^ 2 + b`
    assert scored.metrics["bleu_norm"] == pytest.approx(100)  # both `a ^ { 2 } + b`
    assert scored.metrics["bleu"] < 60
    assert scored.signatures["bleu_tok"].endswith("form:tok|gold:as found")
    # Markup that no form can be made of stands as it is.
    broken = score_samples([sample("a", "{ a b c d", "{ a b c d")], NO_PICTURES).metrics
    assert broken["bleu_norm"] == broken["bleu_tok"] == pytest.approx(100)


def test_score_samples_image_metrics_and_failures(monkeypatch):
    paper = np.full((12, 100), 255, np.uint8)
    extra = np.hstack([paper, np.zeros((12, 20), np.uint8)])
    compared = [
        RenderedPair(equal_image_scores(100)),
        # Extra ink, which the released script lets pass: 20 of 120 columns.
        RenderedPair(compare_images(extra, paper)),
        RenderedPair(
            compare_images(None, paper[:, :80]), prediction=Failure(Cause.TEX, "Missing }")
        ),
        RenderedPair(
            compare_images(paper[:, :50], None), reference=Failure(Cause.TEX, "Double superscript")
        ),
    ]
    drawings = RenderedPairs(Engine("tex"), "tex:1", compared)
    monkeypatch.setattr(scoring, "render_pairs", lambda pairs, engine: drawings)
    scored = score_samples([sample(str(n), "x", "x") for n in range(4)], Engine("tex"))
    assert scored.metrics["image_match"] == scored.metrics["image_exact"] == 1 / 4
    assert scored.metrics["image_match_released"] == pytest.approx(2 / 3)  # of those with gold
    assert scored.metrics["image_edit_score"] == pytest.approx(1 - 150 / 350)
    assert scored.metrics["image_edit_score_released"] == pytest.approx(1 - 100 / 300)
    assert (scored.failed["render"], scored.failed["reference_render"]) == (1, 1)
    assert [sample.reason for sample in scored.samples[2:]] == [
        "prediction: Missing } (tex)",
        "reference: Double superscript (tex)",
    ]
    assert scored.signatures["image"] == "tex:1"


def test_score_samples_lookups_are_a_mean_over_all_steps():
    samples = [
        sample("a", "x", "x", metrics={"lookups_coarse": 4, "lookups_fine": 32, "steps": 2}),
        sample("b", "x", "x", metrics={"lookups_coarse": 12, "lookups_fine": 288, "steps": 6}),
        sample("c", "x", None, metrics={"finished": True}),
    ]
    metrics = score_samples(samples, NO_PICTURES).metrics
    assert (metrics["lookups_coarse"], metrics["lookups_fine"]) == (2, 40)
    assert "finished" not in metrics
    assert "steps" not in metrics
