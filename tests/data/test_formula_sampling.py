"""Tests of the sampling of formulas with the statistics of a collection."""

import random

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit

from benchmarks.profile_distance import difference, differences, token_counts
from im2tex.data.preparation.formula_sampling import (
    Profile,
    builtin_profile,
    sample_formulas,
)
from im2tex.data.preparation.formula_sampling.calibration import calibrate, systematic_sample
from im2tex.data.preparation.formula_sampling.markov_grammar import MarkovGrammar
from im2tex.data.preparation.random_grammar import RandomGrammar
from im2tex.errors import Im2TexError
from im2tex.latex.crohme.canonical import canonicalize

LABELS = [
    tuple(text.split())
    for text in [
        "x", "x", "x", "x + 1", r"\frac { x } { 2 }", r"\sqrt { \frac { 1 } { x } }", "( x )",
    ]
]  # fmt: skip


def formulas(symbols, depth, count, seed, least=1):
    grammar = RandomGrammar(symbols, depth, least, 60)
    rng = np.random.default_rng(seed)
    made = (grammar.formula(rng) for _ in range(20 * count))
    return [tokens for tokens in made if tokens][:count]


@pytest.fixture(scope="module")
def target():
    symbols = r"1 2 3 x x x y z + - = ( ) \frac \sqrt ^ _ \sin \sum"
    return Profile.of([t for depth in (0, 1, 2) for t in formulas(symbols, depth, 500, depth)])


@pytest.fixture(scope="module")
def sampled(target, pool):
    return sample_formulas(pool, target, 1500, seed=1)


@pytest.fixture(scope="module")
def pool():
    symbols = r"0 1 2 a b c x y z \lambda + - = < ( ) \frac \sqrt ^ _ \sum"
    return [" ".join(tokens) for tokens in formulas(symbols, 3, 1500, 7, least=20)]


def test_profile_counts_labels():
    profile = Profile.of(LABELS)
    assert (profile.labels, profile.distinct) == (7, 5)
    assert profile.lengths == {1: 3, 3: 2, 7: 1, 10: 1}
    assert profile.signs[profile.codec.code("x")] == 7
    assert profile.shapes["depth"] == {0: 5, 1: 1, 2: 1}
    assert profile.shapes["fractions"] == {0: 5, 1: 2}
    assert profile.shapes["brackets"] == {0: 6, 1: 1}
    # Of different labels, those that begin with x: "x" and "x + 1".
    assert profile.pairs[0, profile.codec.code("x")] == 2


def test_profile_skips_unsupported_labels():
    odd = [("x", "^"), (), ("\\hat", "{", "x", "}"), ("x", "^", "2")]
    assert Profile.of([*LABELS, *odd]).labels == len(LABELS)
    with pytest.raises(Im2TexError, match="no profile of 4 labels"):
        Profile.of(odd)


def test_profile_is_independent_of_order():
    shuffled = random.Random(0).sample(LABELS, len(LABELS))
    one, two = Profile.of(LABELS), Profile.of(shuffled)
    assert (one.codec.signs, one.pairs, one.transitions) == (
        two.codec.signs,
        two.pairs,
        two.transitions,
    )


def test_sample_has_statistics_of_profile(target, pool, sampled):
    assert len(sampled.formulas) == 1500
    far = differences(target, Profile.of(sampled.formulas))
    assert far["length"].total_variation < 0.03
    assert far["token"].total_variation < 0.03
    for name in target.shapes:
        assert far[name].total_variation < 0.04
    # The pool itself has other lengths.
    raw = differences(target, Profile.of(text.split() for text in pool))
    assert raw["length"].total_variation > 0.5


def test_sample_has_formulas_of_pool_and_grammar(target, sampled):
    assert 150 < sampled.cut < 1350
    assert sample_formulas([], target, 100).cut == 0


def test_sampled_formulas_are_canonical_with_known_symbols(target, sampled):
    for tokens in sampled.formulas[:300]:
        assert canonicalize(" ".join(tokens)) == list(tokens)
        assert set(tokens) <= set(token_counts(target))


def test_same_seed_gives_same_formulas(target, pool):
    one, two, other = (sample_formulas(pool, target, 100, seed=seed) for seed in (3, 3, 4))
    assert one == two
    assert one.formulas != other.formulas


def test_excluded_formulas_are_not_sampled(target, pool):
    first = sample_formulas(pool, target, 200, seed=2)
    banned = set(first.formulas[:100])
    again = sample_formulas(pool, target, 200, seed=2, exclude=banned)
    assert len(again.formulas) == 200
    assert not banned & set(again.formulas)


def test_excluded_formula_matches_any_pairing_of_brackets():
    # Lone brackets in the labels make the grammar write pairs of them, which reading would pair.
    profile = Profile.of([("(", "x"), ("x", ")"), ("(", "x", "y", ")")])
    found = sample_formulas([], profile, 60, exclude=[("(", "x", ")")]).formulas
    assert ("(", "x", "y", ")") in found
    assert ("(", "x", ")") not in found


def test_single_letters_repeat(sampled):
    assert sampled.formulas.count(("x",)) > 10


def test_too_many_formulas_are_refused_with_the_available_number():
    with pytest.raises(Im2TexError, match=r"100 formulas are wanted, but 0 distinct ones"):
        sample_formulas([], Profile.of([("x",), ("y",)]), 100, exclude=[("x",), ("y",)])
    with pytest.raises(Im2TexError, match=">= 1, got 0"):
        sample_formulas([], Profile.of(LABELS), 0)


def test_unreadable_formulas_are_skipped(target):
    deep = "{" * 100_000
    assert sample_formulas([deep, "x + " * 100_000, "x ^"], target, 50).cut == 0


def test_markov_grammar_draws_known_transitions():
    writer = MarkovGrammar(Profile.of(LABELS).transitions, 30)
    chance = random.Random(0)
    written = {" ".join(writer.formula(chance) or ()) for _ in range(300)}
    # From the labels: what is alone in brackets or over 2 is x; x ends, or 1 is added.
    assert written == {
        "x", "x + 1", r"\frac{ x }{ 2 }/", r"\frac{ 1 }{ 2 }/", r"\frac{ x }{ x }/",
        r"\frac{ 1 }{ x }/", r"\sqrt{ \frac{ x }{ 2 }/ }\sqrt", r"\sqrt{ \frac{ 1 }{ 2 }/ }\sqrt",
        r"\sqrt{ \frac{ x }{ x }/ }\sqrt", r"\sqrt{ \frac{ 1 }{ x }/ }\sqrt", "open ( x close )",
    }  # fmt: skip


def test_builtin_profile_has_lengths_near_crohmes():
    profile = builtin_profile()
    mean = sum(length * n for length, n in profile.lengths.items()) / profile.labels
    assert 12 < mean < 17
    assert {"\\sqrt{", "\\int", "\\theta", "7"} <= set(profile.codec.signs)


def test_calibrate_gives_the_means():
    rng = np.random.default_rng(0)
    features = csr_matrix((rng.random((4000, 3)) < [0.5, 0.2, 0.1]).astype(float))
    means = np.array([0.3, 0.4, 0.05])
    most = np.ones(4000)
    found, odds = calibrate(features, means, np.zeros(3), 500, most)
    # Without a term for their number, the three sums are what is fixed.
    times = most * expit(features @ found + odds)
    np.testing.assert_allclose(features.T @ times / 500, means, atol=2e-3)


def test_systematic_sample_has_count_and_max_repeats():
    rng = np.random.default_rng(1)
    times = rng.random(1000) * 0.4
    most = np.ones(1000)
    for offset in (0.0, 0.3, 0.999):
        taken = systematic_sample(times, 300, most, offset)
        assert taken.sum() == 300
        assert taken.max() == 1
    # Side by side, as many as expected and one more or less.
    expected = times[:500].sum() * 300 / times.sum()
    assert abs(taken[:500].sum() - expected) <= 1


def test_difference_of_known_distributions():
    same = difference({"a": 3, "b": 1}, {"a": 300, "b": 100})
    assert same.total_variation == 0
    # Shares 3/4 and 1/4 against 1/4 and 3/4.
    assert difference({"a": 3, "b": 1}, {"a": 1, "b": 3}).total_variation == 0.5
    apart = difference({"a": 1}, {"b": 1})
    # With half a count each: 3/4 and 1/4 against 1/4 and 3/4.
    assert apart.divergence == pytest.approx(0.5 * np.log(3))
