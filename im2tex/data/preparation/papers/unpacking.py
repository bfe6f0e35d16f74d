"""A paper as arXiv packs it: a gzipped TeX file, or a gzipped tar of all its files.

The packages of arXiv's bulk archives hold one of these for each paper. What unpacks to more than a
paper can be is refused; names in a tar are labels, and links in it are nothing.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import PurePosixPath

from im2tex.data.preparation.papers.paper import TEX
from im2tex.data.preparation.tar_members import TarReader, is_tar

LARGEST_PACKAGE = 256 << 20
"""Bytes that a package may unpack to, pictures included."""

LARGEST_FILE = 16 << 20
"""Bytes of the largest TeX file that is read."""

MOST_FILES = 20_000
"""Files that a package may have."""

READ_ALONG = (".sty", ".cls", ".def", ".mac", ".inc", ".tikz")
"""Endings of files that documents read, beside those of documents."""

_TEX_COMMAND = re.compile(rb"\\[A-Za-z]{2}")
_BLOCK = 512
_PIECE = 1 << 16
_DAMAGE = (OSError, EOFError, zlib.error, ValueError, OverflowError)


class RefusedError(Exception):
    """A package that is not read, with the reason."""


def unpack(data: bytes) -> dict[str, bytes]:
    """The TeX files of one paper's package.

    Args:
        data: a gzip file.

    Returns:
        Files by path; a single file without a name in it is `main.tex`.

    Raises:
        RefusedError: if the package is damaged, or no paper's.
    """
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            start = stream.read(_BLOCK)
        if start.startswith((b"%PDF", b"%!PS")):
            raise RefusedError("no TeX in it")
        with gzip.open(io.BytesIO(data)) as stream:
            bounded = _Bounded(stream)
            if is_tar(start):
                return _files(bounded)
            file = _whole(bounded)
            if not _TEX_COMMAND.search(file):
                raise RefusedError("no TeX in it")
            return {"main.tex": file}
    except _DAMAGE as error:
        raise RefusedError("a damaged package") from error


def wanted(name: str) -> bool:
    """Whether TeX may read a file of that name, as a document or for one."""
    name = PurePosixPath(name).name
    return not name.startswith("._") and (
        "." not in name or name.lower().endswith((*TEX, *READ_ALONG))
    )


def _files(stream: _Bounded) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    reader = TarReader(stream)
    for number, entry in enumerate(reader):
        if number >= MOST_FILES:
            raise RefusedError(f"more than {MOST_FILES} files in it")
        if entry.problem or entry.folder or not wanted(entry.name):
            continue
        pieces: list[bytes] = []
        size = 0
        while size <= LARGEST_FILE and (piece := reader.read(_PIECE)):
            pieces.append(piece)
            size += len(piece)
        if size <= LARGEST_FILE:
            parts = PurePosixPath(entry.name).parts
            path = "/".join(part for part in parts if part not in ("/", "..", "."))
            files[path] = b"".join(pieces)
    return files


def _whole(stream: _Bounded) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_FILE:
            raise RefusedError(f"a file larger than {LARGEST_FILE} bytes")
    return b"".join(pieces)


class _Bounded(io.RawIOBase):
    """A stream that ends in a refusal where a paper would have ended long ago."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self.stream = stream
        self.left = LARGEST_PACKAGE

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(min(size, self.left + 1) if size >= 0 else self.left + 1)
        self.left -= len(data)
        if self.left < 0:
            raise RefusedError(f"unpacks to more than {LARGEST_PACKAGE} bytes")
        return data
