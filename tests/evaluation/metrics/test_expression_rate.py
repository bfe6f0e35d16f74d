"""The expression rate: golden counts, missing and unreadable formulas, the tools' own pairs."""

import csv
import os
from pathlib import Path

import pytest

from im2tex.evaluation.metrics.expression_rate import GRAPH_SCORES, SIGNATURES, graph_scores
from im2tex.evaluation.metrics.totals import ScoreTotals

NAMES = [f"expression_rate{n}" for n in ("", "_1", "_2", "_3")]

# Reference, prediction and label errors by the tools' rules.
SAMPLES = [
    ("x ^ { 2 }", "x ^ 2", 0),
    (r"a \leq b", r"a \le b", 0),
    ("a + b", "a - b", 1),
    (r"\gamma", r"\Gamma", 0),  # 1 when strict
    ("a b", "a", 2),
    ("x", None, 1),  # never right when strict
    ("x y", r"\foo", 3),  # never right when strict
    ("x ^ 2", "x _ 2", 4),
]


def totals(variant, samples):
    found = ScoreTotals()
    for gold, guess, _ in samples:
        found.add(graph_scores(None if guess is None else guess.split(), gold.split(), variant))
    return found


def test_graph_scores_crohme2019_rates():
    found = totals("crohme2019", SAMPLES).values()
    counts = [sum(errors <= n for _, _, errors in SAMPLES) for n in range(4)]
    assert counts == [3, 5, 6, 7]
    assert [found[name] for name in NAMES] == [count / 8 for count in counts]
    assert found["structure_rate"] == 4 / 8


def test_graph_scores_crohme2019_errors_and_readability():
    for gold, guess, errors in SAMPLES:
        scores = graph_scores(None if guess is None else guess.split(), gold.split())
        assert scores["expression_errors"] == errors
        assert scores["reference_has_graph"]
        assert scores["prediction_has_graph"] == (guess not in (None, r"\foo"))


def test_graph_scores_strict_rates():
    found = totals("strict", SAMPLES)
    values = found.values()
    assert [values[f"{name}_strict"] for name in NAMES] == [2 / 8, 4 / 8, 5 / 8, 5 / 8]
    assert values["structure_rate_strict"] == 4 / 8
    assert found.counts["expression_errors_strict"] == 6  # not of the two without a graph


def test_graph_scores_unreadable_reference_is_left_out_and_wrong_when_strict():
    samples = [("x", "x", 0), (r"\foo", r"\foo x", 0), (r"\foo", "x", 0), (r"\foo", None, 0)]
    found = totals("crohme2019", samples)
    assert found.values()["expression_rate"] == 1
    assert found.counts["expression_rate"] == 1
    assert found.sums["reference_has_graph"] == 1
    assert totals("strict", samples).values()["expression_rate_3_strict"] == 1 / 4


def test_graph_scores_unreadable_reference_predicted_as_it_is_is_right_when_strict():
    samples = [("x", "y", 0), (r"\foo", r"\foo", 0), ("", "", 0)]
    assert totals("crohme2019", samples).values()["expression_rate"] == 0
    strict = totals("strict", samples).values()
    assert strict["expression_rate_strict"] == 1 / 3  # no tokens are no formula
    assert strict["structure_rate_strict"] == 2 / 3


def test_graph_scores_names_and_signatures():
    scores = graph_scores(["x"], ["x"]) | graph_scores(["x"], ["x"], "strict")
    assert set(GRAPH_SCORES) <= scores.keys()
    assert len(set(SIGNATURES.values())) == 2


def test_graph_scores_unknown_variant_is_an_error():
    with pytest.raises(ValueError, match="crohme2019, strict, got 'loose'"):
        graph_scores(["x"], ["x"], "loose")


def test_graph_scores_of_the_tools_own_pairs():
    folder = os.environ.get("IM2TEX_DATA")
    path = Path(folder or "") / "crohme" / "lgeval_verdicts.tsv"
    if not folder or not path.exists():
        pytest.skip("needs IM2TEX_DATA, a folder with crohme/lgeval_verdicts.tsv")
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    pairs = [(row["gold"], row["prediction"], 0) for row in rows]
    found = totals("crohme2019", pairs).values()
    for n, name in enumerate(NAMES):
        right = sum(int(row["n_label_errors"]) <= n for row in rows)
        assert found[name] == right / len(rows)
    assert found["structure_rate"] == sum(row["structure_exact"] == "1" for row in rows) / 1200
