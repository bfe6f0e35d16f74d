"""Reading of regular files, atomic writes, and one-line messages for errors of the file system."""

from __future__ import annotations

import glob
import os
import stat
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


def read_regular_file(path: str | os.PathLike[str], limit: int) -> bytes:
    """Reads at most `limit` bytes from the start of a regular file; links are followed.

    Named pipes and devices are refused, because a pipe without a writer would block forever.

    Raises:
        OSError: if it does not exist, is not a regular file, or cannot be read.
        ValueError: for a NUL in the path.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not os.path.islink(path):
            raise
        target = os.readlink(path)
        raise FileNotFoundError(f"it is a link to {target}, which does not exist") from None
    if not stat.S_ISREG(mode):
        pipe_or_device = "a named pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
        kind = "a folder" if stat.S_ISDIR(mode) else pipe_or_device
        raise OSError(f"it is {kind}, not a regular file")
    # Non-blocking, in case a pipe has replaced the file since.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        return file.read(limit)


def write_text_atomic(
    path: Path, text: str, advice: str = "Choose another folder, or free disk space."
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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_parts(path)
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):  # no file exists if its folder could not be created
            part.unlink(missing_ok=True)


def _remove_stale_parts(path: Path) -> None:
    """Removes temporary files whose process has ended, or which are a day old.

    The age counts because the process may run in another container or on another machine, or its
    number may belong to another process by now.
    """
    with suppress(OSError):
        for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            pid = part.name.removeprefix(f".{path.name}.").removesuffix(".part")
            if pid.isdecimal() and int(pid) != os.getpid():
                is_old = time.time() - part.lstat().st_mtime > _DAY
                if is_old or not _is_running(int(pid)):
                    part.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # a process of another user
        return True
    return True


def newest_file(folder: Path, pattern: str) -> Path | None:
    """The file below a folder that matches a glob pattern and was modified last."""
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime, default=None)
