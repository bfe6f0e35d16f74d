"""Formulas like those of a collection: near in numbers, new, and the same for the same seed."""

import random

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit

from im2tex.data.preparation.formula_sampling import (
    Profile,
    builtin_profile,
    differences,
    sample_formulas,
)
from im2tex.data.preparation.formula_sampling.calibration import systematic, weights
from im2tex.data.preparation.formula_sampling.divergence import difference
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


def test_a_profile_counts_what_is_there():
    profile = Profile.of(LABELS)
    assert (profile.labels, profile.different, profile.skipped) == (7, 5, 0)
    assert profile.lengths == {1: 3, 3: 2, 7: 1, 10: 1}
    assert profile.tokens["x"] == 7
    assert profile.tokens["{"] == profile.tokens["}"] == 5
    assert profile.shapes["depth"] == {0: 5, 1: 1, 2: 1}
    assert profile.shapes["fractions"] == {0: 5, 1: 2}
    assert profile.shapes["brackets"] == {0: 6, 1: 1}
    # Of different labels, those that begin with x: "x" and "x + 1".
    assert profile.pairs[0, profile.alphabet.code("x")] == 2


def test_a_profile_leaves_out_and_counts_what_it_cannot_read():
    odd = [("x", "^"), (), ("\\hat", "{", "x", "}"), ("x", "^", "2")]
    assert Profile.of([*LABELS, *odd]).skipped == 4
    with pytest.raises(Im2TexError, match="no profile of 4 labels"):
        Profile.of(odd)


def test_the_order_of_the_labels_does_not_matter():
    shuffled = random.Random(0).sample(LABELS, len(LABELS))
    one, two = Profile.of(LABELS), Profile.of(shuffled)
    assert (one.alphabet.signs, one.pairs, one.transition_counts) == (
        two.alphabet.signs,
        two.pairs,
        two.transition_counts,
    )


def test_lengths_symbols_and_structure_are_those_of_the_profile(target, pool, sampled):
    assert len(sampled.formulas) == 1500
    far = differences(target, Profile.of(sampled.formulas))
    assert far["length"].total_variation < 0.03
    assert far["token"].total_variation < 0.03
    for name in target.shapes:
        assert far[name].total_variation < 0.04
    # The pool itself is nowhere near.
    raw = differences(target, Profile.of(text.split() for text in pool))
    assert raw["length"].total_variation > 0.5


def test_both_real_formulas_and_the_grammar_have_their_part(target, sampled):
    assert 150 < sampled.cut < 1350
    assert sample_formulas([], target, 100).cut == 0


def test_formulas_are_canonical_and_have_only_symbols_of_the_profile(target, sampled):
    for tokens in sampled.formulas[:300]:
        assert canonicalize(" ".join(tokens)) == list(tokens)
        assert set(tokens) <= set(target.tokens)


def test_the_same_seed_gives_the_same_formulas(target, pool):
    one, two, other = (sample_formulas(pool, target, 100, seed=seed) for seed in (3, 3, 4))
    assert one == two
    assert one.formulas != other.formulas


def test_excluded_formulas_do_not_come(target, pool):
    first = sample_formulas(pool, target, 200, seed=2)
    banned = set(first.formulas[:100])
    again = sample_formulas(pool, target, 200, seed=2, exclude=banned)
    assert len(again.formulas) == 200
    assert not banned & set(again.formulas)


def test_a_formula_is_the_same_however_its_brackets_were_paired():
    # Lone brackets in the labels make the grammar write pairs of them, which reading would pair.
    profile = Profile.of([("(", "x"), ("x", ")"), ("(", "x", "y", ")")])
    found = sample_formulas([], profile, 60, exclude=[("(", "x", ")")]).formulas
    assert ("(", "x", "y", ")") in found
    assert ("(", "x", ")") not in found


def test_letters_come_again_and_no_formula_does_if_told_so(target, pool, sampled):
    assert sampled.formulas.count(("x",)) > 10
    unique = sample_formulas(pool, target, 1500, seed=1, unique=True).formulas
    assert len(set(unique)) == len(unique) == 1500


def test_asking_for_more_than_there_are_says_how_many_there_are():
    with pytest.raises(Im2TexError, match=r"100 formulas are wanted, and of 2 different ones"):
        sample_formulas([], Profile.of([("x",), ("y",)]), 100, unique=True)
    with pytest.raises(Im2TexError, match="count=0"):
        sample_formulas([], Profile.of(LABELS), 0)


def test_formulas_that_cannot_be_read_or_have_no_end_are_counted(target):
    deep = "{" * 100_000
    assert sample_formulas([deep, "x + " * 100_000, "x ^"], target, 50).unreadable == 3


def test_the_grammar_writes_in_every_place_what_stood_in_such_a_place():
    writer = MarkovGrammar(Profile.of(LABELS).transition_counts, 30)
    chance = random.Random(0)
    written = {" ".join(writer.formula(chance) or ()) for _ in range(300)}
    # From the labels: what is alone in brackets or over 2 is x; x ends, or 1 is added.
    assert written == {
        "x", "x + 1", r"\frac{ x }{ 2 }/", r"\frac{ 1 }{ 2 }/", r"\frac{ x }{ x }/",
        r"\frac{ 1 }{ x }/", r"\sqrt{ \frac{ x }{ 2 }/ }\sqrt", r"\sqrt{ \frac{ 1 }{ 2 }/ }\sqrt",
        r"\sqrt{ \frac{ x }{ x }/ }\sqrt", r"\sqrt{ \frac{ 1 }{ x }/ }\sqrt", "open ( x close )",
    }  # fmt: skip


def test_the_builtin_profile_is_near_crohme_in_length():
    profile = builtin_profile()
    mean = sum(length * n for length, n in profile.lengths.items()) / profile.labels
    assert 12 < mean < 17
    assert profile.skipped == 0
    assert {"\\sqrt", "\\int", "\\theta", "7"} <= set(profile.tokens)


def test_raking_finds_the_weights_that_give_the_means():
    rng = np.random.default_rng(0)
    features = csr_matrix((rng.random((4000, 3)) < [0.5, 0.2, 0.1]).astype(float))
    means = np.array([0.3, 0.4, 0.05])
    most = np.ones(4000)
    found, odds = weights(features, means, np.zeros(3), 500, most)
    # Without a term for their number, the three sums are what is fixed.
    times = most * expit(features @ found + odds)
    np.testing.assert_allclose(features.T @ times / 500, means, atol=2e-3)


def test_systematic_sampling_takes_so_many_and_none_too_often():
    rng = np.random.default_rng(1)
    times = rng.random(1000) * 0.4
    most = np.ones(1000)
    for offset in (0.0, 0.3, 0.999):
        taken = systematic(times, 300, most, offset)
        assert taken.sum() == 300
        assert taken.max() == 1
    # Side by side, as many as expected and one more or less.
    expected = times[:500].sum() * 300 / times.sum()
    assert abs(taken[:500].sum() - expected) <= 1


def test_differences_of_known_distributions():
    same = difference({"a": 3, "b": 1}, {"a": 300, "b": 100})
    assert same.total_variation == 0
    # Shares 3/4 and 1/4 against 1/4 and 3/4.
    assert difference({"a": 3, "b": 1}, {"a": 1, "b": 3}).total_variation == 0.5
    apart = difference({"a": 1}, {"b": 1})
    # With half a count each: 3/4 and 1/4 against 1/4 and 3/4.
    assert apart.divergence == pytest.approx(0.5 * np.log(3))
