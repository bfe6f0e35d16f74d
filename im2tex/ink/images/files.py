"""Reads the bytes of a regular file or of a file object, up to a limit."""

from __future__ import annotations

import os
import stat
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.utils.files import error_reason

MAX_BYTES = 256 * 2**20
"""Size of the largest file that is read, bytes."""


def read_file_bytes(path: str | os.PathLike[str]) -> bytes:
    """The contents of a regular file; links are followed.

    Args:
        path: named pipes, devices and folders are refused without being opened.

    Raises:
        Im2TexError: if it does not exist, is not a regular file, cannot be read, is empty, or is
            larger than `MAX_BYTES`; the message begins with the path.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise Im2TexError(f"{path} is {_file_type(mode)}: only regular files are read.")
        # Non-blocking, in case a pipe has replaced the file since.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        name = os.fspath(path)
        reason = error_reason(error)
        if isinstance(error, FileNotFoundError) and os.path.islink(path):
            reason = f"it is a link to {os.readlink(path)}, which does not exist"
        shown = name if name and name.isprintable() else repr(name)
        raise Im2TexError(f"cannot open {shown}: {reason}.") from None
    try:
        check_size(data)
    except Im2TexError as error:
        raise Im2TexError(f"{path}: {error}") from None
    return data


def read_stream_bytes(source: Any) -> bytes:
    """The contents of an open binary file, from its beginning if it is seekable.

    Args:
        source: an object with a `read` method, such as `io.BytesIO`.

    Raises:
        Im2TexError: if it was opened as text, cannot be read, is empty or too large.
    """
    try:
        if getattr(source, "seekable", bool)():
            source.seek(0)
        data = source.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Im2TexError(f"the file object cannot be read: {error}") from None
    if not isinstance(data, bytes | bytearray | memoryview):
        raise Im2TexError(
            f"the file object returns {type(data).__name__}, not bytes: open it in binary mode, "
            'as in open(path, "rb").'
        )
    check_size(bytes(data))
    return bytes(data)


def check_size(data: bytes) -> None:
    """Checks that there is data, and not too much.

    Raises:
        Im2TexError: if there are no bytes, or more than `MAX_BYTES`.
    """
    if not data:
        raise Im2TexError("the image cannot be read: it is empty (0 bytes).")
    if len(data) > MAX_BYTES:
        raise Im2TexError(f"this file is too large: images have at most {MAX_BYTES // 2**20} MiB.")


def _file_type(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a named pipe (FIFO)" if stat.S_ISFIFO(mode) else "a device or a socket"
