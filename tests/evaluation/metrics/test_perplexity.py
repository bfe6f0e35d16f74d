"""Perplexity: golden numbers, exact sums."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from im2tex.evaluation.metrics.perplexity import Perplexity


def test_perplexity_golden_numbers():
    metric = Perplexity()
    # Four tokens of probability 1/2, then two of 1/8: exp((4 log 2 + 2 log 8) / 6) = 2 ** (10/6).
    metric.update(torch.tensor(4 * math.log(2), dtype=torch.float64), 4)
    metric.update(torch.tensor([math.log(8)] * 2), torch.tensor([1, 1]))
    assert float(metric.compute()) == pytest.approx(2 ** (10 / 6), rel=1e-6)
    metric.reset()
    metric.update(0.0, 7)
    assert float(metric.compute()) == 1.0


def test_perplexity_half_precision_loss_is_summed_in_full():
    metric = Perplexity()
    for _ in range(1000):  # a float16 sum would stop growing at 2048 x 0.5, then overflow
        metric.update(torch.tensor(100.5, dtype=torch.float16), 100)
    assert float(metric.compute()) == pytest.approx(math.exp(1.005), rel=1e-6)


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=30), st.randoms())
def test_perplexity_does_not_depend_on_the_order_of_batches(values, random):
    shuffled = values.copy()
    random.shuffle(shuffled)
    first, second = Perplexity(), Perplexity()
    for metric, order in ((first, values), (second, shuffled)):
        for value in order:
            metric.update(torch.tensor(value, dtype=torch.float32), 1_000_000)
    assert float(first.compute()) == float(second.compute())
    exact = math.exp(math.fsum(values) / (1_000_000 * len(values)))
    assert float(first.compute()) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("value", [math.inf, math.nan, -math.inf, 1e30])
def test_perplexity_stays_infinite_after_a_likelihood_that_is_not_finite(value):
    metric = Perplexity()
    metric.update(torch.tensor(value), 3)
    metric.update(torch.tensor(1.0), 3)
    assert float(metric.compute()) == math.inf
    metric.reset()
    metric.update(torch.tensor(3.0), 3)
    assert float(metric.compute()) == pytest.approx(math.e)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_perplexity_without_tokens_is_nan_and_too_large_is_inf():
    metric = Perplexity()
    assert math.isnan(metric.compute())
    metric.update(1e9, 1)
    assert float(metric.compute()) == math.inf
