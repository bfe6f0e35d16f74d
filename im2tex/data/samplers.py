"""Samplers that yield whole batches as `(epoch, indices)`.

Bucketing needs the image sizes of an epoch before it starts. A separate process measures those of
the next epoch while the current one runs.

The samplers are passed to a loader as `sampler` with `batch_size=None`. They derive from PyTorch's
`DistributedSampler` so that Lightning does not replace them in a distributed run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from torch.utils.data import DistributedSampler

from im2tex.data.bucketing import (
    BatchLimits,
    Sizes,
    bucket_by_size,
    padding_ratio,
    rebalance,
    shard_batches,
)
from im2tex.data.dataset import FormulaDataset, Request
from im2tex.data.fixed_sizes import Buckets
from im2tex.errors import Im2TexError

_EXTRA_BATCHES = 0.03  # fraction; augmentation makes the batches of some epochs larger


class TrainingSampler(DistributedSampler[Any]):
    """The batches of an epoch, of equal number in all epochs and on all ranks.

    Args:
        dataset: knows the size of each sample in each epoch.
        indices: samples to train on.
        limits: of a batch.
        seed: seed of the order and of the distribution over ranks.
        rank: rank of this process.
        world_size: number of processes.
        measure_ahead: whether to measure the next epoch's sizes in a separate process.
        position: returns the current epoch and its number of consumed batches; called at the start
            of each iteration.
        buckets: sizes that images are padded to; a batch then holds images of one of them.
        first_epoch: the epoch whose sizes determine the number of batches.

    Raises:
        Im2TexError: if there are fewer samples than processes.
    """

    def __init__(
        self,
        dataset: FormulaDataset,
        indices: Sequence[int],
        limits: BatchLimits,
        *,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        measure_ahead: bool = False,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
        buckets: Buckets | None = None,
        first_epoch: int = 0,
    ) -> None:
        self.formulas = dataset
        self.indices = np.asarray(indices, dtype=np.int64)
        self.limits = limits
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.measure_ahead = measure_ahead
        self.position = position
        self.buckets = buckets
        self._sizes_change = dataset.augmentation is not None and dataset.augmentation.is_active
        self._measured: tuple[int, Sizes] | None = None
        self._next: Future[Sizes] | None = None
        _require_sample_per_process(len(self.indices), world_size)
        order = range(len(self.indices))
        minimum = len(_make_batches(order, self._sizes(first_epoch), limits, buckets)[0])
        wanted = minimum
        if self._sizes_change:
            wanted = max(minimum + 1, int(minimum * (1 + _EXTRA_BATCHES)))
        self.steps = min(
            max(wanted // world_size, -(-minimum // world_size)), len(self.indices) // world_size
        )
        self.padding_ratio = float("nan")

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Request]:
        epoch, consumed = self.position()
        batches = self.plan(epoch)
        if self.measure_ahead and self._sizes_change and self._next is None:
            pool = ProcessPoolExecutor(1, mp_context=get_context("fork"))
            self._next = pool.submit(measure, self.formulas, self.indices, epoch + 1)
            pool.shutdown(wait=False)
        for indices in batches[consumed:]:
            yield epoch, indices

    def plan(self, epoch: int) -> list[list[int]]:
        """This rank's batches in an epoch."""
        sizes = self._sizes(epoch)
        order = np.random.default_rng([self.seed, epoch, 0]).permutation(len(self.indices))
        batches, padded = _make_batches(order.tolist(), sizes, self.limits, self.buckets)
        batches = rebalance(batches, padded, self.steps * self.world_size)
        self.padding_ratio = padding_ratio(batches, sizes, padded)
        rng = np.random.default_rng([self.seed, epoch, 1])
        shard = shard_batches(batches, self.world_size, rng)[self.rank]
        return [[int(self.indices[i]) for i in batch] for batch in shard]

    def _sizes(self, epoch: int) -> Sizes:
        """Sizes of the samples in an epoch; measured once per epoch."""
        if self._measured is None or (self._sizes_change and self._measured[0] != epoch):
            future, self._next = self._next, None
            if self._measured is not None and future and epoch == self._measured[0] + 1:
                sizes = future.result()
            else:
                sizes = measure(self.formulas, self.indices, epoch)
            self._measured = epoch, sizes
        return self._measured[1]


def measure(dataset: FormulaDataset, indices: Iterable[int], epoch: int) -> Sizes:
    """Sizes (n, 3) of samples in an epoch."""
    return np.array([dataset.size(int(index), epoch) for index in indices])


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
        batches, padded = _make_batches(range(len(sizes)), sizes, limits, buckets)
        steps = min(-(-len(batches) // world_size), len(sizes) // world_size)
        batches = rebalance(batches, padded, steps * world_size)
        self.padding_ratio = padding_ratio(batches, sizes, padded)
        # Largest first: memory is allocated once, and the estimated time left is an upper bound.
        self.batches = batches[::-1][rank::world_size]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Request]:
        for indices in self.batches:
            yield 0, indices


def _make_batches(
    order: Sequence[int], sizes: Sizes, limits: BatchLimits, buckets: Buckets | None
) -> tuple[list[list[int]], Sizes]:
    """The batches, and the smallest sizes that their images are padded to."""
    if buckets is None:
        return bucket_by_size(order, sizes, limits), sizes
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
