"""Which batches a run sees: each sample once, as many everywhere, the same after a resume."""

from collections import Counter

import numpy as np
import pytest
from ink_factory import row

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.bucketing import BatchLimits
from im2tex.data.dataset import FormulaDataset
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.samplers import EvaluationSampler, TrainingSampler
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation

COUNT = 60
BUDGET = BatchLimits(samples=5, pixels=60_000, tokens=60)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    return [row("x" * int(rng.integers(1, 12)), key=f"s{i}") for i in range(COUNT)]


@pytest.fixture
def dataset(samples):
    return FormulaDataset(
        samples, Preprocessing(), TrainingAugmentation(augmentation=Augmentation())
    )


def sampler(dataset, **options):
    return TrainingSampler(dataset, range(COUNT), BUDGET, **options)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_training_sampler_yields_every_sample_once_per_epoch(dataset, ranks):
    samplers = [sampler(dataset, rank=rank, world_size=ranks) for rank in range(ranks)]
    for epoch in range(3):
        plans = [one.plan(epoch) for one in samplers]
        assert Counter(i for plan in plans for batch in plan for i in batch) == Counter(
            range(COUNT)
        )


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_training_sampler_has_equal_number_of_batches(dataset, ranks):
    samplers = [sampler(dataset, rank=rank, world_size=ranks) for rank in range(ranks)]
    lengths = {len(one.plan(epoch)) for one in samplers for epoch in range(4)}
    assert lengths == {len(samplers[0])}


def test_training_sampler_batches_differ_between_epochs(dataset):
    one = sampler(dataset)
    assert one.plan(0) != one.plan(1)
    assert sorted(map(sorted, one.plan(0))) != sorted(map(sorted, one.plan(1)))


def test_training_sampler_plan_depends_on_seed_and_epoch(dataset):
    plans = [sampler(dataset).plan(epoch) for epoch in (0, 1, 2)]
    one = sampler(dataset)
    for epoch in (2, 0, 1):
        assert one.plan(epoch) == plans[epoch]
    assert sampler(dataset, seed=1).plan(0) != plans[0]


def test_training_sampler_measuring_ahead_gives_same_batches(dataset):
    epoch = [0]
    ahead = sampler(dataset, measure_ahead=True, position=lambda: (epoch[0], 0))
    for expected in range(3):
        epoch[0] = expected
        requests = list(ahead)
        assert [number for number, _ in requests] == [expected] * len(ahead)
        assert [batch for _, batch in requests] == sampler(dataset).plan(expected)


def test_training_sampler_starts_at_position(dataset):
    whole = sampler(dataset).plan(2)
    resumed = sampler(dataset, position=lambda: (2, 3))
    assert list(resumed) == [(2, batch) for batch in whole[3:]]
    assert len(resumed) == len(whole)


def test_training_sampler_yields_given_indices_only(dataset):
    kept = [3, 5, 8, 13, 21]
    one = TrainingSampler(dataset, kept, BUDGET)
    assert sorted(i for batch in one.plan(0) for i in batch) == kept


def test_training_sampler_without_augmentation_adds_no_batch(samples):
    dataset = FormulaDataset(samples, Preprocessing(), TrainingAugmentation())
    one = sampler(dataset)
    sizes = {tuple(sorted(map(tuple, map(sorted, one.plan(epoch))))) for epoch in range(3)}
    assert {len(plan) for plan in sizes} == {len(one)}
    orders = [one.plan(epoch) for epoch in range(3)]
    assert orders[0] != orders[1]


def test_samplers_fewer_samples_than_processes_raise(dataset):
    with pytest.raises(Im2TexError, match=r"2 samples .* 3 processes.*--trainer\.devices"):
        TrainingSampler(dataset, [0, 1], BUDGET, world_size=3)
    with pytest.raises(Im2TexError, match=r"2 samples .* 3 processes"):
        EvaluationSampler(np.ones((2, 3), dtype=np.int64), BUDGET, world_size=3)


# ---------------------------------------------------------------- evaluation


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [7, 8, 50, 201])
def test_evaluation_sampler_shards_are_disjoint_and_complete(ranks, count):
    rng = np.random.default_rng(count)
    sizes = np.stack([rng.integers(1, 20, count) * 8 for _ in range(3)], axis=1)
    shards = [
        EvaluationSampler(sizes, BUDGET, rank=rank, world_size=ranks) for rank in range(ranks)
    ]
    numbers = Counter(i for shard in shards for _, batch in shard for i in batch)
    assert numbers == Counter(range(count))
    assert len({len(shard) for shard in shards}) == 1
    assert all(len(list(shard)) == len(shard) for shard in shards)


def test_evaluation_sampler_starts_with_largest():
    sizes = np.array([(8 * k, 8 * k, 3) for k in range(1, 31)])
    batches = [batch for _, batch in EvaluationSampler(sizes, BUDGET)]
    bands = [-(-int(sizes[batch, 0].max()) // 16) for batch in batches]  # see `group`
    assert bands == sorted(bands, reverse=True)
