"""Batches by size under budgets; what each function does, by hand and by counting."""

from collections import Counter

import numpy as np
import pytest

from im2tex.data.bucketing import (
    BatchLimits,
    best_band,
    bucket_by_size,
    padding_ratio,
    rebalance,
    shard_batches,
)


def sizes(*rows):
    return np.array(rows, dtype=np.int64)


def random_sizes(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack(
        [
            rng.integers(2, 20, count) * 8,
            rng.integers(2, 80, count) * 8,
            rng.integers(1, 60, count),
        ],
        axis=1,
    )


def lists(batches):
    return [batch.tolist() for batch in batches]


def allows(limits, count, height, width, length):
    return (
        count <= limits.samples
        and count * height * width <= limits.pixels
        and count * length <= limits.tokens
    )


def once(batches, count):
    return Counter(i for batch in batches for i in batch) == Counter(range(count))


# ---------------------------------------------------------------- by hand


def test_bucket_by_size_groups_similar_sizes():
    table = sizes((16, 100, 3), (64, 20, 3), (16, 20, 3), (64, 100, 3))
    batches = bucket_by_size(range(4), table, BatchLimits(samples=2))
    assert [sorted(batch) for batch in batches] == [[0, 2], [1, 3]]


def test_bucket_by_size_respects_each_limit():
    table = sizes(*[(10, 10, 5)] * 6)
    assert [len(b) for b in bucket_by_size(range(6), table, BatchLimits(samples=4))] == [4, 2]
    assert [len(b) for b in bucket_by_size(range(6), table, BatchLimits(pixels=350))] == [3, 3]
    assert [len(b) for b in bucket_by_size(range(6), table, BatchLimits(tokens=10))] == [2, 2, 2]


def test_bucket_by_size_limits_include_padding():
    # Alone 10 x 10 and 10 x 40; together twice 10 x 40.
    table = sizes((10, 10, 5), (10, 40, 5))
    assert len(bucket_by_size(range(2), table, BatchLimits(pixels=800))) == 1
    assert len(bucket_by_size(range(2), table, BatchLimits(pixels=799))) == 2
    table = sizes((10, 10, 5), (10, 10, 40))
    assert len(bucket_by_size(range(2), table, BatchLimits(tokens=80))) == 1
    assert len(bucket_by_size(range(2), table, BatchLimits(tokens=79))) == 2


def test_bucket_by_size_too_large_sample_is_alone():
    table = sizes((10, 10, 5), (500, 500, 5), (10, 10, 5))
    batches = bucket_by_size(range(3), table, BatchLimits(pixels=1000))
    assert sorted(map(sorted, batches)) == [[0, 2], [1]]


def test_padding_ratio_by_hand():
    # 2 x (10 x 40) drawn for 100 + 400 pixels, and a batch of one without any padding.
    table = sizes((10, 10, 1), (10, 40, 1), (7, 7, 1))
    assert padding_ratio([[0, 1], [2]], table) == pytest.approx((800 + 49) / (500 + 49))
    assert padding_ratio([[0], [1], [2]], table) == 1.0


def test_rebalance_halves_largest_batches():
    table = sizes(*[(10, 10, 1)] * 4, *[(30, 30, 1)] * 4)
    batches = [np.arange(4), np.arange(4, 8)]
    assert lists(rebalance(batches, table, 3)) == [[0, 1, 2, 3], [4, 5], [6, 7]]
    assert lists(rebalance(batches, table, 8)) == [[i] for i in range(8)]


def test_rebalance_merges_cheapest_neighbours():
    table = sizes((10, 10, 1), (10, 12, 1), (90, 90, 1))
    batches = [np.array([i]) for i in range(3)]
    assert lists(rebalance(batches, table, 2)) == [[0, 1], [2]]
    assert lists(rebalance(batches, table, 1)) == [[0, 1, 2]]


def test_rebalance_same_count_changes_nothing():
    batches = [np.array([2, 0]), np.array([1])]
    assert lists(rebalance(batches, sizes(*[(8, 8, 1)] * 3), 2)) == [[2, 0], [1]]


def test_shard_batches_gives_ranks_similar_sizes():
    batches = [np.array([i]) for i in range(12)]
    ranks = shard_batches(batches, 3, np.random.default_rng(0))
    assert [len(mine) for mine in ranks] == [4, 4, 4]
    for step in zip(*ranks, strict=True):
        together = sorted(i for batch in step for i in batch)
        assert together == [3 * (together[0] // 3) + k for k in range(3)]
    first = [batch[0] for batch in ranks[0]]
    assert first != sorted(first)  # shuffled


# ---------------------------------------------------------------- by counting


@pytest.mark.parametrize("seed", range(5))
def test_bucket_by_size_has_every_sample_once(seed):
    table = random_sizes(300, seed)
    budget = BatchLimits(samples=12, pixels=150_000, tokens=400)
    order = np.random.default_rng(seed).permutation(300).tolist()
    batches = bucket_by_size(order, table, budget)
    assert once(batches, 300)
    for batch in batches:
        height, width, length = (int(n) for n in table[batch].max(0))
        assert len(batch) == 1 or allows(budget, len(batch), height, width, length)


@pytest.mark.parametrize("count", [1, 7, 25, 40, 300])
def test_rebalance_keeps_every_sample(count):
    table = random_sizes(300)
    batches = rebalance(bucket_by_size(range(300), table, BatchLimits(samples=12)), table, count)
    assert len(batches) == count
    assert all(map(len, batches))
    assert once(batches, 300)


def test_rebalance_halving_keeps_limits():
    table = random_sizes(300)
    budget = BatchLimits(samples=12, pixels=150_000, tokens=400)
    batches = bucket_by_size(range(300), table, budget)
    for batch in rebalance(batches, table, len(batches) + 20):
        height, width, length = (int(n) for n in table[batch].max(0))
        assert len(batch) == 1 or allows(budget, len(batch), height, width, length)


def test_bucket_by_size_pads_little():
    # The shares of the heights and widths of CROHME's inks are less wild than these.
    table = random_sizes(3000)
    budget = BatchLimits(samples=24, pixels=400_000, tokens=10_000)
    grouped = bucket_by_size(range(3000), table, budget)
    assert padding_ratio(grouped, table) < 1.25
    mixed = [list(range(i, i + 24)) for i in range(0, 3000, 24)]
    assert padding_ratio(mixed, table) > 2


def test_best_band_pads_least():
    limits = BatchLimits(samples=24, pixels=10**9, tokens=10**9)
    for count in (100, 1000, 10_000):
        table = random_sizes(count)
        ratios = {
            band: padding_ratio(bucket_by_size(range(count), table, limits, band), table)
            for band in (8, 16, 32, 64)
        }
        assert ratios[best_band(table, limits)] == min(ratios.values())
    assert best_band(random_sizes(100), limits) > best_band(random_sizes(10_000), limits)


def test_bucket_by_size_keeps_order_of_equal_sizes():
    table = sizes(*[(8, 8, 1)] * 6)
    batches = bucket_by_size([3, 1, 5, 0, 2, 4], table, BatchLimits(samples=3))
    assert lists(batches) == [[3, 1, 5], [0, 2, 4]]
