"""Reads Detexify's samples: single symbols drawn by the visitors of detexify.kirelabs.org.

Two formats are read, uncompressed, `.gz` or `.xz`, and recognised by content:

- The PostgreSQL dump of github.com/kirel/detexify-data (`detexify.sql.gz`, 210,454 samples): a
  block `COPY samples (id, key, strokes) FROM stdin;` of three columns, strokes as lists of points
  `[x, y, t]`. The key is `PACKAGE-FONTENC-COMMAND` with `_` for each backslash, such as
  `latex2e-OT1-_alpha` (detexify's lib/latex/symbol.rb).
- A selection of it as JSON lines, strokes as flat lists `[x0, y0, x1, ...]`, symbol names in
  `symbols.tsv` in the same folder, bad samples marked `rejected`.

The selection was read completely. The dump was not available: its reader is tested with a few rows
written after the description above. No format names writers.
"""

from __future__ import annotations

import gzip
import json
import lzma
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from im2tex.errors import Im2TexError
from im2tex.ink.glyphs.bank import GlyphSample
from im2tex.ink.glyphs.names import SPELLINGS, glyph_token
from im2tex.ink.ink import Stroke
from im2tex.utils.files import wrap_os_errors

SOURCE = "detexify"
LICENCE = (
    "Detexify, https://github.com/kirel/detexify-data: Open Database License (ODbL) 1.0, "
    "https://opendatacommons.org/licenses/odbl/1-0/"
)
SYMBOLS = "symbols.tsv"

_FILES = ("detexify_strokes.jsonl", "detexify.sql")
_SUFFIXES = ("", ".xz", ".gz")
# Of other packages, only symbols that are also in one of these under another name are taken.
_PACKAGES = """latex2e amsmath amssymb amsfonts bbold dsfont esint latexsym mathdots mathrsfs
mathtools stmaryrd upgreek"""
_MATH_PACKAGES = frozenset(_PACKAGES.split())
_MAX_POINTS = 20_000  # per sample
_MAX_COORDINATE = 1e6  # drawing areas have hundreds of pixels


def find_detexify(path: Path) -> Path:
    """The file with the samples: the path itself, or a file in that folder.

    Raises:
        Im2TexError: if there is none.
    """
    if path.is_dir():
        names = [f"{name}{suffix}" for name in _FILES for suffix in _SUFFIXES]
        found = next((path / name for name in names if (path / name).is_file()), None)
        if found is None:
            raise Im2TexError(
                f"there is none of {', '.join(_FILES)} in {path}, plain or with .gz or .xz."
            )
        return found
    if not path.is_file():
        raise Im2TexError(
            f"{path} does not exist. Detexify's samples: https://github.com/kirel/detexify-data"
        )
    return path


def read_detexify(path: Path, skipped: Counter[str]) -> Iterator[GlyphSample]:
    """Yields the mathematical symbols of the samples, in the file's order.

    Args:
        path: the file, or a folder that contains it.
        skipped: receives the number of skipped samples by reason.

    Raises:
        Im2TexError: if the file does not exist, cannot be read, or contains no sample.
    """
    path = find_detexify(path)
    symbols = _read_symbol_table(path.parent / SYMBOLS)
    found = False
    errors = (OSError, EOFError, lzma.LZMAError)
    with wrap_os_errors(f"read {path}", errors=errors), _open_text(path) as file:
        for key, strokes, rejected in _rows(file, skipped):
            found = True
            command, package = symbols.get(key) or _split_key(key)
            reason, token = _token(command, package)
            parsed = _parse_strokes(strokes)
            if rejected or reason:
                skipped[reason or "marked as rejected"] += 1
            elif parsed is None:
                skipped["strokes that cannot be read"] += 1
            else:
                yield GlyphSample(token, parsed, SOURCE)
    if not found:
        raise Im2TexError(
            f"there are no Detexify samples in {path}. It must be the SQL dump or JSON lines."
        )


def _open_text(path: Path) -> TextIO:
    with path.open("rb") as file:
        magic = file.read(2)
    compressed: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"\xfd7": lzma.open}
    opener = compressed.get(magic, open)
    return cast(TextIO, opener(path, "rt", encoding="utf-8", errors="replace"))


def _rows(file: Iterable[str], skipped: Counter[str]) -> Iterator[tuple[str, Any, bool]]:
    """Yields key, strokes and the `rejected` mark of each sample."""
    in_dump = False
    for line in (text.rstrip("\n") for text in file):
        if in_dump and line == "\\.":
            return
        row = None
        if in_dump:
            row = _dump_row(line)
        elif line.startswith("COPY ") and "(id, key, strokes)" in line:
            in_dump = True
            continue
        elif line.startswith("{"):
            row = _json_row(line)
        else:
            continue
        if row is None:
            skipped["lines that cannot be read"] += 1
        else:
            yield row


def _dump_row(line: str) -> tuple[str, Any, bool] | None:
    fields = line.split("\t")
    strokes = _load_json(fields[2]) if len(fields) == 3 else None
    # COPY doubles backslashes.
    return None if strokes is None else (fields[1].replace("\\\\", "\\"), strokes, False)


def _json_row(line: str) -> tuple[str, Any, bool] | None:
    row = _load_json(line)
    if not isinstance(row, dict) or not isinstance(row.get("sym"), str):
        return None
    return row["sym"], row.get("strokes"), "rejected" in row


def _load_json(text: str) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def _read_symbol_table(path: Path) -> dict[str, tuple[str, str]]:
    """Command and package by symbol id; empty if the file does not exist."""
    if not path.is_file():
        return {}
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {fields[0]: (fields[1], fields[2]) for fields in rows if len(fields) >= 3}


def _split_key(key: str) -> tuple[str, str]:
    """Command and package of a key such as `latex2e-OT1-_alpha`; two empty strings otherwise."""
    fields = key.split("-", 2)
    # Both `\\` and `\_` are spelled `__`.
    known = len(fields) == 3 and fields[2] != "__"
    return (fields[2].replace("_", "\\"), fields[0]) if known else ("", "")


def _token(command: str, package: str) -> tuple[str, str]:
    """The reason to skip a symbol ("" to take it), and its token."""
    if not command or command == "\\\\":
        return "of an unknown symbol", ""
    token = glyph_token(command)
    taken = package in _MATH_PACKAGES or not package or token != command or command in SPELLINGS
    return ("" if taken else "of symbols outside of formulas", token)


def _parse_strokes(strokes: Any) -> tuple[Stroke, ...] | None:
    """Points of each stroke, (n, 2); None if the value is not a drawing."""
    try:
        parsed = [_parse_points(stroke) for stroke in strokes if stroke]
    except (TypeError, KeyError, IndexError, ValueError, OverflowError):
        return None
    total = sum(map(len, parsed))
    if not 0 < total <= _MAX_POINTS:
        return None
    # NaN compares false.
    inside = all((np.abs(points) <= _MAX_COORDINATE).all() for points in parsed)
    return tuple(points.astype(np.float32) for points in parsed) if inside else None


def _parse_points(stroke: Any) -> np.ndarray:
    """Points of `[x, y, ...]` or `{"x", "y"}`, or of flat numbers `x0, y0, x1, ...`."""
    if isinstance(stroke[0], dict):
        stroke = [(point["x"], point["y"]) for point in stroke]
    elif isinstance(stroke[0], list):
        stroke = [point[:2] for point in stroke]
    return np.array(stroke, dtype=np.float64).reshape(-1, 2)
