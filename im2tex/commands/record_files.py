"""Files of records as people have them: JSON lines, a JSON array or object, TSV, plain lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from im2tex.errors import Im2TexError
from im2tex.utils.text_files import read_lines
from im2tex.utils.untrusted_text import (
    BadJsonError,
    DuplicateNameError,
    lines_of_key,
    parse_json,
    quote,
)

Records: TypeAlias = list[tuple[str, Mapping[str, Any]]]
"""Where each record stands, for messages, and its values by name."""

_JSON = (".json", ".jsonl", ".ndjson")
_OBJECT = re.compile(r'\s*\{\s*"[^"]*"\s*:')  # a formula can begin with a brace, but not like this


def read_records(path: Path, keys: Collection[str], formulas: Collection[str]) -> Records:
    """Reads the records of a file, whose shape is told by its content.

    Args:
        path: JSON (lines, an array, or an object of formulas by key) or TSV with a key in its
            first column or a line of names; else a formula a line. Keys and formulas without names
            of their own are under `key` and `latex`.
        keys: names under which a record has its key.
        formulas: names under which a record has a formula.

    Raises:
        Im2TexError: if it cannot be read, is CSV or empty, or a line has no such shape.
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
    if not any(line.strip() for line in lines):
        raise Im2TexError(f"{path} holds no formulas.")
    first = next(line for line in lines if line.strip())
    if path.suffix in _JSON or _OBJECT.match(first):
        return _json(path, lines, first, {*keys, *formulas})
    table = _tsv(path, lines, keys, formulas)
    if table is not None:
        return table
    return [(f"{path}, line {number}", {"latex": line}) for number, line in enumerate(lines, 1)]


def _json(path: Path, lines: Sequence[str], first: str, names: Collection[str]) -> Records:
    text = "\n".join(lines)
    if path.suffix == ".json" or not _is_json(first):
        try:
            return _whole(path, parse_json(text), names)
        except BadJsonError as error:
            # JSON lines by another ending, of which there are two or more: the text goes on behind
            # the end of the first object.
            if not _is_json(first):
                raise _refused(path, text, error) from None
    records: Records = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                record = parse_json(line)
            except DuplicateNameError as error:
                raise Im2TexError(
                    f"{where} has the key {quote(error.name)} twice in one object. Keep one of "
                    "them."
                ) from None
            except BadJsonError as error:
                raise Im2TexError(f"{where}: no JSON object, but {error}. Correct it.") from None
            if not isinstance(record, dict):
                raise Im2TexError(f"{where}: no JSON object, but {quote(record)}.")
            records.append((where, record))
    return records


def _is_json(line: str) -> bool:
    """Whether a line is JSON alone, whatever else is wrong with it."""
    try:
        parse_json(line)
    except DuplicateNameError:
        return True
    except BadJsonError:
        return False
    return True


def _refused(path: Path, text: str, error: BadJsonError) -> Im2TexError:
    where = str(path) if error.line is None else f"{path}, line {error.line}"
    if isinstance(error, DuplicateNameError):
        lines = ", and ".join(f"line {line}" for line in lines_of_key(text, error.name))
        return Im2TexError(
            f"{path} has the key {quote(error.name)} twice: {lines or 'escaped'}. Keep one of them."
        )
    return Im2TexError(f"{where}: no JSON, but {error}. Correct it.")


def _whole(path: Path, whole: object, names: Collection[str]) -> Records:
    """The records of a document: a list of records or formulas, one record, formulas by key."""
    if isinstance(whole, list):
        return [
            (f"{path}, item {number}", one if isinstance(one, dict) else {"latex": one})
            for number, one in enumerate(whole, 1)
        ]
    if not isinstance(whole, dict):
        raise Im2TexError(f"{path}: no JSON object or list, but {quote(whole)}.")
    if any(name in whole for name in names):
        return [(str(path), whole)]
    return [(f"{path}, {quote(key)}", {"key": key, "latex": one}) for key, one in whole.items()]


def _tsv(
    path: Path, lines: Sequence[str], keys: Collection[str], formulas: Collection[str]
) -> Records | None:
    """The records of a table; None where it is none."""
    cells = [line.split("\t") for line in lines]
    filled = [row for row, line in zip(cells, lines, strict=True) if line.strip()]
    if path.suffix != ".tsv" and any(len(row) < 2 for row in filled):
        return None
    names = [cell.strip().lower() for cell in cells[0]]
    headed = any(name in keys for name in names) and any(name in formulas for name in names)
    if not headed:
        names = ["key", "latex"]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Im2TexError(f"{path}, line 1 has the column {quote(twice)} twice. Keep one of them.")
    records: Records = []
    for number, row in enumerate(cells, 1):
        if (number == 1 and headed) or not lines[number - 1].strip():
            continue
        # Editors cut off the tab before an empty formula.
        filled_up = row if headed or len(row) > 1 else [*row, ""]
        if len(filled_up) != len(names):
            expected = "as many as line 1" if headed else "a key, a tab, a formula"
            raise Im2TexError(f"{path}, line {number}: {len(row)} columns; expected {expected}.")
        values = map(_of_table, names, filled_up)
        records.append((f"{path}, line {number}", dict(zip(names, values, strict=True))))
    return records


def _of_table(name: str, cell: str) -> object:
    """A cell as JSON would have it: the columns that hold no text."""
    if name == "finished":
        return {"": None, "true": True, "false": False}.get(cell.strip().lower(), cell)
    if name == "score":
        try:
            return float(cell) if cell.strip() else None
        except ValueError:
            return cell
    return cell
