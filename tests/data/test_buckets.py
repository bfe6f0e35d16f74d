"""Buckets: pictures of a batch are of one size, and nothing else changes."""

import numpy as np
import pytest
from ink_factory import png

from im2tex.data.bucketing import BatchLimits, bucket_by_size
from im2tex.data.dataset import FormulaDataset
from im2tex.data.fixed_sizes import PAPER_SIZES, Buckets
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.sample import Sample
from im2tex.data.samplers import EvaluationSampler, TrainingSampler
from im2tex.errors import Im2TexError

RULE = Preprocessing(symbol_size=0, max_height=160, max_width=504)


def picture(key, height, width):
    """A sample whose drawing is of that size, 4 pixels of paper on every side included."""
    ink = np.full((height, width), 255, np.uint8)
    ink[4:-4, 4:-4] = 0
    return Sample(key, "x", ("x",), image=png(ink))


def test_buckets_fit_first_that_holds_the_image():
    buckets = Buckets("paper")
    assert len(buckets.sizes) == len(PAPER_SIZES.split()) == 19
    assert buckets.fit(32, 128) == (32, 128)
    assert buckets.fit(33, 128) == (64, 128)
    assert buckets.fit(20, 129) == (32, 160)
    assert buckets.fit(90, 100) == (96, 384)
    assert buckets.fit(130, 100) == (160, 480)
    assert buckets.fit(40, 488) == (40, 488)  # wider than any: it keeps its size
    assert buckets.fit(161, 8) == (161, 8)


def test_buckets_sizes_are_multiples_of_stride():
    assert Buckets(["100x20", "128x32"], stride=(16, 32)).sizes == [(32, 128), (32, 128)]


@pytest.mark.parametrize("sizes", ["papers", ["128"], ["0x32"], ["128x32x1"], [" "]])
def test_buckets_invalid_size_raises(sizes):
    with pytest.raises(Im2TexError, match=r"data\.buckets.*WIDTHxHEIGHT"):
        Buckets(sizes)


def test_bucket_by_size_same_size_has_every_sample_once():
    rng = np.random.default_rng(0)
    sizes = np.stack(
        [rng.integers(1, 21, 300) * 8, rng.integers(1, 64, 300) * 8, rng.integers(1, 90, 300)], 1
    )
    fitted = Buckets("paper").fit_all(sizes)
    batches = bucket_by_size(range(300), fitted, BatchLimits(20, 2_000_000, 2_000), same_size=True)
    assert sorted(i for batch in batches for i in batch) == list(range(300))
    for batch in batches:
        assert len({tuple(fitted[i, :2]) for i in batch}) == 1
        assert len(batch) <= 20
    # As few batches as the sizes allow: one of each size at most is not full by samples or tokens.
    many = {tuple(size) for size in fitted[:, :2].tolist()}
    full = bucket_by_size(range(300), fitted, BatchLimits(300, 10**9, 10**6), same_size=True)
    assert len(full) == len(many)


@pytest.mark.parametrize("ranks", [1, 2])
def test_training_batches_have_size_of_bucket(ranks):
    heights = [24, 32, 40, 64, 24, 32, 40, 160]
    samples = [picture(str(i), h, 96 + 8 * i) for i, h in enumerate(heights)]
    buckets = Buckets("paper", RULE.stride)
    dataset = FormulaDataset(samples, RULE, buckets=buckets)
    seen = []
    for rank in range(ranks):
        sampler = TrainingSampler(
            dataset.planner, range(8), BatchLimits(3), rank=rank, world_size=ranks, buckets=buckets
        )
        for request in sampler:
            batch = dataset[request]
            height, width = batch.images.shape[2:]
            for size in batch.sizes.tolist():
                assert buckets.fit(*size) == (height, width)
            seen += batch.keys
        assert sampler.padding_ratio > 1
    assert sorted(seen) == [str(i) for i in range(8)]


def test_evaluation_batches_have_size_of_bucket():
    sizes = np.array([[24, 100, 5], [24, 100, 9], [40, 100, 5], [24, 160, 5]])
    sampler = EvaluationSampler(sizes, BatchLimits(9), buckets=Buckets("paper"))
    assert sorted(sorted(batch.tolist()) for batch in sampler.batches) == [[0, 1], [2], [3]]
    # 32 x 128 twice, 64 x 128 and 32 x 160 for the four pictures.
    true = 24 * 100 * 2 + 40 * 100 + 24 * 160
    assert sampler.padding_ratio == pytest.approx((2 * 32 * 128 + 64 * 128 + 32 * 160) / true)
