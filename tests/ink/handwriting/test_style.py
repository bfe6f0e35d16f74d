"""Styles of writers, drawn one by one and many at once."""

import numpy as np
import pytest

from im2tex.ink.handwriting import NATURAL, PAPER, HandwritingStyle


def drawn(style, count):
    draws = np.random.default_rng(0).random((count, HandwritingStyle.WRITER_DRAWS))
    return style.writers(draws)


def test_writers_have_distribution_of_sample_writer():
    many = drawn(NATURAL, 200_000)
    rng = np.random.default_rng(1)
    singles = [NATURAL.sample_writer(rng) for _ in range(40_000)]
    shares = [0.05, 0.25, 0.5, 0.75, 0.95]
    for name, values in many._asdict().items():
        expected = np.array([getattr(single, name) for single in singles])
        tolerance = 0.06 * expected.std()
        assert np.quantile(values, shares) == pytest.approx(
            np.quantile(expected, shares), abs=tolerance
        ), name
    # Box and Muller's pairs are independent as well.
    correlation = np.corrcoef(np.stack(many)) - np.eye(len(many))
    assert np.abs(correlation).max() < 0.03


def test_writer_of_many_has_their_values():
    many = drawn(NATURAL, 5)
    one = many.writer(3)
    for name, values in many._asdict().items():
        assert getattr(one, name) == values[3]


def test_writers_of_paper_do_not_vary():
    many = drawn(PAPER, 5)
    assert many.horizontal_scale.tolist() == many.vertical_scale.tolist() == [1.0] * 5
    assert not many.slope.any()
