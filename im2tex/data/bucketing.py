"""Groups samples of similar size and length into batches.

The functions depend on their arguments alone, so that a resumed run makes the same batches as an
uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sizes = NDArray[np.int64]
"""(n, 3): image height and width in pixels, and label length in tokens, of each sample."""


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

    def allow(self, count: int, height: int, width: int, length: int) -> bool:
        """Whether a batch of `count` samples padded to these sizes is within the limits."""
        return (
            count <= self.samples
            and count * height * width <= self.pixels
            and count * length <= self.tokens
        )


def bucket_by_size(
    order: Sequence[int],
    sizes: Sizes,
    limits: BatchLimits,
    band: int = 16,
    same_size: bool = False,
) -> list[list[int]]:
    """Splits samples into batches of similar size.

    Args:
        order: sample indices; samples of equal size keep this order.
        sizes: of all samples, by index.
        limits: of a batch.
        band: heights are sorted in bands of this many pixels.
        same_size: whether a batch may hold images of one size only.

    Returns:
        The batches, from small to large images. Each sample of `order` is in exactly one batch.
    """
    heights = sizes[:, 0] if same_size else -(-sizes[:, 0] // band)
    # The order of the widths alternates between bands, so that a batch with samples of two bands
    # has similar widths.
    widths = np.where(heights % 2 == 0, sizes[:, 1], -sizes[:, 1])
    batches: list[list[int]] = []
    batch: list[int] = []
    largest = np.zeros(3, dtype=np.int64)
    for i in sorted(order, key=lambda i: (heights[i], widths[i], sizes[i, 2])):
        grown = np.maximum(largest, sizes[i])
        fits = limits.allow(len(batch) + 1, *(int(n) for n in grown))
        if batch and same_size and (sizes[i, :2] != sizes[batch[0], :2]).any():
            fits = False
        if batch and not fits:
            batches.append(batch)
            batch, grown = [], sizes[i]
        batch.append(i)
        largest = grown
    if batch:
        batches.append(batch)
    return batches


def rebalance(batches: list[list[int]], sizes: Sizes, count: int) -> list[list[int]]:
    """Distributes the same samples over exactly `count` batches.

    Lightning needs the same number of batches in every epoch, whereas augmentation changes the
    image sizes. The batches of most pixels are halved, or the smallest neighbours merged.

    Args:
        batches: as returned by `bucket_by_size`.
        sizes: of all samples, by index.
        count: from 1 to the number of samples.
    """
    batches = [list(batch) for batch in batches]

    def pixels(batch: list[int]) -> int:
        height, width, _ = sizes[batch].max(0)
        return int(len(batch) * height * width)

    while len(batches) < count:
        splittable = [k for k, batch in enumerate(batches) if len(batch) > 1]
        k = max(splittable, key=lambda k: pixels(batches[k]))
        half = len(batches[k]) // 2
        batches[k : k + 1] = [batches[k][:half], batches[k][half:]]
    while len(batches) > count:
        k = min(range(len(batches) - 1), key=lambda k: pixels(batches[k] + batches[k + 1]))
        batches[k : k + 2] = [batches[k] + batches[k + 1]]
    return batches


def shard_batches(
    batches: list[list[int]], world_size: int, rng: np.random.Generator
) -> list[list[list[int]]]:
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
    order = rng.permutation(len(steps))
    shifts = rng.integers(world_size, size=len(steps))
    return [
        [steps[k][(rank + shifts[k]) % world_size] for k in order] for rank in range(world_size)
    ]


def padding_ratio(
    batches: Sequence[Sequence[int]], sizes: Sizes, padded_sizes: Sizes | None = None
) -> float:
    """Pixels of the padded batches divided by pixels of the images.

    Args:
        batches: sample indices.
        sizes: of the images.
        padded_sizes: smallest sizes to pad each image to; its own size if not given.
    """
    shapes = sizes if padded_sizes is None else padded_sizes
    padded = sum(len(b) * int(np.prod(shapes[list(b), :2].max(0))) for b in batches)
    true = sum(int(sizes[list(b), :2].prod(1).sum()) for b in batches)
    return padded / true
