"""Reads records with names from JSON lines, a JSON array or object, TSV, or plain lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.utils.json_records import Records, read_json_records
from im2tex.utils.text_files import read_lines
from im2tex.utils.untrusted_text import quote
from im2tex.utils.wording import counted

_JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_JSON_OBJECT = re.compile(r'\s*\{\s*"[^"]*"\s*:')  # no formula begins like this


def read_records(path: Path, keys: Collection[str], formulas: Collection[str]) -> Records:
    """Reads the records of a file, whose format is recognised by its content.

    Args:
        path: JSON (lines, an array, or an object of formulas by key), TSV with a key in its first
            column or a header line, or one formula per line. Keys and formulas without a name get
            the names `key` and `latex`.
        keys: names of keys.
        formulas: names of formulas.

    Raises:
        Im2TexError: if the file cannot be read, is CSV or empty, or a line has another format.
    """
    if path.suffix == ".csv":
        raise Im2TexError(f"{path}: formulas have commas; give tabs instead (.tsv), or JSON lines.")
    lines = [line.removesuffix("\r") for line in read_lines(path)]
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise Im2TexError(
                f"{path}, line {number}: a NUL byte; UTF-16 needs a byte order mark. Save the file "
                "as UTF-8."
            )
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise Im2TexError(f"{path} holds no formulas.")
    if path.suffix in _JSON_SUFFIXES or _JSON_OBJECT.match(first):
        return read_json_records(path, lines, {*keys, *formulas})
    records = _read_table(path, lines, keys, formulas)
    if records is None:
        return [(f"{path}, line {number}", {"latex": line}) for number, line in enumerate(lines, 1)]
    return records


def _read_table(
    path: Path, lines: Sequence[str], keys: Collection[str], formulas: Collection[str]
) -> Records | None:
    """Records of a table with tabs; None if a line of a file without suffix .tsv has none."""
    rows = [(number, line.split("\t")) for number, line in enumerate(lines, 1) if line.strip()]
    if path.suffix != ".tsv" and any(len(row) < 2 for _, row in rows):
        return None
    names = [cell.strip().lower() for cell in lines[0].split("\t")]
    has_header = any(name in keys for name in names) and any(name in formulas for name in names)
    if has_header:
        rows = rows[1:]
    else:
        names = ["key", "latex"]
        rows = [(n, row if len(row) > 1 else [*row, ""]) for n, row in rows]  # a stripped tab
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Im2TexError(f"{path}, line 1 has the column {quote(twice)} twice. Keep one of them.")
    records: Records = []
    for number, row in rows:
        if len(row) != len(names):
            expected = "as many as line 1" if has_header else "a key, a tab, a formula"
            raise Im2TexError(
                f"{path}, line {number}: {counted(len(row), 'column')}; expected {expected}."
            )
        values = map(_cell_value, names, row)
        records.append((f"{path}, line {number}", dict(zip(names, values, strict=True))))
    return records


def _cell_value(name: str, cell: str) -> object:
    """The value of a cell: text, except in the columns `finished` and `score`."""
    if name == "finished":
        return {"": None, "true": True, "false": False}.get(cell.strip().lower(), cell)
    if name == "score":
        try:
            return float(cell) if cell.strip() else None
        except ValueError:
            return cell
    return cell
