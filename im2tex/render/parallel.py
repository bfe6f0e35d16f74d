"""Cuts a stream into batches, works on several at a time, and gives the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

BATCH = 250
"""Items in a batch: starting a program then costs little, and losing one is no loss."""


def in_batches(
    work: Callable[[Sequence[T]], list[R]], items: Iterable[T], workers: int, size: int = BATCH
) -> Iterator[R]:
    """What `work` makes of a stream, one result an item, in order.

    Threads do: the work is done by programs that they wait for. No more than two batches a worker
    are taken from the stream ahead of what has been asked for.

    Args:
        work: makes a list of results of a list of items.
        items: the stream; where its length is known, small ones are shared out evenly.
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
                while len(running) < 2 * workers:
                    batch = list(islice(stream, size))
                    if not batch:
                        break
                    running.append(pool.submit(work, batch))
                if not running:
                    return
                yield from running.popleft().result()
        finally:
            for future in running:
                future.cancel()
