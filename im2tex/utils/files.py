"""Atomic writes, and one-line messages for errors of the file system."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.utils.untrusted_text import escape_surrogates

_DAY = 86400.0  # seconds


@contextmanager
def wrap_os_errors(
    action: str, advice: str = "", errors: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[None]:
    """Raises `Im2TexError("cannot ACTION: REASON. ADVICE")` for an OSError inside the block.

    Example:
        >>> with wrap_os_errors(f"write {path}", "Choose another folder with --out."):
        ...     path.write_text(text)

    Args:
        action: what the block does, such as `write PATH`.
        advice: what the user can do, as a sentence.
        errors: exception types to convert; some libraries raise others than OSError.

    Raises:
        Im2TexError: in place of the exception.
    """
    try:
        yield
    except errors as error:
        message = f"cannot {action}: {error_reason(error)}. {advice}"
        raise Im2TexError(message.rstrip()) from error


def error_reason(error: Exception) -> str:
    """The first line of the reason, without the file name that OSError adds."""
    reason = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0]
    return str(reason).rstrip(".") or type(error).__name__


def write_text_atomic(
    path: Path, text: str, advice: str = "Choose another folder, or make room there."
) -> None:
    """Writes text as UTF-8; after an error the earlier file is unchanged. Creates folders.

    Raises:
        Im2TexError: if the file cannot be written.
    """
    with wrap_os_errors(f"write {path}", advice), atomic_write(path) as part:
        part.write_text(escape_surrogates(text), encoding="utf-8")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, and renames it to `path` after the block.

    After an error the earlier file is unchanged. Creates folders, and removes the temporary files
    that killed writers of the same file have left.

    Raises:
        OSError: if the folder or the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    lock: int | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_parts(path)
        with suppress(OSError):  # a file system without locks
            lock = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):  # no file exists if its folder could not be created
            part.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def _remove_stale_parts(path: Path) -> None:
    """Removes temporary files of processes that no longer run.

    A writer holds a lock on its temporary file, unless a library replaced the file, or the file
    system has no locks. An unlocked file is therefore removed only if its process has ended, or
    if the file is a day old (the process may run on another machine).
    """
    with suppress(OSError):
        names = os.listdir(path.parent)
        for name in names:
            pid = name.removeprefix(f".{path.name}.").removesuffix(".part")
            if name == f".{path.name}.{pid}.part" and pid.isdecimal() and int(pid) != os.getpid():
                part = path.with_name(name)
                if not _is_locked(part) and (not _is_running(int(pid)) or _age(part) > _DAY):
                    part.unlink(missing_ok=True)


def _is_locked(part: Path) -> bool:
    """Whether another process holds the lock; true where locks are not supported."""
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


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _age(part: Path) -> float:
    return time.time() - part.stat().st_mtime  # seconds
