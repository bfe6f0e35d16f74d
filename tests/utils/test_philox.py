"""Counter-based random numbers agree with the reference and depend on their key alone."""

import numpy as np
import pytest

from im2tex.utils.philox import philox4x32, philox_uniform, sample_generators


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # known answers of the reference implementation, Random123
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (
            [0xFFFFFFFF] * 4,
            [0xFFFFFFFF] * 2,
            [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        ),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox4x32_known_counter_gives_known_answer(counter, key, expected):
    words = philox4x32([np.array([c], np.uint64) for c in counter], np.array(key, np.uint32))
    assert [int(word[0]) for word in words] == expected


def test_philox_uniform_of_a_sample_does_not_depend_on_the_others():
    together = philox_uniform(3, 5, np.arange(100), 9)
    assert np.array_equal(together[[7, 40]], philox_uniform(3, 5, [7, 40], 9))
    assert np.array_equal(together[:, :4], philox_uniform(3, 5, np.arange(100), 4))


@pytest.mark.parametrize("other", [(4, 5, 0), (3, 6, 0), (3, 5, 1), (2**40 + 3, 5, 0)])
def test_philox_uniform_other_key_differs(other):
    seed, epoch, stream = other
    numbers = philox_uniform(3, 5, np.arange(50), 8)
    assert not np.isclose(numbers, philox_uniform(seed, epoch, np.arange(50), 8, stream)).any()


def test_philox_uniform_is_uniform():
    numbers = philox_uniform(0, 0, np.arange(50_000), 4)
    assert ((numbers > 0) & (numbers < 1)).all()
    counts = np.histogram(numbers, 20, (0, 1))[0]
    assert np.abs(counts - 10_000).max() < 500  # five standard deviations
    assert np.abs(np.corrcoef(numbers.T) - np.eye(4)).max() < 0.02
    assert abs(np.corrcoef(numbers[1:, 0], numbers[:-1, 0])[0, 1]) < 0.02


def test_philox_uniform_index_beyond_32_bits_differs():
    low, high = philox_uniform(0, 0, [5, 2**32 + 5], 4)
    assert not np.isclose(low, high).any()


def test_sample_generators_depend_on_seed_epoch_and_sample():
    draws = [
        tuple(generator.random(3))
        for seed, epoch in [(0, 0), (1, 0), (0, 1)]
        for generator in sample_generators(seed, epoch, [4, 9])
    ]
    assert len(set(draws)) == 6
    (alone,) = sample_generators(0, 0, [9])
    assert tuple(alone.random(3)) == draws[1]
