"""Edit-distance metrics: golden numbers by hand, and properties of the distance."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.evaluation.metrics import TokenErrorRate, TokenExact, TokenWithin, token_edits

TOKENS = st.lists(st.sampled_from(["x", "y", "^", "{", "}", r"\frac", "2"]), max_size=12)


def levenshtein(a, b):
    """The textbook table, as a reference."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (x != y)))
    return row[-1]


def test_golden_numbers():
    references = ["x ^ 2", r"\frac { 1 } { 2 }", "a + b", "y"]
    predictions = ["x ^ 2", r"\frac { 1 } 2", "a - c", "x y z"]
    # Edits: 0; two braces missing; two substituted; `x` and `z` inserted. Reference tokens: 3 + 7
    # + 3 + 1.
    edits = [0, 2, 2, 2]
    pairs = [p.split() for p in predictions], [r.split() for r in references]
    assert [token_edits(*pair) for pair in zip(*pairs, strict=True)] == edits
    metrics = [TokenExact(), TokenWithin(1), TokenWithin(2), TokenWithin(3), TokenErrorRate()]
    for metric in metrics:
        metric.update(*pairs)
    assert [float(metric.compute()) for metric in metrics] == [0.25, 0.25, 1.0, 1.0, 6 / 14]
    assert [metric.name for metric in metrics] == [
        "token_exact",
        "token_within_1",
        "token_within_2",
        "token_within_3",
        "token_error_rate",
    ]


def test_a_missing_prediction_is_wrong_even_where_the_reference_is_short():
    exact, within, rate = TokenExact(), TokenWithin(3), TokenErrorRate()
    for metric in (exact, within, rate):
        metric.update([None, []], [["x", "y"], []])
    assert float(exact.compute()) == 0.5  # the empty prediction of an empty formula is right
    assert float(within.compute()) == 0.5
    assert float(rate.compute()) == 1.0


@given(TOKENS, TOKENS)
def test_distance_is_the_textbook_one(a, b):
    distance = token_edits(a, b)
    assert distance == levenshtein(a, b)
    assert distance == token_edits(b, a)
    assert (distance == 0) == (a == b)
    assert abs(len(a) - len(b)) <= distance <= max(len(a), len(b))


@given(TOKENS, TOKENS, TOKENS)
def test_distance_keeps_the_triangle_inequality(a, b, c):
    assert token_edits(a, c) <= token_edits(a, b) + token_edits(b, c)


@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=20), st.data())
def test_batches_and_their_order_do_not_matter(samples, data):
    cut = data.draw(st.integers(0, len(samples)))
    shuffled = data.draw(st.permutations(samples))
    for build in (TokenExact, TokenErrorRate, lambda: TokenWithin(2)):
        whole, parts = build(), build()
        whole.update([p for p, _ in samples], [r for _, r in samples])
        for part in (shuffled[:cut], shuffled[cut:]):
            parts.update([p for p, _ in part], [r for _, r in part])
        assert float(whole.compute()) == pytest.approx(float(parts.compute()), abs=0, nan_ok=True)


@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=20))
def test_more_errors_allowed_never_lower_the_share(samples):
    shares = []
    for n in range(4):
        metric = TokenWithin(n)
        metric.update([p for p, _ in samples], [r for _, r in samples])
        shares.append(float(metric.compute()))
    assert shares == sorted(shares)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_empty_and_reset_give_nan():
    for metric in (TokenExact(), TokenWithin(1), TokenErrorRate()):
        assert math.isnan(metric.compute())
        metric.update([["x"]], [["x"]])
        assert not math.isnan(metric.compute())
        metric.reset()
        assert math.isnan(metric.compute())


def test_wrong_use_is_said():
    with pytest.raises(ValueError, match="2 predictions against 1 reference"):
        TokenExact().update([["x"], ["y"]], [["x"]])
    with pytest.raises(TypeError, match="string 'x'"):
        TokenErrorRate().update(["x"], [["x"]])
    with pytest.raises(ValueError, match="-1"):
        TokenWithin(-1)
