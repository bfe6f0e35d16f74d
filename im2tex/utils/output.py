"""Printing to a pipe whose reader may close it early, as `head` does."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """Prints in a block that has work after it, which is done if nobody reads what is printed."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        if not discard_if_unread(sys.stdout):
            raise


def discard_if_unread(*streams: TextIO) -> bool:
    """Discards all further output of the streams whose reader has gone.

    Python would report the error again when it flushes standard output at its exit.

    Args:
        *streams: standard output or standard error.

    Returns:
        Whether there is such a stream; if not, a `BrokenPipeError` is that of another pipe.
    """
    unread = [stream for stream in streams if _is_unread(stream)]
    for stream in unread:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return bool(unread)


def _is_unread(stream: TextIO) -> bool:
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # none, no file, or no `poll` on this system
        return False
