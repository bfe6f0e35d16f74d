"""Samplers that ask for whole batches: `(epoch, numbers)`.

Grouping by drawn size needs the sizes of an epoch's augmented inks before it starts. They are
measured by a process of their own while the epoch before runs.

They stand in a loader's `sampler` slot with `batch_size=None`, and derive from torch's
`DistributedSampler` so that Lightning recognises that the ranks are already dealt with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from torch.utils.data import DistributedSampler

from im2tex.data.bucketing import Budget, Sizes, deal, group, padding_ratio, resize
from im2tex.data.dataset import FormulaDataset, Request
from im2tex.data.fixed_sizes import Buckets
from im2tex.errors import Im2TexError

_SLACK = 0.03  # epochs differ in size under augmentation; a few smaller batches absorb that


class TrainingSampler(DistributedSampler[Any]):
    """The batches of an epoch, the same number in every epoch and on every rank.

    Args:
        dataset: knows the size of each sample in each epoch.
        numbers: samples to train on.
        budget: what a batch may hold.
        seed: of order and dealing.
        rank: of this process.
        ranks: number of processes.
        parallel: measure the next epoch's sizes in a process of its own.
        position: the epoch to give and the batches of it already consumed, asked at every start.
        buckets: sizes that images are padded to; a batch then holds one of them only.
        first: the epoch by whose sizes the number of batches is set.

    Raises:
        Im2TexError: if there are fewer samples than processes.
    """

    def __init__(
        self,
        dataset: FormulaDataset,
        numbers: Sequence[int],
        budget: Budget,
        *,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        parallel: bool = False,
        position: Callable[[], tuple[int, int]] = lambda: (0, 0),
        buckets: Buckets | None = None,
        first: int = 0,
    ) -> None:
        self.formulas = dataset
        self.numbers = np.asarray(numbers, dtype=np.int64)
        self.budget = budget
        self.seed = seed
        self.rank, self.ranks = rank, ranks
        self.parallel = parallel
        self.position = position
        self.buckets = buckets
        self._changes = dataset.variation is not None and dataset.variation.changes
        self._measured: tuple[int, Sizes] | None = None
        self._ahead: Future[Sizes] | None = None
        _share(len(self.numbers), ranks)
        least = len(self._group(range(len(self.numbers)), self._sizes(first))[0])
        wanted = max(least + 1, int(least * (1 + _SLACK))) if self._changes else least
        self.steps = min(max(wanted // ranks, -(-least // ranks)), len(self.numbers) // ranks)
        self.padding_ratio = float("nan")

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Request]:
        epoch, consumed = self.position()
        batches = self.plan(epoch)
        self._measure_ahead(epoch + 1)
        for numbers in batches[consumed:]:
            yield epoch, numbers

    def plan(self, epoch: int) -> list[list[int]]:
        """This rank's batches in an epoch."""
        sizes = self._sizes(epoch)
        order = np.random.default_rng([self.seed, epoch, 0]).permutation(len(self.numbers))
        batches, padded = self._group(order.tolist(), sizes)
        batches = resize(batches, padded, self.steps * self.ranks)
        self.padding_ratio = padding_ratio(batches, sizes, padded)
        rng = np.random.default_rng([self.seed, epoch, 1])
        dealt = deal(batches, self.ranks, rng)[self.rank]
        return [[int(self.numbers[i]) for i in batch] for batch in dealt]

    def set_epoch(self, epoch: int) -> None:
        """Nothing: the epoch comes from `position`, and travels in each request."""

    def _group(self, order: Sequence[int], sizes: Sizes) -> tuple[list[list[int]], Sizes]:
        return _grouped(order, sizes, self.budget, self.buckets)

    def _sizes(self, epoch: int) -> Sizes:
        """Sizes of the samples in an epoch, measured once."""
        if self._measured is None or (self._changes and self._measured[0] != epoch):
            ahead, self._ahead = self._ahead, None
            if self._measured is not None and ahead and epoch == self._measured[0] + 1:
                sizes = ahead.result()
            else:
                sizes = measure(self.formulas, self.numbers, epoch)
            self._measured = epoch, sizes
        return self._measured[1]

    def _measure_ahead(self, epoch: int) -> None:
        if not self._changes or self._ahead is not None or not self.parallel:
            return
        pool = ProcessPoolExecutor(1, mp_context=get_context("fork"))
        self._ahead = pool.submit(measure, self.formulas, self.numbers, epoch)
        pool.shutdown(wait=False)


def measure(dataset: FormulaDataset, numbers: Iterable[int], epoch: int) -> Sizes:
    """Sizes in an epoch of the given samples, (n, 3)."""
    return np.array([dataset.size(int(n), epoch) for n in numbers])


class EvaluationSampler(DistributedSampler[Any]):
    """Every sample once, in disjoint shards of batches, of the same number on every rank.

    (A wrapped model's forward pass exchanges buffers, such as batch normalisation's, between the
    ranks in evaluation too: one with a batch more would wait for ever.)

    Args:
        sizes: of all samples, as drawn within the limits.
        budget: what a batch may hold.
        rank: of this process.
        ranks: number of processes.
        buckets: sizes that images are padded to; a batch then holds one of them only.

    Raises:
        Im2TexError: if there are fewer samples than processes.
    """

    def __init__(
        self,
        sizes: Sizes,
        budget: Budget,
        *,
        rank: int = 0,
        ranks: int = 1,
        buckets: Buckets | None = None,
    ) -> None:
        _share(len(sizes), ranks)
        batches, padded = _grouped(range(len(sizes)), sizes, budget, buckets)
        steps = min(-(-len(batches) // ranks), len(sizes) // ranks)
        batches = resize(batches, padded, steps * ranks)
        self.padding_ratio = padding_ratio(batches, sizes, padded)
        # Longest first: memory is asked for once, and an estimate of the time left errs upwards.
        self.batches = batches[::-1][rank::ranks]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Request]:
        for numbers in self.batches:
            yield 0, numbers

    def set_epoch(self, epoch: int) -> None:
        """Nothing: evaluation is the same in every epoch."""


def _grouped(
    order: Sequence[int], sizes: Sizes, budget: Budget, buckets: Buckets | None
) -> tuple[list[list[int]], Sizes]:
    """Batches, and the sizes that their images are padded to at least."""
    if buckets is None:
        return group(order, sizes, budget), sizes
    padded = buckets.fit_all(sizes)
    return group(order, padded, budget, one_size=True), padded


def _share(samples: int, ranks: int) -> None:
    """Every rank needs a sample at least.

    Raises:
        Im2TexError: if there are too few.
    """
    if samples < ranks:
        raise Im2TexError(
            f"{samples} samples cannot be shared by {ranks} processes: set --trainer.devices to "
            "fewer."
        )
