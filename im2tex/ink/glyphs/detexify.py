r"""Detexify's samples: single symbols drawn by the visitors of detexify.kirelabs.org.

Read as they are published, whatever the file is called, plain, `.gz` or `.xz`:

- The PostgreSQL dump that github.com/kirel/detexify-data hands out (`detexify.sql.gz`, 210,454
  samples): a block `COPY samples (id, key, strokes) FROM stdin;` of three columns, strokes as lists
  of points `[x, y, t]`. The key is `PACKAGE-FONTENC-COMMAND` with `_` for each backslash, such as
  `latex2e-OT1-_alpha` (detexify's lib/latex/symbol.rb).
- The same three columns as CSV with a header, as the table is exported with psql.
- The older CouchDB database: a document a line, points as `{"x": …, "y": …, "t": …}`; the key is
  in `key` or, inside of `doc`, in `id`, the strokes in `data` (example.json of that repository).
- A selection of it as JSON lines, strokes as flat lists `[x0, y0, x1, …]` on a grid of 1000, symbol
  names in `symbols.tsv` beside it, `rejected` marking bad samples.

The last one was read whole. Of the others only samples of a few rows, made from the descriptions
above, could be tested: the dump itself was not at hand. Its makers say nothing of writers, and
time stamps do not tell them apart, so a Detexify sample has none.
"""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from im2tex.errors import Im2TexError
from im2tex.ink.glyphs.bank import GlyphSample
from im2tex.ink.glyphs.names import SPELLINGS, glyph_token
from im2tex.ink.ink import Stroke

SOURCE = "detexify"
LICENCE = (
    "Detexify, https://github.com/kirel/detexify-data: Open Database License (ODbL) 1.0, "
    "https://opendatacommons.org/licenses/odbl/1-0/"
)
SYMBOLS = "symbols.tsv"

_FILES = ("detexify_strokes.jsonl", "detexify.sql", "detexify.csv", "detexify.json")
_ENDINGS = ("", ".xz", ".gz")
_OF_FORMULAS = """latex2e amsmath amssymb amsfonts bbold dsfont esint latexsym mathdots mathrsfs
mathtools stmaryrd upgreek"""
# Symbols of formulas; of the other packages only those that are one of these by another name.
_PACKAGES = frozenset(_OF_FORMULAS.split())
_LINE = 4 << 20  # bytes; the dump's longest are a few hundred thousand
_POINTS = 20_000  # of one sample: nobody draws that many
_LARGEST = 1e6  # of a coordinate; canvases have hundreds of pixels
_ESCAPED = re.compile(r"\\.")
_ESCAPES = {"\\\\": "\\", "\\t": "\t", "\\n": "\n", "\\r": "\r"}


def find_detexify(path: Path) -> Path:
    """The file with the samples: the path itself, or what a folder holds.

    Raises:
        Im2TexError: if there is none.
    """
    if path.is_dir():
        for name in _FILES:
            for ending in _ENDINGS:
                if (path / f"{name}{ending}").is_file():
                    return path / f"{name}{ending}"
        raise Im2TexError(
            f"there is none of {', '.join(_FILES)} in {path}, plain or with .gz or .xz."
        )
    if not path.is_file():
        raise Im2TexError(
            f"{path} does not exist. Detexify's samples: https://github.com/kirel/detexify-data"
        )
    return path


def read_detexify(path: Path, left_out: Counter[str]) -> Iterator[GlyphSample]:
    """The symbols of formulas among the samples, in the file's order.

    Args:
        path: the file, or a folder that holds it.
        left_out: gets how many samples were not taken, by reason.

    Raises:
        Im2TexError: if there is no such file, or nothing in it is a sample.
    """
    path = find_detexify(path)
    names = _symbols(path.parent / SYMBOLS)
    found = 0
    try:
        with _opened(path) as file:
            for key, strokes, rejected in _rows(file, left_out):
                found += 1
                command, package = names.get(key) or _of_key(key)
                reason, token = _token(command, package)
                if rejected or reason:
                    left_out[reason or "marked as rejected"] += 1
                    continue
                drawn = _strokes(strokes)
                if drawn is None:
                    left_out["strokes that cannot be read"] += 1
                    continue
                yield GlyphSample(token, drawn, SOURCE)
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise Im2TexError(f"{path} cannot be read: {error}") from error
    if not found:
        raise Im2TexError(
            f"there are no Detexify samples in {path}. It should be the SQL dump, a CSV with the "
            "columns id, key and strokes, or JSON lines."
        )


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path))
    return cast(IO[bytes], lzma.open(path)) if start.startswith(b"\xfd7zXZ") else path.open("rb")


def _lines(file: IO[bytes], left_out: Counter[str]) -> Iterator[str]:
    while line := file.readline(_LINE):
        if len(line) < _LINE:
            yield line.decode("utf-8", "replace")
            continue
        left_out["lines too long to be samples"] += 1
        while line and not line.endswith(b"\n"):
            line = file.readline(_LINE)


def _rows(file: IO[bytes], left_out: Counter[str]) -> Iterator[tuple[str, Any, bool]]:
    """Key, strokes and whether the sample is marked as bad, of each sample in any of the forms."""
    lines = _lines(file, left_out)
    for line in lines:
        if line.startswith("COPY ") and "samples" in line and "(id, key, strokes)" in line:
            yield from _copied(lines, left_out)
            return
        if line.replace('"', "").startswith("id,key,strokes"):
            yield from _csv(lines, left_out)
            return
        text = line.strip().removesuffix(",")
        if text.startswith("{") and text.endswith("}"):
            document = _json(text)
            if isinstance(document, dict) and (row := _document(document)):
                yield row
            else:
                left_out["lines that cannot be read"] += 1


def _copied(lines: Iterator[str], left_out: Counter[str]) -> Iterator[tuple[str, Any, bool]]:
    for line in lines:
        fields = line.rstrip("\r\n").split("\t")
        if fields == ["\\."]:
            return
        strokes = _json(_unescaped(fields[2])) if len(fields) == 3 else None
        if strokes is None:
            left_out["lines that cannot be read"] += 1
        else:
            yield _unescaped(fields[1]), strokes, False


def _csv(lines: Iterator[str], left_out: Counter[str]) -> Iterator[tuple[str, Any, bool]]:
    before = csv.field_size_limit(_LINE)
    try:
        for fields in csv.reader(lines):
            strokes = _json(fields[2]) if len(fields) == 3 else None
            if strokes is None:
                left_out["lines that cannot be read"] += 1
            else:
                yield fields[1], strokes, False
    finally:
        csv.field_size_limit(before)


def _document(document: dict[str, Any]) -> tuple[str, Any, bool] | None:
    inner = document.get("doc", document)
    if not isinstance(inner, dict):
        return None
    key = document.get("sym", document.get("key", inner.get("id")))
    strokes = inner.get("strokes", inner.get("data"))
    known = isinstance(key, str) and isinstance(strokes, list)
    return (cast(str, key), strokes, "rejected" in inner) if known else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _unescaped(field: str) -> str:
    """A field of PostgreSQL's COPY, whose backslashes are doubled."""
    if "\\" not in field:
        return field
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[0], match[0]), field)


def _symbols(path: Path) -> dict[str, tuple[str, str]]:
    """Command and package of each symbol id, where there is such a table."""
    names: dict[str, tuple[str, str]] = {}
    with suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if len(fields) >= 3:
                names[fields[0]] = (fields[1], fields[2])
    return names


def _of_key(key: str) -> tuple[str, str]:
    """Command and package of a key such as `latex2e-OT1-_alpha`; empty for any other."""
    package, _, rest = key.partition("-")
    _, dash, command = rest.partition("-")
    # Both `\\` and `\_` have become two underscores.
    return (command.replace("_", "\\"), package) if dash and command != "__" else ("", "")


def _token(command: str, package: str) -> tuple[str, str]:
    """Why a symbol is not taken, or "", and its token."""
    if not command or command == "\\\\":
        return "of no symbol that can be told", ""
    token = glyph_token(command)
    known = package in _PACKAGES or not package or token != command or command in SPELLINGS
    return ("" if known else "of symbols that are not of formulas", token)


def _strokes(strokes: Any) -> tuple[Stroke, ...] | None:
    """Points as arrays, or None for what is no drawing."""
    if not isinstance(strokes, list):
        return None
    drawn: list[Stroke] = []
    total = 0
    for stroke in strokes:
        points = _points(stroke)
        if points is None:
            return None
        if len(points):
            drawn.append(points)
        total += len(points)
    return tuple(drawn) if drawn and total <= _POINTS else None


def _points(stroke: Any) -> Stroke | None:
    """One stroke of points `{"x", "y"}`, `[x, y, …]`, or of numbers `x0, y0, x1, …`."""
    try:
        if stroke and isinstance(stroke[0], dict):
            stroke = [(point["x"], point["y"]) for point in stroke]
        elif stroke and isinstance(stroke[0], list):
            stroke = [(point[0], point[1]) for point in stroke]
        points = np.array(stroke, dtype=np.float64).reshape(-1, 2)  # (n, 2)
    except (TypeError, KeyError, IndexError, ValueError, OverflowError):
        return None
    within = np.isfinite(points).all() and np.abs(points).max(initial=0) <= _LARGEST
    return points.astype(np.float32) if within else None
