"""Unpacks a paper as arXiv packs it: a gzipped TeX file, or a gzipped tar archive of all files.

The packages of arXiv's bulk archives hold one such file for each paper. Links in a tar archive are
ignored, and names only label the content.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from pathlib import PurePosixPath

from im2tex.data.preparation.papers.paper import TEX
from im2tex.data.preparation.raw_files import archive_path, open_tar

LARGEST_PACKAGE = 256 << 20
"""Bytes that a package may unpack to, images included."""

LARGEST_FILE = 16 << 20
"""Bytes of the largest TeX file that is read."""

READ_ALONG = (".sty", ".cls", ".def", ".mac", ".inc", ".tikz")
"""Endings of files that documents read, beside those of documents."""

_TEX_COMMAND = re.compile(rb"\\[A-Za-z]{2}")
_DAMAGE = (OSError, EOFError, zlib.error, ValueError, OverflowError, tarfile.TarError)


class RefusedError(Exception):
    """Raised with the reason for a package that is not read."""


def unpack(data: bytes) -> dict[str, bytes]:
    """Returns the TeX files of a package by path; a single unnamed file is `main.tex`.

    Args:
        data: a gzip file.

    Raises:
        RefusedError: if the package is damaged, too large, or has no TeX.
    """
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            content = stream.read(LARGEST_PACKAGE + 1)
        if len(content) > LARGEST_PACKAGE:
            raise RefusedError(f"unpacks to more than {LARGEST_PACKAGE} bytes")
        if tarfile.is_tarfile(io.BytesIO(content)):
            return _tex_files(content)
    except _DAMAGE as error:
        raise RefusedError("a damaged package") from error
    if content.startswith((b"%PDF", b"%!PS")) or not _TEX_COMMAND.search(content):
        raise RefusedError("no TeX in it")
    return {"main.tex": content}


def may_be_read_by_tex(name: str) -> bool:
    """Returns whether TeX may read a file of that name, as a document or from a document."""
    name = PurePosixPath(name).name
    return not name.startswith("._") and (
        "." not in name or name.lower().endswith((*TEX, *READ_ALONG))
    )


def _tex_files(content: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    with open_tar(io.BytesIO(content)) as archive:
        while (info := archive.next()) is not None:
            if info.isreg() and info.size <= LARGEST_FILE and may_be_read_by_tex(info.name):
                member = archive.extractfile(info)
                assert member is not None
                files[str(archive_path(info.name))] = member.read()
    return files
