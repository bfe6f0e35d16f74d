"""Scores of one sample: golden numbers by hand, and properties of the edit distance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.evaluation.metrics.totals import ScoreTotals
from im2tex.evaluation.sample_scores import score_sample

TOKEN = st.sampled_from(["x", "y", "^", "{", "}", r"\frac", "2"])
TOKENS = st.lists(TOKEN, max_size=12)
LABELS = st.lists(TOKEN, min_size=1, max_size=12)
RATES = ["expression_rate", "expression_rate_1", "expression_rate_2", "expression_rate_3"]
FAMILIES = [
    ["token_exact", "token_within_1", "token_within_2", "token_within_3"],
    RATES,
    [f"{name}_strict" for name in RATES],
]


def edits(prediction, reference):
    return score_sample(prediction, reference)["token_edits"]


def levenshtein(a, b):
    """The textbook table, as a reference."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (x != y)))
    return row[-1]


def test_score_sample_golden_numbers():
    references = ["x ^ 2", r"\frac { 1 } { 2 }", "a + b", "y"]
    predictions = ["x ^ 2", r"\frac { 1 } 2", "a - c", "x y z"]
    # Edits: 0; two braces missing; two substituted; `x` and `z` inserted. Reference tokens: 3 + 7
    # + 3 + 1.
    totals = ScoreTotals()
    found = []
    for prediction, reference in zip(predictions, references, strict=True):
        scores = score_sample(prediction.split(), reference.split())
        totals.add(scores)
        found.append(scores["token_edits"])
    assert found == [0, 2, 2, 2]
    values = totals.values()
    assert values["token_exact"] == values["token_within_1"] == 0.25
    assert values["token_within_2"] == values["token_within_3"] == 1
    assert values["token_error_rate"] == 6 / 14


def test_score_sample_missing_prediction_is_wrong_even_where_the_reference_is_short():
    scores = score_sample(None, ["x", "y"])
    assert not any(scores[f"token_within_{n}"] for n in (1, 2, 3))
    assert scores["token_edits"] == 2


def test_score_sample_without_label_is_wrong_whatever_is_predicted():
    for prediction in ([], ["x"], None):
        scores = score_sample(prediction, [])
        assert not scores["token_exact"]
        assert not scores["token_within_3"]
        assert not scores["expression_rate_3_strict"]
        assert "expression_rate" not in scores


@given(TOKENS, LABELS)
def test_token_edits_are_the_textbook_distance(a, b):
    distance = edits(a, b)
    assert distance == levenshtein(a, b)
    assert (distance == 0) == (a == b)
    assert abs(len(a) - len(b)) <= distance <= max(len(a), len(b))


@given(LABELS, LABELS, LABELS)
def test_token_edits_keep_the_triangle_inequality(a, b, c):
    assert edits(a, b) == edits(b, a)
    assert edits(a, c) <= edits(a, b) + edits(b, c)


@given(TOKENS, TOKENS)
def test_scores_with_more_errors_allowed_are_never_lower(prediction, reference):
    scores = score_sample(prediction, reference)
    for family in FAMILIES:
        allowed = [scores[name] for name in family if name in scores]
        assert allowed == sorted(allowed)


def test_score_sample_string_instead_of_tokens_is_an_error():
    with pytest.raises(TypeError, match="string 'x'"):
        score_sample("x", ["x"])
    with pytest.raises(TypeError, match="string 'x'"):
        score_sample(["x"], "x")
