"""Reads records with names from JSON: lines, an array, an object, or objects by key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from im2tex.errors import Im2TexError
from im2tex.utils.untrusted_text import BadJsonError, parse_json, quote

Records: TypeAlias = list[tuple[str, Mapping[str, Any]]]
"""The position of each record, for messages, and its values by name."""


def read_json_records(path: Path, lines: Sequence[str], names: Collection[str]) -> Records:
    """Reads the records of one JSON document, or of JSON lines, which can have the suffix .json.

    Args:
        path: the file, for messages.
        lines: its lines; empty ones are ignored.
        names: names of values; an object without any of them is one of formulas or of records by
            key. Keys and formulas without a name get the names `key` and `latex`.

    Raises:
        Im2TexError: if the lines are neither.
    """
    first_is_complete = _is_json(next((line for line in lines if line.strip()), ""))
    if path.suffix == ".json" or not first_is_complete:
        try:
            return _document_records(path, parse_json("\n".join(lines)), names)
        except BadJsonError as error:
            if not first_is_complete:
                where = str(path) if error.line is None else f"{path}, line {error.line}"
                raise Im2TexError(f"{where}: no JSON, but {error}. Correct it.") from None
    records: Records = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                record = parse_json(line)
            except BadJsonError as error:
                raise Im2TexError(f"{where}: no JSON object, but {error}. Correct it.") from None
            if not isinstance(record, dict):
                raise Im2TexError(f"{where}: no JSON object, but {quote(record)}.")
            records.append((where, record))
    return records


def _is_json(line: str) -> bool:
    """Whether a line is a JSON value by itself, even one that `parse_json` refuses."""
    try:
        parse_json(line)
    except BadJsonError as error:
        return error.is_repetition
    return True


def _document_records(path: Path, document: object, names: Collection[str]) -> Records:
    """Records of a document: an array of records or formulas, one record, or formulas by key."""
    if isinstance(document, list):
        return [
            (f"{path}, item {number}", item if isinstance(item, dict) else {"latex": item})
            for number, item in enumerate(document, 1)
        ]
    if not isinstance(document, dict):
        raise Im2TexError(f"{path}: no JSON object or list, but {quote(document)}.")
    if any(name in document for name in names):
        return [(str(path), document)]
    return [
        (
            f"{path}, {quote(key)}",
            (value if isinstance(value, dict) else {"latex": value}) | {"key": key},
        )
        for key, value in document.items()
    ]
