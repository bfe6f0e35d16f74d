"""Tests of significance against what can be counted by hand."""

import itertools
import math

import numpy as np
import pytest

from im2tex.evaluation.comparison import paired
from im2tex.evaluation.comparison.paired import (
    holm,
    intervals,
    mcnemar_exact,
    resampled_ratios,
)


def column(*values):
    return np.array(values, dtype=float)[:, None]


# ---------------------------------------------------------------- McNemar


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (0, 0, 1.0),  # nothing tells them apart
        (0, 1, 1.0),  # one sample alone says nothing: it is for either with 1/2
        (0, 5, 2 / 32),  # five heads or five tails, of 2 ** 5
        (1, 9, 2 * (1 + 10) / 1024),  # none or one of ten, either way
        (9, 1, 2 * (1 + 10) / 1024),
        (2, 6, 2 * (1 + 8 + 28) / 256),
        (3, 3, 1.0),  # as even as can be: the two tails overlap
        (4, 3, 1.0),
    ],
)
def test_mcnemar_by_hand(only_a, only_b, p):
    assert mcnemar_exact(only_a, only_b) == pytest.approx(p, rel=1e-12)


def test_mcnemar_sums_the_splits_that_are_no_more_probable():
    for both in range(1, 15):
        ways = [math.comb(both, k) for k in range(both + 1)]
        for only_a in range(both + 1):
            as_uneven = sum(way for way in ways if way <= ways[only_a])
            expected = as_uneven / 2**both
            assert mcnemar_exact(only_a, both - only_a) == pytest.approx(expected)


def test_mcnemar_of_many_samples_is_near_the_normal_approximation():
    # 1,000 discordant pairs, 540 and 460: z with continuity correction is (540 - 500 - 0.5) over
    # sqrt(1000) / 2.
    z = 39.5 / (math.sqrt(1000) / 2)
    assert mcnemar_exact(540, 460) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.01)


# ---------------------------------------------------------------- Holm


def test_holm_by_hand():
    # In order: 3 x 0.01, then 2 x 0.03, then 1 x 0.04, which may not be less than the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


# ---------------------------------------------------------------- bootstrap


def shares(draws):
    values, counts = np.unique(np.round(draws, 12), return_counts=True)
    return dict(zip(values.tolist(), (counts / len(draws)).tolist(), strict=True))


def test_resampled_ratios_means_have_the_frequency_of_their_draws():
    # All 27 draws of three samples, of which one is 1: 8 without it, 12 with it once, 6 twice.
    expected = {}
    for draw in itertools.product([1, 0, 0], repeat=3):
        mean = round(sum(draw) / 3, 12)
        expected[mean] = expected.get(mean, 0) + 1 / 27
    assert expected[round(1 / 3, 12)] == pytest.approx(12 / 27)
    draws = resampled_ratios(column(1, 0, 0), column(1, 1, 1), resamples=40_000)
    found = shares(draws[:, 0])
    assert found.keys() == expected.keys()
    for mean, share in expected.items():
        assert found[mean] == pytest.approx(share, abs=5 * math.sqrt(share / 40_000))
    # 26 of 27 are at most 2/3, one is 1: 96.3 %.
    assert intervals(draws, 0.95)[:, 0].tolist() == [0.0, 1.0]
    assert intervals(draws, 0.90)[:, 0].tolist() == pytest.approx([0.0, 2 / 3])


def test_resampled_ratios_are_ratios_of_sums():
    # Errors 1 of 1 token and 0 of 3: drawn twice the first is 1, both are 1/4, twice the second 0.
    draws = resampled_ratios(column(1, 0), column(1, 3), resamples=40_000)
    assert shares(draws[:, 0]) == pytest.approx({0.0: 0.25, 0.25: 0.5, 1.0: 0.25}, abs=0.0125)


def test_intervals_leave_out_draws_without_a_value():
    draws = resampled_ratios(column(2, 0), column(1, 0), resamples=4_000)
    assert np.isnan(draws).mean() == pytest.approx(0.25, abs=0.04)
    assert intervals(draws)[:, 0].tolist() == [2.0, 2.0]
    nothing = resampled_ratios(column(0, 0), column(0, 0), resamples=10)
    assert np.isnan(intervals(nothing)).all()


def test_intervals_of_many_samples_are_normal():
    # 60 samples for the one, 100 for the other, of 2,000.
    difference = column(*[-1] * 60, *[1] * 100, *[0] * 1840)
    mean = 40 / 2000
    error = math.sqrt((160 / 2000 - mean**2) / 2000)
    low, high = intervals(resampled_ratios(difference, np.ones_like(difference)))[:, 0]
    assert low == pytest.approx(mean - 1.96 * error, abs=0.06 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.06 * error)


def test_resampled_ratios_depend_on_the_seed_alone(monkeypatch):
    values = np.random.default_rng(0).normal(size=(50, 3))
    ones = np.ones_like(values)
    draws = resampled_ratios(values, ones, resamples=1001, seed=4)
    assert np.array_equal(draws, resampled_ratios(values, ones, resamples=1001, seed=4))
    assert not np.array_equal(draws, resampled_ratios(values, ones, resamples=1001, seed=5))
    alone = resampled_ratios(values[:, 1:2], ones[:, 1:2], resamples=1001, seed=4)
    assert np.allclose(draws[:, 1:2], alone, rtol=0, atol=1e-14)
    monkeypatch.setattr(paired, "_MAX_DRAWS", 50 * 10)
    few_at_once = resampled_ratios(values, ones, resamples=1001, seed=4)
    assert np.allclose(draws, few_at_once, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("numerators", "denominators"),
    [(np.ones((3, 1)), np.ones((3, 2))), (np.ones((0, 1)), np.ones((0, 1))), (np.ones(3),) * 2],
)
def test_resampled_ratios_wrong_shapes_are_an_error(numerators, denominators):
    with pytest.raises(ValueError, match="samples, statistics"):
        resampled_ratios(numerators, denominators)
