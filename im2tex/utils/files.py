"""Writing a file whole or not at all."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DAY = 86400.0  # seconds


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to, moved there once the block ends without an error.

    After an error, what was there before is as it was. Folders are made. What a writer of the
    same file that was killed has left behind is removed.

    Raises:
        OSError: if folder or file cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    lock: int | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        with suppress(OSError):  # a place without locks is written to all the same
            lock = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):  # where no folder could be made, there is no file either
            part.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def _remove_stale(path: Path) -> None:
    """Removes parts of a file whose writers are gone.

    A writer holds a lock on its part. Where it does not, its process must be gone too, or the
    part be a day old: not every writer keeps the file that was locked, or runs on this machine.
    """
    with suppress(OSError):
        names = os.listdir(path.parent)
        for name in names:
            pid = name.removeprefix(f".{path.name}.").removesuffix(".part")
            if name == f".{path.name}.{pid}.part" and pid.isdecimal() and int(pid) != os.getpid():
                part = path.with_name(name)
                if not _locked(part) and (not _alive(int(pid)) or _age(part) > _DAY):
                    part.unlink(missing_ok=True)


def _locked(part: Path) -> bool:
    """Whether somebody writes a part; so it seems, too, where there are no locks."""
    try:
        file = os.open(part, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _age(part: Path) -> float:
    """Seconds since a file was last written to."""
    return time.time() - part.stat().st_mtime
