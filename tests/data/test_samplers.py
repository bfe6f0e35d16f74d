"""Which batches a run sees: each sample once, as many everywhere, the same after a resume."""

from collections import Counter

import numpy as np
import pytest
from ink_factory import row

from im2tex.data.augmentation import TrainingAugmentation
from im2tex.data.bucketing import BatchLimits, best_band
from im2tex.data.dataset import FormulaDataset
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.samplers import EvaluationSampler, TrainingSampler
from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation

COUNT = 60
BUDGET = BatchLimits(samples=5, pixels=60_000, tokens=60)
WINDOWS = [16_384, 20, 7]


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    return [row("x" * int(rng.integers(1, 12)), key=f"s{i}") for i in range(COUNT)]


@pytest.fixture(scope="module")
def dataset(samples):
    return FormulaDataset(
        samples, Preprocessing(), TrainingAugmentation(augmentation=Augmentation())
    )


def sampler(dataset, **options):
    return TrainingSampler(dataset.planner, range(COUNT), BUDGET, **options)


def epoch_of(sampler, epoch):
    return [request for k in range(sampler.windows) for request in sampler.plan(epoch, k)]


def batches(sampler, epoch):
    return [request.indices for request in epoch_of(sampler, epoch)]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_training_sampler_yields_every_sample_once_per_epoch(dataset, ranks, window):
    samplers = [sampler(dataset, rank=r, world_size=ranks, window=window) for r in range(ranks)]
    for epoch in range(3):
        seen = Counter(i for one in samplers for batch in batches(one, epoch) for i in batch)
        assert seen == Counter(range(COUNT))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_training_sampler_has_equal_number_of_batches(dataset, ranks, window):
    samplers = [sampler(dataset, rank=r, world_size=ranks, window=window) for r in range(ranks)]
    lengths = {len(epoch_of(one, epoch)) for one in samplers for epoch in range(4)}
    assert lengths == {len(samplers[0])}


def test_training_sampler_batches_differ_between_epochs(dataset):
    one = sampler(dataset)
    assert batches(one, 0) != batches(one, 1)
    assert sorted(map(sorted, batches(one, 0))) != sorted(map(sorted, batches(one, 1)))


def test_training_sampler_plan_depends_on_seed_and_epoch(dataset):
    plans = [batches(sampler(dataset), epoch) for epoch in (0, 1, 2)]
    one = sampler(dataset)
    for epoch in (2, 0, 1):
        assert batches(one, epoch) == plans[epoch]
    assert batches(sampler(dataset, seed=1), 0) != plans[0]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("consumed", [0, 3, 11])
def test_training_sampler_starts_at_position(dataset, window, consumed):
    whole = epoch_of(sampler(dataset, window=window), 2)
    resumed = sampler(dataset, window=window, position=lambda: (2, consumed))
    assert list(resumed) == whole[consumed:]
    assert len(resumed) == len(whole)


def test_training_sampler_plans_only_the_windows_it_yields(dataset, monkeypatch):
    one = sampler(
        dataset, window=20, position=lambda: (0, 2 * len(sampler(dataset, window=20)) // 3)
    )
    planned = []
    plan = TrainingSampler.plan
    monkeypatch.setattr(
        TrainingSampler, "plan", lambda self, *args: planned.append(args) or plan(self, *args)
    )
    next(iter(one))
    assert planned == [(0, 2)]


def test_training_sampler_yields_given_indices_only(dataset):
    kept = [3, 5, 8, 13, 21]
    one = TrainingSampler(dataset.planner, kept, BUDGET)
    assert sorted(i for batch in batches(one, 0) for i in batch) == kept


def test_training_sampler_without_augmentation_adds_no_batch(samples):
    dataset = FormulaDataset(samples, Preprocessing(), TrainingAugmentation())
    one = sampler(dataset)
    sizes = {tuple(sorted(map(tuple, map(sorted, batches(one, epoch))))) for epoch in range(3)}
    assert {len(plan) for plan in sizes} == {len(one)}
    orders = [batches(one, epoch) for epoch in range(3)]
    assert orders[0] != orders[1]


def test_training_sampler_loaded_batches_keep_pixel_limit(dataset):
    limits = BatchLimits(samples=50, pixels=40_000, tokens=1_000)
    one = TrainingSampler(dataset.planner, range(COUNT), limits)
    several = 0
    for epoch in range(5):
        for request in one.plan(epoch):
            batch = dataset[request]
            if len(batch.keys) > 1:
                several += 1
                assert batch.images.numel() <= 1.1 * limits.pixels
    assert several > 20


def test_samplers_fewer_samples_than_processes_raise(dataset):
    with pytest.raises(Im2TexError, match=r"2 samples .* 3 processes.*--trainer\.devices"):
        TrainingSampler(dataset.planner, [0, 1], BUDGET, world_size=3)
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
    numbers = Counter(i for shard in shards for request in shard for i in request.indices)
    assert numbers == Counter(range(count))
    assert len({len(shard) for shard in shards}) == 1
    assert all(len(list(shard)) == len(shard) for shard in shards)


def test_evaluation_sampler_starts_with_largest():
    sizes = np.array([(8 * k, 8 * k, 3) for k in range(1, 31)])
    batches = [request.indices for request in EvaluationSampler(sizes, BUDGET)]
    band = best_band(sizes, BUDGET)
    bands = [-(-int(sizes[batch, 0].max()) // band) for batch in batches]
    assert bands == sorted(bands, reverse=True)
