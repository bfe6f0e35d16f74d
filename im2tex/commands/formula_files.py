r"""Reads files of formulas: JSON lines, a JSON array or object, TSV, or plain lines.

A formula is text or a list of tokens. Text whose words are all single tokens is already tokenised
and stays as it is; other text is tokenised by TeX's rules, as in the plain token stream of
`im2tex normalize --form tok`. Dollars, `\[ \]`, `\( \)` and environments such as `equation` around
a formula are removed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from im2tex.commands.record_files import read_records
from im2tex.errors import Im2TexError
from im2tex.latex.normal_form.text_mode import strip_display
from im2tex.latex.normalize import NormalizationForm, normalize_or_none
from im2tex.latex.tokens import LatexError, token_texts
from im2tex.utils.untrusted_text import has_surrogate, quote

Side = Literal["predictions", "references"]

KEYS = (
    *("key", "id", "name", "file", "filename", "file_name", "image", "path"),
    *(f"{what}_{part}" for what in ("image", "img") for part in ("id", "name", "file", "path")),
)
"""Names under which a record can have its key, in order of preference."""

_EITHER = ("tokens", "latex", "formula", "text", "markup")
_OWN: dict[Side, tuple[str, ...]] = {
    "predictions": ("prediction", "pred", "predicted", "hypothesis", "hyp", "output", "result"),
    "references": ("gold", "reference", "ref", "label", "truth", "ground_truth", "target"),
}
_OTHER: dict[Side, Side] = {"predictions": "references", "references": "predictions"}
_DISPLAY = re.compile(r"\s*(?:\$|\\\[|\\\(|\\begin\{(?:equation|displaymath|math)\*?\})")
_MAX_CHARACTERS = 100_000  # of a formula, far beyond those of images
_MAX_KEY_CHARACTERS = 1_000
_COMPOSITE = re.compile(r"\\(?:left|right)(?:\\[A-Za-z]+|\\?.)|\\(?:begin|end)\{[A-Za-z]+\*?\}")


def _is_finite_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


_EXTRA: dict[str, tuple[Callable[[object], bool], str]] = {
    "collection": (lambda value: isinstance(value, str), "text or null"),
    "score": (_is_finite_number, "a finite number or null"),
    "finished": (lambda value: isinstance(value, bool), "true, false or null"),
}
"""Further fields of a record: a check of the value, and the expected values."""


@dataclass(frozen=True)
class FormulaRecord:
    """One formula of a file.

    Attributes:
        where: file and line, for messages.
        key: key of the sample; None if the file has no keys.
        tokens: None if there is no formula, as in an empty line.
        latex: the markup that the record has beside the tokens.
        extra: `collection`, `score` and `finished`, if the record has them.
        fault: why the formula cannot be used; `tokens` is None then.
    """

    where: str
    key: str | None
    tokens: Sequence[str] | None
    latex: str | None
    extra: Mapping[str, Any]
    fault: str | None = None


def read_formulas(path: Path, side: Side) -> list[FormulaRecord]:
    """Reads a file of formulas.

    Args:
        path: JSON (lines, an array, or an object of formulas by key), TSV with a key in its first
            column or a header line, or one formula per line; recognised by its content.
        side: which formula to take from records that have a prediction and a reference.

    Raises:
        Im2TexError: if the file cannot be read, is CSV or empty, a record has no formula or a value
            of the wrong type, only some records have a key, or a key occurs twice.
    """
    names = (*_EITHER, *_OWN["predictions"], *_OWN["references"])
    records = [
        _make_record(where, fields, side) for where, fields in read_records(path, KEYS, names)
    ]
    _check_keys(path, records)
    return records


def read_split_or_file(
    name: str, side: Side, root: Path
) -> tuple[str, list[FormulaRecord], dict[str, Any]]:
    """Reads the formulas of a prepared split, or of a file.

    Args:
        name: `SOURCE:SPLIT` or the path of a file.
        side: as for `read_formulas`.
        root: folder of the prepared data, or a pack of them.

    Returns:
        The name of the split or the stem of the file, the formulas, and the split's metadata.

    Raises:
        Im2TexError: if neither exists, or as for `read_formulas`.
    """
    source, colon, split = name.partition(":")
    if Path(name).exists():
        return Path(name).stem, read_formulas(Path(name), side), {}
    if not colon:
        raise Im2TexError(
            f"there is no file {name}; a prepared split is written SOURCE:SPLIT, such as "
            "crohme:train."
        )
    from im2tex.data.pack import open_root
    from im2tex.data.source import SOURCES

    # Opened as prepared: preparing it here, with default settings, could change it.
    stored = SOURCES.build(source).split(open_root(root), split)
    columns = (stored.all_keys(), stored.tokens(), stored.latex(), stored.extras("collection"))
    records = [
        FormulaRecord(f"{name}, '{key}'", key, tokens, latex, {"collection": collection or None})
        for key, tokens, latex, collection in zip(*columns, strict=True)
    ]
    return split, records, dict(stored.metadata)


def tokenize(text: str) -> list[str]:
    """The tokens of a formula, without its delimiters; see the module."""
    if _DISPLAY.match(text):
        text = strip_display(text, dollars=False)
    words = text.split()
    try:
        tokens = token_texts(text)
    except LatexError:
        return words
    # Characters beyond ASCII have other spellings in the plain token stream.
    if text.isascii() and (tokens == words or all(_is_token(word) for word in words)):
        return words
    stream = normalize_or_none(text, NormalizationForm.TOK)
    return tokens if stream is None else stream.split()


def _is_token(word: str) -> bool:
    try:
        return len(token_texts(word)) == 1 or _COMPOSITE.fullmatch(word) is not None
    except LatexError:
        return False


def _make_record(where: str, fields: Mapping[str, Any], side: Side) -> FormulaRecord:
    names = (*_OWN[side], *_EITHER, *_OWN[_OTHER[side]])
    name = next((name for name in names if name in fields), None)
    if name is None:
        raise Im2TexError(
            f"{where}: no formula; expected one under {', '.join(names[: len(_OWN[side]) + 2])} "
            "or the like."
        )
    latex = None if name == "latex" else fields.get("latex")
    if not isinstance(latex, str | None):
        raise _wrong_value(where, "latex", latex, "text or null")
    key, extra = _key(where, fields), _extra(where, fields)
    fault = _formula_problem(fields[name])
    tokens = None if fault else _tokens(where, name, fields[name])
    return FormulaRecord(where, key, tokens, latex, extra, fault)


def _key(where: str, fields: Mapping[str, Any]) -> str | None:
    name = next((name for name in KEYS if name in fields), "")
    key = fields.get(name)
    if key is None:
        return None
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise _wrong_value(where, name, key, "text, a whole number or null")
    key = str(key)
    if len(key) > _MAX_KEY_CHARACTERS or has_surrogate(key):
        expected = f"at most {_MAX_KEY_CHARACTERS:,} characters of Unicode"
        raise _wrong_value(where, name, key, expected)
    return key


def _extra(where: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `_EXTRA` that a record has; a finished prediction can be one of its scores."""
    scores = fields.get("verdicts")
    if not isinstance(scores, dict | None):
        raise _wrong_value(where, "verdicts", scores, "an object or null")
    fields = {"finished": (scores or {}).get("finished"), **fields}
    extra: dict[str, Any] = {}
    for name, (is_valid, expected) in _EXTRA.items():
        value = fields.get(name)
        if value is not None and not is_valid(value):
            raise _wrong_value(where, name, value, expected)
        if value is not None and value != "":
            extra[name] = float(value) if name == "score" else value
    return extra


def _formula_problem(formula: object) -> str | None:
    """Why a formula cannot be used, although the rest of its file can."""
    parts = formula if isinstance(formula, list) else [formula]
    texts = [part for part in parts if isinstance(part, str)]
    if sum(map(len, texts)) > _MAX_CHARACTERS:
        return f"a formula of more than {_MAX_CHARACTERS:,} characters"
    broken = next((text for text in texts if has_surrogate(text)), None)
    return None if broken is None else f"half of a surrogate pair in {quote(broken)}"


def _tokens(where: str, name: str, formula: object) -> list[str] | None:
    if formula is None:
        return None
    if isinstance(formula, str):
        return tokenize(formula) if formula.strip() else None
    if not isinstance(formula, list):
        raise _wrong_value(where, name, formula, "text, a list of tokens, or null")
    for token in formula:
        if not isinstance(token, str):
            raise _wrong_value(where, f"{name}[]", token, "text")
    return formula


def _wrong_value(where: str, name: str, value: object, expected: str) -> Im2TexError:
    return Im2TexError(f"{where}: '{name}' is {quote(value)}; expected {expected}.")


def _check_keys(path: Path, records: Sequence[FormulaRecord]) -> None:
    without = next((record for record in records if record.key is None), None)
    if without is not None and any(record.key is not None for record in records):
        raise Im2TexError(f"{without.where}: no key, where others have one.")
    first: dict[str | None, str] = {}
    for record in records:
        if record.key is not None and record.key in first:
            raise Im2TexError(
                f"{path} has the key {quote(record.key)} twice: {first[record.key]}, and "
                f"{record.where}. Keep one of them."
            )
        first[record.key] = record.where
