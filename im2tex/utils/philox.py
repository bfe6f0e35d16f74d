"""Counter-based random numbers, keyed by seed, epoch and sample.

A number depends on its key alone, so that the planner of an epoch and a loader process draw the
same numbers for a sample, whatever the order, the number of processes and the interruptions.
The generator is Philox4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3),
vectorised over samples; NumPy's own generates one stream at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint64]

_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_KEY_STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10
_LOW, _SHIFT = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox_uniform(
    seed: int, epoch: int, samples: ArrayLike, count: int, stream: int = 0
) -> NDArray[np.float64]:
    """Uniform numbers in (0, 1).

    Example:
        >>> philox_uniform(seed=0, epoch=3, samples=[7, 2], count=5).shape
        (2, 5)

    Args:
        seed: seed of the run, >= 0.
        epoch: index of the epoch.
        samples: (n,) indices of samples, >= 0.
        count: numbers for each sample.
        stream: distinguishes independent numbers of the same sample, >= 0.

    Returns:
        (n, count).
    """
    index = np.asarray(samples, dtype=np.uint64)[:, None]  # (n, 1)
    block = np.arange(-(-count // 4), dtype=np.uint64)
    shape = len(index), len(block)
    counter = [
        np.broadcast_to(word, shape)
        for word in (block, index & _LOW, index >> _SHIFT, np.uint64(stream))
    ]
    words = philox4x32(counter, np.random.SeedSequence([seed, epoch]).generate_state(2))
    bits = np.stack(words, axis=2).reshape(shape[0], -1)[:, :count]  # (n, count)
    uniforms: NDArray[np.float64] = (bits.astype(np.float64) + 0.5) * 2.0**-32
    return uniforms


def philox4x32(counter: list[Words], key: NDArray[Any]) -> list[Words]:
    """Encrypts counters of four 32-bit words with a key of two.

    Args:
        counter: four arrays of one shape.
        key: (2,) unsigned.

    Returns:
        Four arrays of random 32-bit words, of the same shape.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key.astype(np.uint64)
    for _ in range(_ROUNDS):
        first, second = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1 = (second >> _SHIFT) ^ c1 ^ k0, second & _LOW
        c2, c3 = (first >> _SHIFT) ^ c3 ^ k1, first & _LOW
        k0, k1 = (k0 + _KEY_STEPS[0]) & _LOW, (k1 + _KEY_STEPS[1]) & _LOW
    return [c0, c1, c2, c3]


def sample_generators(
    seed: int, epoch: int, samples: Iterable[int]
) -> Iterator[np.random.Generator]:
    """A generator of the further random numbers of samples in an epoch, set to each in turn.

    It is one object, because that is several times as fast as one for each sample: draw the numbers
    of a sample before the next one is requested.
    """
    key = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    philox = np.random.Philox(key=key)
    generator = np.random.Generator(philox)
    state: Any = philox.state
    for sample in samples:
        state["state"]["counter"][:] = 0, sample, 0, 0
        philox.state = state
        yield generator
