"""Groups and confusions, by hand."""

from im2tex.evaluation.breakdown import breakdown, token_differences
from im2tex.evaluation.results import SampleResult


def sample(key, gold, prediction, collection=None, **metrics):
    tokens = None if prediction is None else prediction.split()
    return SampleResult(key, gold.split(), tokens, metrics, collection=collection)


def test_breakdown_groups_by_length_and_collection():
    samples = [
        sample("a", "x " * 5, "x", "HAMEX", token_exact=True, expression_rate=True),
        sample("b", "x " * 6, "x", "HAMEX", token_exact=False),
        sample("c", "x " * 100, "x", "KAIST", token_exact=True, expression_rate=False),
        sample("d", "", "x", None, token_exact=False),
    ]
    found = breakdown(samples)
    assert found["length"] == [
        {"group": "no label", "samples": 1, "token_exact": 0.0},
        {"group": "1-5", "samples": 1, "expression_rate": 1.0, "token_exact": 1.0},
        {"group": "6-10", "samples": 1, "token_exact": 0.0},
        {"group": "81 or more", "samples": 1, "expression_rate": 0.0, "token_exact": 1.0},
    ]
    # A sample without a score is left out of its mean.
    assert found["collection"] == [
        {"group": "HAMEX", "samples": 2, "expression_rate": 1.0, "token_exact": 0.5},
        {"group": "KAIST", "samples": 1, "expression_rate": 0.0, "token_exact": 1.0},
        {"group": "unknown", "samples": 1, "token_exact": 0.0},
    ]
    assert "collection" not in breakdown([sample("a", "x", "x")])


def test_token_differences_are_counted_symbol_by_symbol():
    samples = [
        sample("a", "x + x", r"\times + \times"),
        sample("b", "x ^ { 2 }", r"\times ^ 2"),  # braces are no symbols
        sample("c", "a b", "a"),
        sample("d", "a", "a c"),
        sample("e", "x x x", None),  # not read at all: no confusion
        sample("f", "", "y"),
    ]
    assert token_differences(samples) == {
        "confused": [{"gold": "x", "prediction": r"\times", "count": 3, "samples": 2, "of": 3}],
        "missing": [{"gold": "b", "prediction": None, "count": 1, "samples": 1, "of": 1}],
        "added": [{"gold": None, "prediction": "c", "count": 1, "samples": 1, "of": None}],
    }
