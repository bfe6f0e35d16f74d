"""Which samples go into which batch: grouped by drawn size and length, under budgets.

Everything here is a pure function of (seed, epoch) and of the sizes it is given, so a resumed run
rebuilds the very batches of an interrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Sizes = NDArray[np.int64]
"""Drawn height, width (pixels) and label length (tokens) of each sample, (n, 3)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How large a batch may be, counting padding.

    Attributes:
        samples: most samples.
        pixels: most pixels, samples x largest height x largest width.
        tokens: most tokens, samples x longest label. A sample beyond a budget on its own makes a
            batch of one.
    """

    samples: int = 32
    pixels: int = 600_000
    tokens: int = 2_000

    def allows(self, count: int, height: int, width: int, length: int) -> bool:
        """Whether a batch of `count` padded to these sizes is within the budget."""
        return (
            count <= self.samples
            and count * height * width <= self.pixels
            and count * length <= self.tokens
        )


def group(
    order: Sequence[int], sizes: Sizes, budget: Budget, rows: int = 16, one_size: bool = False
) -> list[list[int]]:
    """Cuts samples into batches of similar size.

    Args:
        order: the samples, ties between equal sizes stay in this order.
        sizes: of all samples, by their numbers.
        budget: what a batch may hold.
        rows: heights within so many pixels count as one when sorting.
        one_size: a batch holds pictures of one size only.

    Returns:
        The batches, from small to large; every sample of `order` is in exactly one.
    """
    heights = sizes[:, 0] if one_size else -(-sizes[:, 0] // rows)
    # Within a band of heights wide and narrow alternate in direction, so that the batch which
    # crosses from one band to the next holds neighbours in width.
    widths = np.where(heights % 2 == 0, sizes[:, 1], -sizes[:, 1])
    ordered = sorted(order, key=lambda i: (heights[i], widths[i], sizes[i, 2]))
    batches: list[list[int]] = []
    batch: list[int] = []
    largest = np.zeros(3, dtype=np.int64)
    for i in ordered:
        grown = np.maximum(largest, sizes[i])
        fits = budget.allows(len(batch) + 1, *(int(n) for n in grown))
        if batch and one_size and (sizes[i, :2] != sizes[batch[0], :2]).any():
            fits = False
        if batch and not fits:
            batches.append(batch)
            batch, grown = [], sizes[i]
        batch.append(i)
        largest = grown
    if batch:
        batches.append(batch)
    return batches


def resize(batches: list[list[int]], sizes: Sizes, count: int) -> list[list[int]]:
    """The same samples in exactly `count` batches.

    Lightning asks for an epoch's length once, while augmentation changes sizes from epoch to
    epoch. Missing batches come from halving those of most pixels; surplus ones are merged,
    smallest first.

    Args:
        batches: as `group` made them.
        sizes: of all samples.
        count: at least 1, at most the number of samples.
    """
    batches = [list(batch) for batch in batches]

    def pixels(batch: list[int]) -> int:
        largest = sizes[batch].max(0)
        return int(len(batch) * largest[0] * largest[1])

    while len(batches) < count:
        splittable = [k for k, batch in enumerate(batches) if len(batch) > 1]
        k = max(splittable, key=lambda k: pixels(batches[k]))
        half = len(batches[k]) // 2
        batches[k : k + 1] = [batches[k][:half], batches[k][half:]]
    while len(batches) > count:
        # Neighbours are alike, so the cheapest union is one of neighbours.
        k = min(range(len(batches) - 1), key=lambda k: pixels(batches[k] + batches[k + 1]))
        batches[k : k + 2] = [batches[k] + batches[k + 1]]
    return batches


def deal(batches: list[list[int]], ranks: int, rng: np.random.Generator) -> list[list[list[int]]]:
    """Shuffles batches and deals them to the ranks of a distributed run.

    Batches dealt in the same step are neighbours in size, so that no rank waits for another.

    Args:
        batches: as `group` made them; their number a multiple of `ranks`.
        ranks: number of processes.
        rng: the epoch's own.

    Returns:
        For each rank its batches; all of the same number.
    """
    steps = [batches[k : k + ranks] for k in range(0, len(batches), ranks)]
    order = rng.permutation(len(steps))
    turns = rng.integers(ranks, size=len(steps))
    return [[steps[k][(rank + turns[k]) % ranks] for k in order] for rank in range(ranks)]


def padding_ratio(
    batches: Sequence[Sequence[int]], sizes: Sizes, padded_sizes: Sizes | None = None
) -> float:
    """Pixels of the padded batches for each pixel of their images.

    Args:
        batches: samples by number.
        sizes: of the images.
        padded_sizes: what each is padded to at least; its own size if not given.
    """
    rooms = sizes if padded_sizes is None else padded_sizes
    padded = sum(len(b) * int(np.prod(rooms[list(b), :2].max(0))) for b in batches)
    true = sum(int(sizes[list(b), :2].prod(1).sum()) for b in batches)
    return padded / true
