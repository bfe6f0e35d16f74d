"""Printing for a reader who may leave early."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """Ends a block of printing without an error when nobody reads any more, as with `| head`."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python must not complain when it closes standard output, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
