"""The expression rate: golden counts, missing and unreadable formulas, exactness over shards."""

import csv
import math
import os
from pathlib import Path

import pytest
from torchmetrics import MetricCollection

from im2tex.evaluation.metrics.expression_rate import ExpressionRate

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


def values(metric):
    return {name: float(value) for name, value in metric.compute().items()}


def filled(variant, samples):
    metric = ExpressionRate(variant)
    metric.update(
        [None if guess is None else guess.split() for _, guess, _ in samples],
        [gold.split() for gold, _, _ in samples],
    )
    return metric


def test_rates_of_the_tools():
    found = values(filled("crohme2019", SAMPLES))
    counts = [sum(errors <= n for _, _, errors in SAMPLES) for n in range(4)]
    assert counts == [3, 5, 6, 7]
    assert [found[name] for name in NAMES] == [count / 8 for count in counts]
    assert found["structure_rate"] == 4 / 8


def test_rates_when_strict():
    metric = filled("strict", SAMPLES)
    found = values(metric)
    assert [found[f"{name}_strict"] for name in NAMES] == [2 / 8, 4 / 8, 5 / 8, 5 / 8]
    assert found["structure_rate_strict"] == 4 / 8
    assert (int(metric.unread_predictions), int(metric.unread_references)) == (2, 0)


def test_an_unreadable_reference_is_out_for_the_tools_and_wrong_when_strict():
    samples = [("x", "x", 0), (r"\foo", r"\foo x", 0), (r"\foo", "x", 0), (r"\foo", None, 0)]
    crohme2019, strict = (filled(variant, samples) for variant in ("crohme2019", "strict"))
    assert values(crohme2019)["expression_rate"] == 1
    assert values(strict)["expression_rate_3_strict"] == 1 / 4
    assert int(crohme2019.unread_references) == int(strict.unread_references) == 3


def test_expression_rate_unreadable_reference_predicted_as_it_is_is_right_when_strict():
    samples = [("x", "y", 0), (r"\foo", r"\foo", 0), ("", "", 0)]
    crohme2019, strict = (filled(variant, samples) for variant in ("crohme2019", "strict"))
    assert values(crohme2019)["expression_rate"] == 0
    assert values(strict)["expression_rate_strict"] == 1 / 3  # nothing is no formula
    assert values(strict)["structure_rate_strict"] == 2 / 3
    assert int(crohme2019.unread_references) == int(strict.unread_references) == 2


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nan_before_the_first_sample():
    assert all(math.isnan(value) for value in values(ExpressionRate()).values())
    assert all(
        math.isnan(value) for value in values(filled("crohme2019", [(r"\foo", "x", 0)])).values()
    )


def test_shards_merged_equal_the_whole():
    for variant in ("crohme2019", "strict"):
        whole = filled(variant, SAMPLES)
        left, right = filled(variant, SAMPLES[:3]), filled(variant, SAMPLES[3:])
        left.merge_state(right)
        assert values(left) == values(whole)


def test_both_variants_in_one_collection():
    metrics = [ExpressionRate(), ExpressionRate("strict")]
    collection = MetricCollection(
        {metric.name: metric for metric in metrics}, prefix="test/", compute_groups=False
    )
    collection.update([["x"]], [["x"]])
    names = [*NAMES, "structure_rate"]
    assert set(collection.compute()) == {
        f"test/{name}{suffix}" for name in names for suffix in ("", "_strict")
    }
    assert metrics[0].signature != metrics[1].signature


def test_an_unknown_variant_and_strings_are_errors():
    with pytest.raises(ValueError, match="crohme2019, strict"):
        ExpressionRate("loose")
    with pytest.raises(TypeError, match="list of tokens"):
        ExpressionRate().update(["x"], [["x"]])
    with pytest.raises(ValueError, match="one prediction a reference"):
        ExpressionRate().update([["x"]], [])


def test_the_tools_rates_on_their_own_pairs():
    folder = os.environ.get("IM2TEX_DATA")
    path = Path(folder or "") / "crohme" / "lgeval_verdicts.tsv"
    if not folder or not path.exists():
        pytest.skip("needs IM2TEX_DATA, a folder with crohme/lgeval_verdicts.tsv")
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = values(filled("crohme2019", [(row["gold"], row["prediction"], 0) for row in rows]))
    for n, name in enumerate(NAMES):
        right = sum(int(row["n_label_errors"]) <= n for row in rows)
        assert found[name] == right / len(rows)
    assert found["structure_rate"] == sum(row["structure_exact"] == "1" for row in rows) / 1200
