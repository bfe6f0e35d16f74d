"""Samplers that yield whole batches as `Request`s.

Batches of similar sizes need the sizes of the samples in advance. `EpochPlanner` computes them from
stored numbers; an epoch is planned in windows, so that its first batch waits for one window only.

The samplers are passed to a loader as `sampler` with `batch_size=None`. They derive from PyTorch's
`DistributedSampler` so that Lightning does not replace them in a distributed run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch.utils.data import DistributedSampler

from im2tex.data.bucketing import (
    BatchLimits,
    Indices,
    Sizes,
    best_band,
    bucket_by_size,
    padding_ratio,
    rebalance,
    shard_batches,
)
from im2tex.data.dataset import Request
from im2tex.data.epoch_plan import EpochPlanner
from im2tex.data.fixed_sizes import Buckets
from im2tex.errors import Im2TexError

PLAN_VERSION = 1
"""Version of the plan of an epoch. A run can only resume within an epoch of the same version."""
_WINDOW = 16_384  # samples that are planned together
_EXTRA_BATCHES = 0.03  # fraction; augmentation makes the batches of some epochs larger
_EXCESS = 1.1  # largest factor between the pixels of a loaded batch and the limit


class TrainingSampler(DistributedSampler[Any]):
    """The batches of an epoch, of equal number in all epochs and on all ranks.

    Args:
        planner: knows the sizes of the samples in each epoch.
        indices: (n,) samples to train on.
        limits: of a batch.
        seed: seed of the order and of the distribution over ranks.
        rank: rank of this process.
        world_size: number of processes.
        position: returns the current epoch and its number of consumed batches; called at the start
            of each iteration.
        buckets: sizes that images are padded to; a batch then holds images of one of them.
        first_epoch: the epoch whose first window determines the number of batches.
        window: largest number of samples that are planned together.

    Attributes:
        steps: number of batches of each window.
        padding_ratio: pixels of padded batches divided by pixels of images, in the first window.

    Raises:
        Im2TexError: if there are fewer samples than processes.
    """

    def __init__(
        self,
        planner: EpochPlanner,
        indices: ArrayLike,
        limits: BatchLimits,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
        buckets: Buckets | None = None,
        first_epoch: int = 0,
        window: int = _WINDOW,
    ) -> None:
        self.planner = planner
        self.indices: Indices = np.asarray(indices, dtype=np.int64)
        self.limits = limits
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.position = position
        self.buckets = buckets
        self._permutation: tuple[int, Indices] | None = None
        self._band: int | None = None  # of `bucket_by_size`, chosen in the first window
        _require_sample_per_process(len(self.indices), world_size)
        self.windows = -(-len(self.indices) // max(window, world_size))
        sizes, batches, padded = self._batches(first_epoch, 0)
        self.padding_ratio = padding_ratio(batches, sizes, padded)
        wanted = minimum = len(batches)
        if planner.varies or self.windows > 1:
            wanted = max(minimum + 1, int(minimum * (1 + _EXTRA_BATCHES)))
        self.steps = min(
            max(wanted // world_size, -(-minimum // world_size)),
            len(self.indices) // self.windows // world_size,
        )

    def __len__(self) -> int:
        return self.windows * self.steps

    def __iter__(self) -> Iterator[Request]:
        epoch, consumed = self.position()
        window, skipped = divmod(consumed, self.steps)
        for k in range(window, self.windows):
            yield from self.plan(epoch, k)[skipped if k == window else 0 :]

    def plan(self, epoch: int, window: int = 0) -> list[Request]:
        """This rank's batches of a window of an epoch."""
        _, batches, padded = self._batches(epoch, window)
        order = self._order(epoch, window)
        batches = rebalance(batches, padded, self.steps * self.world_size)
        rng = np.random.default_rng([self.seed, epoch, 1, window])
        return [
            Request(epoch, order[batch].tolist(), self._image_limits(padded[batch]))
            for batch in shard_batches(batches, self.world_size, rng)[self.rank]
        ]

    def _order(self, epoch: int, window: int) -> Indices:
        """The samples of a window of an epoch, shuffled."""
        if self._permutation is None or self._permutation[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch, 0])
            self._permutation = epoch, rng.permutation(self.indices)
        first, end = (len(self.indices) * k // self.windows for k in (window, window + 1))
        return self._permutation[1][first:end]

    def _batches(self, epoch: int, window: int) -> tuple[Sizes, list[Indices], Sizes]:
        """Sizes of the samples in a window, batches of positions in it, and padded sizes."""
        order = self._order(epoch, window)
        sizes = self.planner.sizes(order, epoch)
        if self._band is None and self.buckets is None:
            self._band = best_band(sizes, self.limits)
        return sizes, *_make_batches(sizes, self.limits, self.buckets, self._band)

    def _image_limits(self, sizes: Sizes) -> tuple[int, int] | None:
        """Largest height and width of the images of a batch.

        Planned sizes are estimates. Larger images are reduced, so that a batch has at most
        `_EXCESS` times the pixels of the limit, and fits its bucket. A single image has no limit.
        """
        height, width = sizes[:, :2].max(axis=0).tolist()
        if self.buckets is not None:
            return height, width
        if len(sizes) == 1:
            return None
        factor = math.sqrt(_EXCESS * self.limits.pixels / (len(sizes) * height * width))
        return self.planner.preprocessing.clip_size(height * factor, width * factor)


class EvaluationSampler(DistributedSampler[Any]):
    """Every sample once, in disjoint shards with the same number of batches on each rank.

    The forward pass of a distributed model exchanges buffers, such as the statistics of batch
    normalisation, also in evaluation: a rank with more batches than the others would wait forever.

    Args:
        sizes: of all samples, within the limits of the preprocessing.
        limits: of a batch.
        rank: rank of this process.
        world_size: number of processes.
        buckets: sizes that images are padded to; a batch then holds images of one of them.

    Raises:
        Im2TexError: if there are fewer samples than processes.
    """

    def __init__(
        self,
        sizes: Sizes,
        limits: BatchLimits,
        *,
        rank: int = 0,
        world_size: int = 1,
        buckets: Buckets | None = None,
    ) -> None:
        _require_sample_per_process(len(sizes), world_size)
        batches, padded = _make_batches(sizes, limits, buckets)
        steps = min(-(-len(batches) // world_size), len(sizes) // world_size)
        batches = rebalance(batches, padded, steps * world_size)
        self.padding_ratio = padding_ratio(batches, sizes, padded)
        # Largest first: memory is allocated once, and the estimated time left is an upper bound.
        self.batches = batches[::-1][rank::world_size]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Request]:
        for indices in self.batches:
            yield Request(0, indices.tolist())


def _make_batches(
    sizes: Sizes, limits: BatchLimits, buckets: Buckets | None, band: int | None = None
) -> tuple[list[Indices], Sizes]:
    """The batches, and the smallest sizes that their images are padded to."""
    order = np.arange(len(sizes))
    if buckets is None:
        band = best_band(sizes, limits) if band is None else band
        return bucket_by_size(order, sizes, limits, band), sizes
    padded = buckets.fit_all(sizes)
    return bucket_by_size(order, padded, limits, same_size=True), padded


def _require_sample_per_process(samples: int, world_size: int) -> None:
    """Checks that every process gets a sample.

    Raises:
        Im2TexError: if there are too few.
    """
    if samples < world_size:
        raise Im2TexError(
            f"{samples} samples are too few for {world_size} processes: set --trainer.devices to "
            "fewer."
        )
