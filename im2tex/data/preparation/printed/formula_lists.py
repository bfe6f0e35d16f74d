r"""Reads lists of formulas: text with a formula in each line, or a table.

Lines end with a line feed alone, because formulas of some data sets contain carriage returns. Lines
that are not UTF-8 are read as Latin-1, as the release of IM2LATEX-100K requires.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from im2tex.data.preparation.printed.formulas import Formula
from im2tex.errors import Im2TexError
from im2tex.utils.files import wrap_os_errors
from im2tex.utils.wording import counted

SUFFIXES = (".txt", ".lst", ".tsv")

_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
COMPRESSED = tuple(_OPEN)

_MARKUP_COLUMNS = ("raw", "latex", "formula", "raw_latex")
_MAX_LINE = 1 << 20  # bytes


def list_suffix(path: Path) -> str:
    """Returns the ending of a file name without the ending of its compression."""
    return (path.with_suffix("") if path.suffix in COMPRESSED else path).suffix.lower()


def is_list(path: Path) -> bool:
    """Returns whether the name of a file is that of a list of formulas."""
    return list_suffix(path) in SUFFIXES


def read_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yields the lines of a file, compressed or not.

    Args:
        path: the file.
        encoding: encoding of the lines; a line in another encoding is read as Latin-1.

    Raises:
        Im2TexError: if the file cannot be read.
    """
    errors = (OSError, EOFError, lzma.LZMAError, zlib.error)
    file: IO[bytes]
    with (
        wrap_os_errors(f"read {path}", errors=errors),
        _OPEN.get(path.suffix, open)(path, "rb") as file,
    ):
        while line := file.readline(_MAX_LINE):
            line = line.removesuffix(b"\n")
            try:
                yield line.decode(encoding)
            except UnicodeDecodeError:
                yield line.decode("latin-1")


def read_table(path: Path) -> Iterator[dict[str, str]]:
    """Yields the rows of a tab-separated table with a header and without quotes.

    Raises:
        Im2TexError: if the table cannot be read, or a row does not fit the header.
    """
    lines = read_lines(path)
    header = next(lines, "").split("\t")
    for number, line in enumerate(lines, 2):
        if line:
            cells = line.split("\t")
            if len(cells) != len(header):
                raise Im2TexError(
                    f"{path}, line {number}: {counted(len(cells), 'column')} where the header has "
                    f"{len(header)} ({', '.join(header)})."
                )
            yield dict(zip(header, cells, strict=True))


def read_list(path: Path) -> Iterator[Formula]:
    """Yields the formulas of a list, without empty ones.

    A `.tsv` file has a header with a column `raw`, `latex` or `formula`; the columns `paper` and
    `kind` are optional. Any other file has a formula in each line.

    Raises:
        Im2TexError: if the list cannot be read, or has no column of formulas.
    """
    if list_suffix(path) != ".tsv":
        yield from (Formula(line) for line in read_lines(path) if line.strip())
        return
    column = None
    for row in read_table(path):
        column = column or _markup_column(path, list(row))
        if row[column].strip():
            yield Formula(row[column], row.get("paper", ""), row.get("kind", ""))


def _markup_column(path: Path, columns: Sequence[str]) -> str:
    for name in _MARKUP_COLUMNS:
        if name in columns:
            return name
    raise Im2TexError(
        f"{path} has no column of formulas: the header must have one of "
        f"{', '.join(_MARKUP_COLUMNS)}, and has {', '.join(columns)}."
    )
