"""The table of contents of a zip archive, read so that a damaged line in it costs its own file.

The standard library reads the whole table or nothing: one name that is not UTF-8, or one file made
for a later version of the format, and none of the others can be had. Where that happens, each line
of the table is tried alone, and those that fail are made harmless before the table is read again.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

_LINE = b"PK\x01\x02"
_FIXED = 46  # bytes of a line before the name
_TABLE = 128 << 20
"""Bytes of the largest table that is read: more than a million files."""
_ENCRYPTED = 1  # bit of the flags
_SIMPLE = 20  # version 2.0 of the format: deflate and folders


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A line of the table.

    Attributes:
        name: as in the archive; what is not UTF-8 in a damaged line is replaced by U+FFFD.
        problem: why its content cannot be had, or "".
        info: what to open it by.
    """

    name: str
    problem: str
    info: zipfile.ZipInfo


@contextmanager
def open_zip(stream: IO[bytes]) -> Iterator[tuple[zipfile.ZipFile, list[ZipEntry]]]:
    """Opens a zip archive.

    Args:
        stream: can be sought in.

    Yields:
        The archive to open entries in, and its entries in their order, folders left out.

    Raises:
        Exception: whatever `zipfile` raises where the archive is damaged as a whole.
    """
    source = _Source(stream)
    try:
        archive = zipfile.ZipFile(source)
    except Exception:  # the library raises what it likes at a damaged table
        source.mends = True
        archive = zipfile.ZipFile(source)
        source.mends = False
    with archive:
        entries = []
        for number, info in enumerate(archive.infolist()):
            name, problem = source.damaged.get(number, (info.filename, ""))
            if stat.S_ISLNK(info.external_attr >> 16):
                problem = problem or "a symbolic link"
            if info.flag_bits & _ENCRYPTED:
                problem = problem or "it is encrypted; unpack it with its password first"
            if not info.is_dir():
                entries.append(ZipEntry(name, problem, info))
        yield archive, entries


class _Source:
    """What `zipfile` reads from.

    Attributes:
        mends: whether damaged lines of a table that is read now are made harmless.
        damaged: name and problem of those that were, by their number.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable
        self.mends = False
        self.damaged: dict[int, tuple[str, str]] = {}

    def read(self, size: int = -1) -> bytes:
        if size > _TABLE:
            raise zipfile.BadZipFile(f"its table of contents is larger than {_TABLE} bytes")
        data = self._stream.read(size)
        return self._mended(data) if self.mends and data.startswith(_LINE) else data

    def _mended(self, table: bytes) -> bytes:
        lines: list[bytes] = []
        start = 0
        while table.startswith(_LINE, start) and len(table) - start >= _FIXED:
            name, extra, comment = struct.unpack_from("<3H", table, start + 28)
            end = start + _FIXED + name + extra + comment
            line = table[start:end]
            problem = _problem(line)
            if problem:
                text = line[_FIXED : _FIXED + name].decode("utf-8", "replace")
                self.damaged[len(lines)] = (text, problem)
                line = _harmless(line, name, extra)
            lines.append(line)
            start = end
        return b"".join(lines) + table[start:]


def _problem(line: bytes) -> str:
    """Why the library cannot read a line of a table, or ""."""
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(line), 0, 0)
    try:
        zipfile.ZipFile(io.BytesIO(line + end)).close()
    except UnicodeDecodeError:
        return "its name is not UTF-8"
    except Exception as error:  # see above
        return str(error) or type(error).__name__
    return ""


def _harmless(line: bytes, name: int, extra: int) -> bytes:
    """A line of the same length with the same name that the library can read."""
    mended = bytearray(line)
    mended[6] = _SIMPLE
    mended[8:10] = b"\0\0"  # flags: the name is in code page 437, where everything is a character
    at = _FIXED + name
    if extra >= 4:  # one field of no known kind
        mended[at : at + extra] = struct.pack("<2H", 0xFFFF, extra - 4) + bytes(extra - 4)
    return bytes(mended)
