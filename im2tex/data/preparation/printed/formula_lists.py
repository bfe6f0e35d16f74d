r"""Ready lists of formulas: a formula a line, or a table.

Lines end with a line feed alone: data sets have carriage returns inside of formulas. What is not
UTF-8 is read as Latin-1, as the release of IM2LATEX-100K has to be.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

from im2tex.data.preparation.printed.formulas import Formula
from im2tex.errors import Im2TexError

SUFFIXES = (".txt", ".lst", ".tsv")
PACKED = (".gz", ".xz", ".bz2")

_MARKUP = ("raw", "latex", "formula", "raw_latex")
_LONGEST = 1 << 20  # characters a line; no formula is near it


def is_list(path: Path) -> bool:
    """Whether a file is such a list, by its name."""
    name = path.with_suffix("") if path.suffix in PACKED else path
    return name.suffix.lower() in SUFFIXES


def read_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a file, packed or not.

    Args:
        path: the file.
        encoding: of its lines; one that is not in it is read as Latin-1.

    Raises:
        Im2TexError: if it cannot be read.
    """
    try:
        with _open(path) as file:
            while line := file.readline(_LONGEST):
                line = line.removesuffix(b"\n")
                try:
                    yield line.decode(encoding)
                except UnicodeDecodeError:
                    yield line.decode("latin-1")
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Im2TexError(f"{path} cannot be read: {reason}") from error


def read_table(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a table with a header, tab between columns, nothing quoted.

    Raises:
        Im2TexError: if it cannot be read, or a row has another number of columns than the header.
    """
    lines = read_lines(path)
    header = next(lines, "").split("\t")
    for number, line in enumerate(lines, 2):
        if line:
            cells = line.split("\t")
            if len(cells) != len(header):
                raise Im2TexError(
                    f"{path}, line {number}: {len(cells)} columns where the header has "
                    f"{len(header)} ({', '.join(header)})."
                )
            yield dict(zip(header, cells, strict=True))


def read_list(path: Path) -> Iterator[Formula]:
    """The formulas of a list.

    A `.tsv` has a header that names a column `raw`, `latex` or `formula`; `paper` and `kind` are
    read where they are there. Anything else is a formula a line. Empty ones are passed over.

    Raises:
        Im2TexError: if it cannot be read, or has no such column.
    """
    name = path.with_suffix("") if path.suffix in PACKED else path
    if name.suffix.lower() != ".tsv":
        for line in read_lines(path):
            if line.strip():
                yield Formula(line)
        return
    column = None
    for row in read_table(path):
        column = column or markup_column(path, list(row))
        if row[column].strip():
            yield Formula(row[column], row.get("paper", ""), row.get("kind", ""))


def markup_column(path: Path, columns: Sequence[str]) -> str:
    """The column that holds the markup.

    Raises:
        Im2TexError: if there is none.
    """
    for name in _MARKUP:
        if name in columns:
            return name
    raise Im2TexError(
        f"{path} has no column of formulas: its header should name one of {', '.join(_MARKUP)}, "
        f"and has {', '.join(columns)}."
    )


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return lzma.open(path, "rb")
    if path.suffix == ".bz2":
        return bz2.open(path, "rb")
    return path.open("rb")
