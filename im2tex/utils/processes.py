"""A map in worker processes that reads its input lazily and keeps the order."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import parent_process
from typing import TypeVar

from im2tex.errors import Im2TexError

Item = TypeVar("Item")
Result = TypeVar("Result")

_QUEUED = 4  # items that wait for each process


def lazy_map(
    function: Callable[[Item], Result], items: Iterable[Item], num_workers: int
) -> Iterator[Result]:
    """Yields `function(item)` for each item, in order; a few items are computed in advance.

    Example:
        >>> list(lazy_map(abs, [-1, 2], num_workers=2))
        [1, 2]

    Args:
        function: can be pickled, as the items and results can.
        items: read in this process, at most `_QUEUED` items per worker ahead.
        num_workers: number of processes, started by the default method of `multiprocessing`; with 0
            the function is called in this process.

    Raises:
        Im2TexError: if a process ends without a result.
    """
    if num_workers == 0:
        yield from map(function, items)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ProcessPoolExecutor(num_workers, initializer=initialize_worker)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > _QUEUED * num_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise Im2TexError(
            "a worker process has ended without a result (out of memory?): use fewer workers."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def initialize_worker() -> None:
    """Ignores Ctrl-C, which the main process handles, and ends with the main process.

    An initializer of `ProcessPoolExecutor`, whose processes would wait for ever for work after the
    main process has been killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
