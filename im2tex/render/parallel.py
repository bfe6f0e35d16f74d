"""Processes a stream in batches, several at a time, with results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH_SIZE = 250
"""Formulas in a batch: many enough that starting a program costs little."""


def in_batches(
    work: Callable[[Sequence[T]], list[R]],
    items: Iterable[T],
    workers: int,
    size: int = BATCH_SIZE,
) -> Iterator[R]:
    """Yields the result of each item, in order.

    Threads suffice, as they wait for programs. At most two batches per worker are read ahead.

    Args:
        work: returns the results of a batch.
        items: the stream; if its length is known, small ones are divided evenly among workers.
        workers: batches at a time.
        size: items in a batch at most.
    """
    if isinstance(items, Sequence):
        size = max(1, min(size, -(-len(items) // workers)))
    stream = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future[list[R]]] = deque()
        try:
            while True:
                while len(running) < 2 * workers and (batch := list(islice(stream, size))):
                    running.append(pool.submit(work, batch))
                if not running:
                    return
                yield from running.popleft().result()
        finally:
            for future in running:
                future.cancel()
