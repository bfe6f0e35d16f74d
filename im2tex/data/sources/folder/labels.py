r"""Files of labels that lie beside a person's pictures: TSV, CSV, plain text with tabs, JSON.

A line is a name and a formula. `caption.txt` of the CROHME and HME100K packages is of this kind:
a name without ending, a tab, the tokens.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.utils.text_files import read_text

STEMS = ("labels", "label", "caption", "captions")
ENDINGS = (".tsv", ".csv", ".txt", ".json", ".jsonl", ".ndjson")
EXPECTED = "labels.tsv, .csv, .txt, .json or .jsonl, or caption.txt"
"""What a labels file is called, for messages."""

_JSON = (".json", ".jsonl", ".ndjson")
_FILE = (
    *("file", "filename", "file_name", "name", "key", "id", "path", "image", "img", "picture"),
    *(f"{what}_{part}" for what in ("image", "img") for part in ("id", "name", "file", "path")),
)
_LABEL = (
    *("latex", "label", "formula", "text", "markup", "tokens", "caption", "truth"),
    *("ground_truth", "gt", "reference", "transcription"),
)
_RECORD = '{"file": "…", "latex": "…"}'


@dataclass(frozen=True, slots=True)
class Label:
    """A line of a labels file.

    Attributes:
        where: the file and line, for messages.
        name: of the picture, as written.
        latex: the formula, "" where there is none.
    """

    where: str
    name: str
    latex: str


def is_labels_file(name: str) -> bool:
    """Whether a file is called as labels files are."""
    path = PurePosixPath(name.lower())
    return path.stem in STEMS and path.suffix in ENDINGS


def read_labels(file: Path) -> list[Label]:
    """Reads a labels file; its kind is told by its ending.

    Args:
        file: UTF-8, or UTF-16 and UTF-32 with a byte order mark. Empty lines, and lines that begin
            with `#`, are passed over.

    Raises:
        Im2TexError: if it cannot be read, or a line is not as expected.
    """
    try:
        text = read_text(file)
    except Im2TexError as error:
        raise Im2TexError(f"the labels file cannot be used: {error}") from error
    text = text.replace("\r\n", "\n")
    ending = file.suffix.lower()
    if ending in _JSON:
        return list(_json(file, text))
    if ending == ".csv":
        return list(_csv(file, text))
    rows = (
        (number, line.split("\t"))
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.startswith("#")
    )
    return list(_table(file, rows, "file<TAB>latex", joins="\t"))


def _csv(file: Path, text: str) -> Iterator[Label]:
    first = text.lstrip().partition("\n")[0]
    # Where the comma is a decimal point, spreadsheets write semicolons.
    separator = ";" if ";" in first and "," not in first else ","
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=separator)

    def rows() -> Iterator[tuple[int, list[str]]]:
        try:
            for row in reader:
                if any(cell.strip() for cell in row) and not row[0].startswith("#"):
                    yield reader.line_num, row
        except csv.Error as error:
            raise Im2TexError(f"{file}, line {reader.line_num}: {error}.") from error

    yield from _table(file, rows(), 'file,latex, with quotes around what has commas: "f(x,y)"')


def _table(
    file: Path, rows: Iterable[tuple[int, list[str]]], expected: str, joins: str = ""
) -> Iterator[Label]:
    """The labels in rows of cells, with or without a first row of names.

    Args:
        file: for messages.
        rows: with the number of their line.
        expected: the form of a row, for messages.
        joins: what cells beyond the second are joined by; "" where there may be none.
    """
    columns: tuple[int, int] | None = None
    for position, (number, row) in enumerate(rows):
        where = f"{file}, line {number}"
        if position == 0:
            columns = _columns([cell.strip().lower() for cell in row])
            if columns is not None:
                continue
        if columns is not None:
            if max(columns) >= len(row):
                raise Im2TexError(f"{where}: {len(row)} columns, fewer than in the first line.")
            yield Label(where, row[columns[0]].strip(), row[columns[1]].strip())
        elif len(row) == 2 or (len(row) > 2 and joins):
            yield Label(where, row[0].strip(), joins.join(row[1:]).strip())
        else:
            raise Im2TexError(f"{where}: expected {expected}.")


def _columns(names: Sequence[str]) -> tuple[int, int] | None:
    """Where a first row of names has the file and the label; None where it is no such row."""
    file = next((names.index(name) for name in _FILE if name in names), None)
    label = next((names.index(name) for name in _LABEL if name in names), None)
    return None if file is None or label is None else (file, label)


def _json(file: Path, text: str) -> Iterator[Label]:
    """The labels of an object by name, of a list of records, or of a record a line."""
    whole = _parsed(text)
    if isinstance(whole, list):
        for number, record in enumerate(whole, 1):
            yield _record(f"{file}, item {number}", record)
        return
    if isinstance(whole, _Pairs):
        if _columns(list(whole)) is not None:
            yield _record(str(file), whole)
            return
        for name, value in whole.pairs:
            where = f"{file}, '{name}'"
            inner = value if isinstance(value, Mapping) else {"latex": value}
            yield _record(where, {**inner, "file": name})
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            yield _record(f"{file}, line {number}", _parsed(line))


class _Pairs(dict[str, Any]):
    """A JSON object that still knows a key that it has twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None


def _record(where: str, record: Any) -> Label:
    if isinstance(record, Mapping):
        name = next((record[key] for key in _FILE if key in record), None)
        found = [record[key] for key in _LABEL if key in record]
        latex = found[0] if found else None
        if isinstance(latex, list) and all(isinstance(token, str) for token in latex):
            latex = " ".join(latex)
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if isinstance(name, str) and found and (latex is None or isinstance(latex, str)):
            label = Label(where, name.strip(), (latex or "").strip())
            if any("\ud800" <= one <= "\udfff" for one in label.name + label.latex):
                raise Im2TexError(f"{where}: half a surrogate pair is no character.")
            return label
    raise Im2TexError(f"{where}: expected {_RECORD}.")
