r"""Reads files of labels: TSV, CSV, text with tabs, JSON.

A line has the name of a sample and its formula, optionally its split. `caption.txt` of the CROHME
and HME100K packages is of this kind: a name without ending, a tab, the tokens.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.utils.json_records import read_json_records
from im2tex.utils.text_files import read_text
from im2tex.utils.untrusted_text import has_surrogate
from im2tex.utils.wording import counted

STEMS = ("labels", "label", "caption", "captions")
ENDINGS = (".tsv", ".csv", ".txt", ".json", ".jsonl", ".ndjson")
EXPECTED = "labels.tsv, .csv, .txt, .json or .jsonl, or caption.txt"
"""Names of labels files, for messages."""

_FILE = (
    *("file", "filename", "file_name", "name", "key", "id", "path", "image", "img", "picture"),
    "inkml",
    *(f"{kind}_{part}" for kind in ("image", "img") for part in ("id", "name", "file", "path")),
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
        where: file and line, for messages.
        name: name of the sample, as written.
        latex: the formula, "" if there is none.
        split: name of the split, "" if there is none.
    """

    where: str
    name: str
    latex: str
    split: str = ""


def is_labels_file(name: str) -> bool:
    """Returns whether a file has the name of a labels file."""
    path = PurePosixPath(name.lower())
    return path.stem in STEMS and path.suffix in ENDINGS


def read_labels(file: Path) -> list[Label]:
    """Reads a labels file of the kind that its ending indicates.

    Args:
        file: UTF-8, or UTF-16 and UTF-32 with a byte order mark. Empty lines and lines that begin
            with `#` are ignored.

    Raises:
        Im2TexError: if the file cannot be read, or a line has another form.
    """
    try:
        text = read_text(file).replace("\r\n", "\n")
    except Im2TexError as error:
        raise Im2TexError(f"the labels file cannot be used: {error}") from error
    ending = file.suffix.lower()
    if ending in (".json", ".jsonl", ".ndjson"):
        lines = ["" if line.startswith("#") else line for line in text.split("\n")]
        return [_parse_record(*record) for record in read_json_records(file, lines, _FILE + _LABEL)]
    if ending == ".csv":
        return list(_csv_labels(file, text))
    rows = ((number, line.split("\t")) for number, line in _lines(text))
    return list(_table_labels(file, rows, "file<TAB>latex", joiner="\t"))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yields the lines with content, with their numbers."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _csv_labels(file: Path, text: str) -> Iterator[Label]:
    first = text.lstrip().partition("\n")[0]
    # Spreadsheets write semicolons in countries with a decimal comma.
    separator = ";" if ";" in first and "," not in first else ","
    reader = csv.reader((f"{line}\n" for line in text.split("\n")), delimiter=separator)

    def rows() -> Iterator[tuple[int, list[str]]]:
        try:
            for row in reader:
                if any(cell.strip() for cell in row) and not row[0].startswith("#"):
                    yield reader.line_num, row
        except csv.Error as error:
            raise Im2TexError(f"{file}, line {reader.line_num}: {error}.") from error

    expected = 'file,latex, with quotes around cells with commas: "f(x,y)"'
    yield from _table_labels(file, rows(), expected)


def _table_labels(
    file: Path, rows: Iterable[tuple[int, list[str]]], expected: str, joiner: str = ""
) -> Iterator[Label]:
    """Yields the labels in rows of cells, with or without a header.

    Args:
        file: the file, for messages.
        rows: rows with their line numbers.
        expected: the form of a row, for messages.
        joiner: joins the cells from the second on; "" if there must not be more than two.
    """
    names: list[str] | None = None
    for position, (number, row) in enumerate(rows):
        where = f"{file}, line {number}"
        if position == 0:
            names = [cell.strip().lower() for cell in row]
            if not set(names).isdisjoint(_FILE) and not set(names).isdisjoint(_LABEL):
                continue
            names = None
        if names is not None:
            if len(row) < len(names):
                raise Im2TexError(
                    f"{where}: {counted(len(row), 'column')}, fewer than in the first line."
                )
            yield _parse_record(where, dict(zip(names, row, strict=False)))
        elif len(row) == 2 or (len(row) > 2 and joiner):
            yield Label(where, row[0].strip(), joiner.join(row[1:]).strip())
        else:
            raise Im2TexError(f"{where}: expected {expected}.")


def _parse_record(where: str, record: Mapping[str, Any]) -> Label:
    name = next((record[key] for key in _FILE if key in record), None)
    latex = next((record[key] for key in _LABEL if key in record), False)
    latex = "" if latex is None else latex
    if isinstance(latex, list) and all(isinstance(token, str) for token in latex):
        latex = " ".join(latex)
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not isinstance(latex, str):
        raise Im2TexError(f"{where}: expected {_RECORD}.")
    if has_surrogate(name + latex):
        raise Im2TexError(f"{where}: half of a surrogate pair is not a character.")
    split = record.get("split")
    split = split if isinstance(split, str) else ""
    return Label(where, name.strip(), latex.strip(), split.strip())
