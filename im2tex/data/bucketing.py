"""Groups samples of similar size and length into batches.

The functions depend on their arguments alone, so that a resumed run makes the same batches as an
uninterrupted one.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Indices: TypeAlias = NDArray[np.int64]
Sizes: TypeAlias = NDArray[np.int64]
"""(n, 3): image height and width in pixels, and label length in tokens, of each sample."""


_BANDS = (8, 16, 32, 64)  # pixels


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """The largest batch, padding included. A single sample may exceed the limits.

    Attributes:
        samples: number of samples.
        pixels: samples x largest height x largest width.
        tokens: samples x longest label.
    """

    samples: int = 32
    pixels: int = 600_000
    tokens: int = 2_000


def bucket_by_size(
    order: ArrayLike,
    sizes: Sizes,
    limits: BatchLimits,
    band: int = 16,
    same_size: bool = False,
) -> list[Indices]:
    """Splits samples into batches of similar size.

    Args:
        order: (m,) sample indices; samples of equal size keep this order.
        sizes: of all samples, by index.
        limits: of a batch.
        band: heights are sorted in bands of this many pixels.
        same_size: whether a batch may hold images of one size only.

    Returns:
        The batches, from small to large images. Each sample of `order` is in exactly one batch.
    """
    order = np.asarray(order, dtype=np.int64)
    heights = sizes[order, 0] if same_size else -(-sizes[order, 0] // band)
    # The order of the widths alternates between bands, so that a batch with samples of two bands
    # has similar widths.
    widths = np.where(heights % 2 == 0, sizes[order, 1], -sizes[order, 1])
    order = order[np.lexsort((sizes[order, 2], widths, heights))]
    table = sizes[order]
    batches = []
    start = 0
    while start < len(order):
        part = table[start : start + limits.samples]
        largest = np.maximum.accumulate(part)
        count = np.arange(1, len(part) + 1)
        exceeds = (count * largest[:, 0] * largest[:, 1] > limits.pixels) | (
            count * largest[:, 2] > limits.tokens
        )
        if same_size:
            exceeds |= (part[:, :2] != part[0, :2]).any(axis=1)
        exceeds[0] = False
        end = start + (int(exceeds.argmax()) or len(part))
        batches.append(order[start:end])
        start = end
    return batches


def best_band(sizes: Sizes, limits: BatchLimits) -> int:
    """The band of `bucket_by_size` with the fewest padded pixels.

    Narrow bands have batches of one height, wide bands have more batches of similar widths.
    """
    order = np.arange(len(sizes))

    def padding(band: int) -> float:
        return padding_ratio(bucket_by_size(order, sizes, limits, band), sizes)

    return min(_BANDS, key=padding)


def rebalance(batches: Sequence[Indices], sizes: Sizes, count: int) -> list[Indices]:
    """Distributes the same samples over exactly `count` batches.

    Lightning needs the same number of batches in every epoch, whereas augmentation changes the
    image sizes. The batches of most pixels are halved, or the smallest neighbours merged.

    Args:
        batches: as returned by `bucket_by_size`.
        sizes: of all samples, by index.
        count: from 1 to the number of samples.
    """
    batches = list(batches)
    while len(batches) > count:
        largest = np.array([sizes[batch].max(axis=0) for batch in batches])  # (batches, 3)
        samples = np.array([len(batch) for batch in batches])
        height, width = np.maximum(largest[1:, :2], largest[:-1, :2]).T
        k = int(((samples[1:] + samples[:-1]) * height * width).argmin())
        batches[k : k + 2] = [np.concatenate(batches[k : k + 2])]

    def entry(position: tuple[int, ...], batch: Indices) -> tuple[int, tuple[int, ...], Indices]:
        height, width = sizes[batch, :2].max(axis=0).tolist()
        return -len(batch) * height * width, position, batch

    if len(batches) == count:
        return batches
    heap = [entry((k,), batch) for k, batch in enumerate(batches)]
    single = [item for item in heap if len(item[2]) == 1]
    heap = [item for item in heap if len(item[2]) > 1]
    heapq.heapify(heap)
    while len(heap) + len(single) < count:
        _, position, batch = heapq.heappop(heap)
        half = len(batch) // 2
        for n, part in enumerate((batch[:half], batch[half:])):
            item = entry((*position, n), part)
            if len(part) > 1:
                heapq.heappush(heap, item)
            else:
                single.append(item)
    return [batch for _, _, batch in sorted(heap + single, key=lambda item: item[1])]


def shard_batches(
    batches: Sequence[Indices], world_size: int, rng: np.random.Generator
) -> list[list[Indices]]:
    """Shuffles batches and distributes them over the processes of a distributed run.

    The batches of one step have similar sizes, so that no process waits long for the others.

    Args:
        batches: as returned by `bucket_by_size`; their number is a multiple of `world_size`.
        world_size: number of processes.
        rng: random generator of the epoch.

    Returns:
        The batches of each process, the same number for all.
    """
    steps = [batches[k : k + world_size] for k in range(0, len(batches), world_size)]
    order = rng.permutation(len(steps)).tolist()
    shifts = rng.integers(world_size, size=len(steps)).tolist()
    return [
        [steps[k][(rank + shifts[k]) % world_size] for k in order] for rank in range(world_size)
    ]


def padding_ratio(
    batches: Sequence[ArrayLike], sizes: Sizes, padded_sizes: Sizes | None = None
) -> float:
    """Pixels of the padded batches divided by pixels of the images.

    Args:
        batches: sample indices.
        sizes: of the images.
        padded_sizes: smallest sizes to pad each image to; its own size if not given.
    """
    shapes = sizes if padded_sizes is None else padded_sizes
    padded = true = 0
    for batch in map(np.asarray, batches):
        padded += len(batch) * int(shapes[batch, :2].max(axis=0).prod())
        true += int(sizes[batch, :2].prod(axis=1).sum())
    return padded / true
