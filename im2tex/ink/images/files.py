"""Reads the bytes of a regular file or of a file object, up to a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError

MAX_BYTES = 256 * 2**20
"""Bytes of the largest file that is read."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_file_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a regular file; links are followed.

    Args:
        path: a named pipe, a device or a folder is refused without being opened.

    Raises:
        Im2TexError: if it is missing, no regular file, cannot be read, is empty, or is larger
            than `MAX_BYTES`; the message begins with the path.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
        if kind != stat.S_IFREG:
            raise Im2TexError(
                f"{path} is {_KINDS.get(kind, 'no regular file')}: only regular files are read."
            )
        # Non-blocking, in case that a pipe has taken the file's place since.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            data = file.read(MAX_BYTES + 1) or b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, FileNotFoundError) and os.path.islink(path):
            reason = f"it is a link to {os.readlink(path)}, which is not there"
        raise Im2TexError(f"cannot open {_printable(path)}: {reason}.") from None
    try:
        check_size(data)
    except Im2TexError as error:
        raise Im2TexError(f"{path}: {error}") from None
    return data


def read_stream_bytes(source: Any) -> bytes:
    """The content of an open binary file, from its beginning where it can be rewound.

    Args:
        source: an object with a `read` method, such as `io.BytesIO`.

    Raises:
        Im2TexError: if it was opened as text, cannot be read, is empty or too large.
    """
    try:
        if source.seekable():
            source.seek(0)
    except (AttributeError, OSError, ValueError):
        pass  # a stream: read from where it is
    try:
        data = source.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Im2TexError(f"the file object cannot be read: {error}") from None
    if not isinstance(data, bytes | bytearray | memoryview):
        raise Im2TexError(
            f"the file object gives {type(data).__name__}, not bytes: open it in binary mode, "
            'as in open(path, "rb").'
        )
    check_size(bytes(data))
    return bytes(data)


def check_size(data: bytes) -> None:
    """Refuses nothing, and too much.

    Raises:
        Im2TexError: if there is no byte, or there are more than `MAX_BYTES`.
    """
    if not data:
        raise Im2TexError("this is no picture that can be read: it is empty (0 bytes).")
    if len(data) > MAX_BYTES:
        raise Im2TexError(
            f"this file is too large: pictures have at most {MAX_BYTES // 2**20} MiB."
        )


def _printable(path: str | os.PathLike[str]) -> str:
    text = str(Path(path)) if path else repr(path)
    return text if text.isprintable() else repr(text)
