r"""Files of formulas as people have them: JSON lines, a JSON array or object, TSV, plain lines.

A formula is text or a list of tokens. Text that is tokenised already, every word of it one token,
stays as it is; other text is cut up by TeX's rules, as the plain token stream of `latex.tok`.
Dollars, `\[ \]` and `\( \)` around a formula are no part of it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from im2tex.commands.render import read_lines
from im2tex.errors import Im2TexError
from im2tex.latex.normalize import Mode, normalize_or_none
from im2tex.latex.tokens import LatexError, texts

Role = Literal["predictions", "references"]

KEYS = (
    *("key", "id", "name", "file", "filename", "file_name", "image", "path"),
    *(f"{what}_{part}" for what in ("image", "img") for part in ("id", "name", "file", "path")),
)
"""Names under which a sample's key is looked for, the first one first."""

_EITHER = ("tokens", "latex", "formula", "text", "markup")
_OWN: dict[Role, tuple[str, ...]] = {
    "predictions": ("prediction", "pred", "predicted", "hypothesis", "hyp", "output", "result"),
    "references": ("gold", "reference", "ref", "label", "truth", "ground_truth", "target"),
}
_OTHER: dict[Role, Role] = {"predictions": "references", "references": "predictions"}
_WRAPPED = tuple(
    re.compile(rf"\s*{re.escape(left)}(.*){re.escape(right)}\s*", re.DOTALL)
    for left, right in (("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)"))
)
_COMPOSITE = re.compile(r"\\(?:left|right)(?:\\[A-Za-z]+|\\?.)|\\(?:begin|end)\{[A-Za-z]+\*?\}")


@dataclass(frozen=True)
class Entry:
    """One formula of a file.

    Attributes:
        where: the file and line, for messages.
        key: of its sample; None where the file has none.
        tokens: None where there is no formula, as in an empty line.
        latex: the markup as found beside the tokens.
        extra: what else is known: `collection`, `score`, `finished`.
    """

    where: str
    key: str | None
    tokens: Sequence[str] | None
    latex: str | None
    extra: Mapping[str, Any]


def read_formulas(path: Path, role: Role) -> list[Entry]:
    """Reads a file of formulas.

    Args:
        path: JSON (lines, an array, or an object of formulas by key) or TSV with a key in its
            first column or a line of names, by its content; else a formula a line.
        role: whose formulas they are, where a record has both sides.

    Raises:
        Im2TexError: if it cannot be read, is CSV or empty, a record has no formula, some entries
            have a key and others not, or a key occurs twice.
    """
    if path.suffix == ".csv":
        raise Im2TexError(f"{path}: formulas have commas; give tabs instead (.tsv), or JSON lines.")
    lines = [line.removesuffix("\r") for line in read_lines(path)]
    if lines:
        lines[0] = lines[0].removeprefix("\ufeff")
    if not any(line.strip() for line in lines):
        raise Im2TexError(f"{path} holds no formulas.")
    records = _json(path, lines) or _tsv(path, lines)
    if records is None:
        records = [
            (f"{path}, line {number}", {"latex": line}) for number, line in enumerate(lines, 1)
        ]
    entries = [_entry(where, record, role) for where, record in records]
    _check_keys(path, entries)
    return entries


def tokens_of(text: str) -> list[str]:
    """A formula's tokens; see the module."""
    for pattern in _WRAPPED:
        match = pattern.fullmatch(text)
        if match:
            text = match[1]
            break
    words = text.split()
    try:
        cut = texts(text)
    except LatexError:
        return words
    if cut == words or all(_is_token(word) for word in words):
        return words
    stream = normalize_or_none(text, Mode.TOK)
    return cut if stream is None else stream.split()


_Records = list[tuple[str, Mapping[str, Any]]]


def _json(path: Path, lines: Sequence[str]) -> _Records | None:
    """The records of JSON in any of its shapes; None where it is none."""
    first = next(line for line in lines if line.strip()).lstrip()
    if path.suffix not in (".json", ".jsonl", ".ndjson") and not _is_record(first):
        return None
    if path.suffix == ".json":
        whole = _parsed("\n".join(lines))
        if isinstance(whole, list):
            return [
                (f"{path}, item {number}", one if isinstance(one, dict) else {"latex": one})
                for number, one in enumerate(whole, 1)
            ]
        if isinstance(whole, dict) and _by_key(whole):
            return [(f"{path}, '{key}'", {"key": key, "latex": one}) for key, one in whole.items()]
    records: _Records = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            record = _parsed(line)
            if not isinstance(record, dict):
                raise Im2TexError(f"{path}, line {number}: no JSON object.")
            records.append((f"{path}, line {number}", record))
    return records


def _is_record(line: str) -> bool:
    """Whether a line is a JSON object, which a formula can begin like."""
    return line[1:].lstrip().startswith('"') and isinstance(_parsed(line), dict)


def _by_key(record: Mapping[str, Any]) -> bool:
    """Whether a JSON object has formulas by key, rather than the parts of one record."""
    return not any(name in record for name in (*KEYS, *_EITHER))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _tsv(path: Path, lines: Sequence[str]) -> _Records | None:
    """The records of a table; None where it is none."""
    cells = [line.split("\t") for line in lines]
    filled = [row for row, line in zip(cells, lines, strict=True) if line.strip()]
    if path.suffix != ".tsv" and any(len(row) < 2 for row in filled):
        return None
    formulas = (*_EITHER, *_OWN["predictions"], *_OWN["references"])
    names = [cell.strip().lower() for cell in cells[0]]
    headed = any(name in KEYS for name in names) and any(name in formulas for name in names)
    if not headed:
        names = ["key", "latex"]
    records: _Records = []
    for number, row in enumerate(cells, 1):
        if (number == 1 and headed) or not lines[number - 1].strip():
            continue
        # Editors cut off the tab before an empty formula.
        filled_up = row if headed or len(row) > 1 else [*row, ""]
        if len(filled_up) != len(names):
            expected = "as many as line 1" if headed else "a key, a tab, a formula"
            raise Im2TexError(f"{path}, line {number}: {len(row)} columns; expected {expected}.")
        records.append((f"{path}, line {number}", dict(zip(names, filled_up, strict=True))))
    return records


def _entry(where: str, record: Mapping[str, Any], role: Role) -> Entry:
    key = next((record[name] for name in KEYS if name in record), None)
    names = (*_OWN[role], *_EITHER, *_OWN[_OTHER[role]])
    name = next((name for name in names if name in record), None)
    if name is None:
        raise Im2TexError(
            f"{where}: no formula; expected one under {', '.join(names[: len(_OWN[role]) + 2])} "
            "or the like."
        )
    latex = record.get("latex")
    score, collection = record.get("score"), record.get("collection")
    extra: dict[str, Any] = {}
    if isinstance(score, int | float) and math.isfinite(score):
        extra["score"] = float(score)
    if isinstance(collection, str) and collection:
        extra["collection"] = collection
    finished = record.get("finished", _mapping(record.get("verdicts")).get("finished"))
    if isinstance(finished, bool):
        extra["finished"] = finished
    return Entry(
        where,
        None if key is None else str(key),
        _value(record[name], where, name),
        latex if isinstance(latex, str) and name != "latex" else None,
        extra,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _value(value: object, where: str, name: str) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return tokens_of(value) if value.strip() else None
    if isinstance(value, list) and all(isinstance(token, str) for token in value):
        return list(value)
    raise Im2TexError(f"{where}: '{name}' is neither text, a list of tokens, nor null.")


def _is_token(word: str) -> bool:
    try:
        return len(texts(word)) == 1 or _COMPOSITE.fullmatch(word) is not None
    except LatexError:
        return False


def _check_keys(path: Path, entries: Sequence[Entry]) -> None:
    without = next((entry for entry in entries if entry.key is None), None)
    if without is not None and any(entry.key is not None for entry in entries):
        raise Im2TexError(f"{without.where}: no key, where others have one.")
    places: dict[str | None, str] = {}
    for entry in entries:
        if entry.key is not None and entry.key in places:
            raise Im2TexError(
                f"{path} has the key '{entry.key}' twice: {places[entry.key]}, and {entry.where}. "
                "Keep one of them."
            )
        places[entry.key] = entry.where
