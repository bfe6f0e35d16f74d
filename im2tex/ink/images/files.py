"""Reads the bytes of a regular file or of a file object, up to a limit."""

from __future__ import annotations

import os
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.utils.files import read_regular_file, wrap_os_errors

MAX_BYTES = 256 * 2**20
"""Size of the largest file that is read, bytes."""


def read_file_bytes(path: str | os.PathLike[str]) -> bytes:
    """The contents of a regular file; links are followed.

    Args:
        path: named pipes, devices and folders are refused without being opened.

    Raises:
        Im2TexError: if it does not exist, is not a regular file, cannot be read, is empty, or is
            larger than `MAX_BYTES`; the message names the path.
    """
    name = os.fspath(path)
    shown = name if name and name.isprintable() else repr(name)
    with wrap_os_errors(f"open {shown}", errors=(OSError, ValueError)):
        data = read_regular_file(path, MAX_BYTES + 1)
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
