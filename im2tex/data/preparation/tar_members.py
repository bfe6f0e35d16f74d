"""A tar archive from front to back, one file at a time, in bounded memory.

The standard library's reader ends without a word at a damaged header, keeps every header it has
read, and needs time that grows with the square of a hostile extended header. Here a block is parsed
by `TarInfo.frombuf`, and of pax's extended headers the path and the size count (POSIX.1-2001, pax
Interchange Format); long names of GNU tar are read too.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_BLOCK = 512
_HEADER = 1 << 20  # bytes of the longest extended header that is read
_PIECE = 1 << 16
_PAX = (b"x", b"X")
_PAX_OF_ALL = b"g"  # what holds for all entries: comments and the like
_LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_PROBLEMS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a link to another file",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


class Readable(Protocol):
    """Bytes from front to back."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


@dataclass(frozen=True, slots=True)
class TarEntry:
    """What a header says.

    Attributes:
        name: as in the archive; "" where the header is damaged. What is not UTF-8 in it is
            replaced by U+FFFD.
        problem: why its content cannot be had; "" for a regular file or a folder.
        folder: whether it is a folder.
    """

    name: str
    problem: str = ""
    folder: bool = False


class TarReader:
    """Reads the entries of a tar archive that is not compressed.

    Iterate over it, and call `read` before the next step for the content of the entry.

    Args:
        stream: the archive.

    Raises:
        EOFError: while iterating or reading, where the archive breaks off within an entry.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._left = 0  # bytes of the entry that are still to come
        self._padding = 0
        self._path: str | None = None  # what extended headers say of the next entry
        self._size: int | None = None
        self._problem = ""

    def __iter__(self) -> Iterator[TarEntry]:
        """The entries; a run of damaged headers is one of them."""
        lost = False
        while True:
            self._skip()
            block = self._stream.read(_BLOCK)
            if not block:
                yield TarEntry("", "the archive has no end mark: it may be cut off")
                return
            if len(block) < _BLOCK:
                raise EOFError("it breaks off within a header")
            if block.count(0) == _BLOCK:
                break
            info = _parsed(block)
            if info is None:
                if not lost:
                    yield TarEntry("", "a damaged header: the file that it belongs to is lost")
                lost = True
                self._forget()
                continue
            lost = False
            entry = self._entry(info, block)
            if entry is not None:
                yield entry
                self._forget()
        if self._another_follows():
            yield TarEntry("", "another archive follows the end mark; it is not read")

    def read(self, size: int) -> bytes:
        """The next bytes of the entry.

        Args:
            size: the most that are returned.
        """
        data = self._stream.read(min(size, self._left))
        if not data and size and self._left:
            raise EOFError("it breaks off within a file")
        self._left -= len(data)
        return data

    def _entry(self, info: tarfile.TarInfo, block: bytes) -> TarEntry | None:
        """The entry that begins with a header; None where it is a header of the next one."""
        header = info.type in (*_PAX, _PAX_OF_ALL, *_LONG)
        file = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
        size = info.size if header or self._size is None else self._size
        self._left = size if header or file else 0
        self._padding = -self._left % _BLOCK
        if header:
            self._header(info.type)
            return None
        if info.type == tarfile.GNUTYPE_SPARSE:
            more = block[482]
            while more:
                more = self._whole(_BLOCK)[504]
        name = info.name if self._path is None else self._path
        problem = self._problem or _PROBLEMS.get(info.type, "")
        if file and not info.isreg():
            problem = problem or "an entry of an unknown kind"
        try:
            name.encode()
        except UnicodeEncodeError:
            name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            problem = problem or "its name is not UTF-8"
        return TarEntry(name, problem, info.isdir())

    def _header(self, kind: bytes) -> None:
        """Reads an extended header, as far as it concerns the next entry."""
        if self._left > _HEADER:
            self._problem = f"an extended header of more than {_HEADER} bytes"
            return
        data = b""
        while piece := self.read(self._left):
            data += piece
        if kind == tarfile.GNUTYPE_LONGNAME:
            self._path = data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        elif kind in _PAX:
            try:
                self._records(data)
            except ValueError:
                self._problem = "a damaged extended header"

    def _records(self, data: bytes) -> None:
        """Takes the path and the size from the records `LENGTH KEY=VALUE`.

        Raises:
            ValueError: if they are not of that form.
        """
        start = 0
        while data[start : start + 1] not in (b"", b"\0"):
            digits, _, _ = data[start : start + 10].partition(b" ")
            end = start + int(digits)
            record = data[start:end]
            key, equals, value = record[len(digits) + 1 :].partition(b"=")
            if not equals or len(record) != int(digits) or not value.endswith(b"\n"):
                raise ValueError
            if key == b"path":
                self._path = value[:-1].decode("utf-8", "surrogateescape")
            elif key == b"size":
                size = int(value)
                if size < 0:
                    raise ValueError
                self._size = size
            elif key.startswith(b"GNU.sparse."):
                self._problem = "a sparse file"
            start = end

    def _skip(self) -> None:
        """Reads past what is left of an entry."""
        while self._left:
            self.read(_PIECE)
        self._whole(self._padding)
        self._padding = 0

    def _whole(self, size: int) -> bytes:
        data = self._stream.read(size) if size else b""
        if len(data) < size:
            raise EOFError("it breaks off within a file")
        return data

    def _another_follows(self) -> bool:
        """Reads to the end, which checks a compressed archive's sum; whether there is a header."""
        found = False
        while len(block := self._stream.read(_BLOCK)) == _BLOCK:
            found = found or (block.count(0) < _BLOCK and _parsed(block) is not None)
        return found

    def _forget(self) -> None:
        self._path, self._size, self._problem = None, None, ""


def _parsed(block: bytes) -> tarfile.TarInfo | None:
    """The header in a block that is not empty; None where it is none, or damaged."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError):
        return None
    return info if info.size >= 0 else None


def is_tar(block: bytes) -> bool:
    """Whether a file that begins with these 512 bytes is a tar archive, perhaps an empty one."""
    return len(block) == _BLOCK and (block.count(0) == _BLOCK or _parsed(block) is not None)
