r"""Files of formulas as people have them: JSON lines, a JSON array or object, TSV, plain lines.

A formula is text or a list of tokens. Text that is tokenised already, every word of it one token,
stays as it is; other text is cut up by TeX's rules, as the plain token stream of `latex.tok`.
Dollars, `\[ \]`, `\( \)` and environments such as `equation` around a formula are no part of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from im2tex.commands.record_files import read_records
from im2tex.errors import Im2TexError
from im2tex.latex.normalize import NormalizationForm, normalize_or_none
from im2tex.latex.tokens import LatexError, token_texts
from im2tex.utils.untrusted_text import has_surrogate, quote

Side = Literal["predictions", "references"]

KEYS = (
    *("key", "id", "name", "file", "filename", "file_name", "image", "path"),
    *(f"{what}_{part}" for what in ("image", "img") for part in ("id", "name", "file", "path")),
)
"""Names under which a sample's key is looked for, the first one first."""

_EITHER = ("tokens", "latex", "formula", "text", "markup")
_OWN: dict[Side, tuple[str, ...]] = {
    "predictions": ("prediction", "pred", "predicted", "hypothesis", "hyp", "output", "result"),
    "references": ("gold", "reference", "ref", "label", "truth", "ground_truth", "target"),
}
_OTHER: dict[Side, Side] = {"predictions": "references", "references": "predictions"}
# Around the whole formula: one that ends before the end, as in `$a$ \text{and} $b$`, is not.
_WRAPPED = re.compile(
    r"\s*(?:\$\$([^$]+)\$\$|\$([^$]+)(?<!\\)\$"
    r"|\\\[((?:(?!\\\]).)*)\\\]|\\\(((?:(?!\\\)).)*)\\\)"
    r"|\\begin\{(?:equation|displaymath|math)\*?\}((?:(?!\\end\{(?:equation|displaymath|math)).)*)"
    r"\\end\{(?:equation|displaymath|math)\*?\})\s*",
    re.DOTALL,
)
_ROUNDS = 3  # `\[ \begin{equation}…` and the like
_LONGEST = 100_000  # characters of a formula, far beyond any that is on one picture
_LONGEST_KEY = 1_000
_COMPOSITE = re.compile(r"\\(?:left|right)(?:\\[A-Za-z]+|\\?.)|\\(?:begin|end)\{[A-Za-z]+\*?\}")


@dataclass(frozen=True)
class FormulaRecord:
    """One formula of a file.

    Attributes:
        where: the file and line, for messages.
        key: of its sample; None where the file has none.
        tokens: None where there is no formula, as in an empty line.
        latex: the markup as found beside the tokens.
        extra: what else is known: `collection`, `score`, `finished`.
        fault: why there are no tokens, where the formula given cannot be used.
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
        path: JSON (lines, an array, or an object of formulas by key) or TSV with a key in its
            first column or a line of names, by its content; else a formula a line.
        side: whose formulas they are, where a record has both sides.

    Raises:
        Im2TexError: if it cannot be read, is CSV or empty, a record has no formula or a value of
            the wrong type, some entries have a key and others not, or a key occurs twice.
    """
    records = read_records(path, KEYS, (*_EITHER, *_OWN["predictions"], *_OWN["references"]))
    entries = [_entry(where, record, side) for where, record in records]
    _check_keys(path, entries)
    return entries


def read_split_or_file(
    name: str, side: Side, root: Path
) -> tuple[str, list[FormulaRecord], dict[str, Any]]:
    """Reads the formulas of a prepared split, or of a file.

    Args:
        name: `SOURCE:SPLIT` or the path of a file.
        side: as for `read_formulas`.
        root: folder of the prepared data.

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
    from im2tex.data.source import SOURCES

    # Opened as prepared: preparing it here, with default settings, could change it.
    stored = SOURCES.build(source).split(root, split)
    columns = (stored.all_keys(), stored.tokens(), stored.latex(), stored.extras("collection"))
    records = [
        FormulaRecord(f"{name}, '{key}'", key, tokens, latex, {"collection": collection or None})
        for key, tokens, latex, collection in zip(*columns, strict=True)
    ]
    return split, records, dict(stored.metadata)


def tokens_of(text: str) -> list[str]:
    """A formula's tokens; see the module."""
    for _ in range(_ROUNDS):
        match = _WRAPPED.fullmatch(text)
        if match is None:
            break
        text = str(match[match.lastindex or 0])
    words = text.split()
    try:
        cut = token_texts(text)
    except LatexError:
        return words
    # Characters beyond ASCII have spellings of their own in the plain stream.
    if text.isascii() and (cut == words or all(_is_token(word) for word in words)):
        return words
    stream = normalize_or_none(text, NormalizationForm.TOK)
    return cut if stream is None else stream.split()


def _entry(where: str, record: Mapping[str, Any], side: Side) -> FormulaRecord:
    names = (*_OWN[side], *_EITHER, *_OWN[_OTHER[side]])
    name = next((name for name in names if name in record), None)
    if name is None:
        raise Im2TexError(
            f"{where}: no formula; expected one under {', '.join(names[: len(_OWN[side]) + 2])} "
            "or the like."
        )
    latex = record.get("latex")
    if name != "latex" and not isinstance(latex, str | None):
        raise _wrong(where, "latex", latex, "text or null")
    fault = _fault(record[name])
    return FormulaRecord(
        where,
        _key(where, record),
        None if fault else _value(record[name], where, name),
        latex if name != "latex" else None,
        _extra(where, record),
        fault,
    )


def _key(where: str, record: Mapping[str, Any]) -> str | None:
    name = next((name for name in KEYS if name in record), None)
    key = None if name is None else record[name]
    if name is None or key is None:
        return None
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise _wrong(where, name, key, "text, a whole number or null")
    key = str(key)
    if len(key) > _LONGEST_KEY or has_surrogate(key):
        raise _wrong(where, name, key, f"at most {_LONGEST_KEY:,} characters of Unicode")
    return key


def _extra(where: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """What else is known: `collection`, `score` and `finished`, where they are given."""
    name = "metrics" if "metrics" in record else "verdicts"  # the name until November 2026
    metrics = record.get(name)
    if not isinstance(metrics, dict | None):
        raise _wrong(where, name, metrics, "an object or null")
    extra: dict[str, Any] = {}
    collection = record.get("collection")
    if not isinstance(collection, str | None):
        raise _wrong(where, "collection", collection, "text or null")
    if collection:
        extra["collection"] = collection
    score = record.get("score")
    if score is not None:
        number = isinstance(score, int | float) and not isinstance(score, bool)
        if not number or not math.isfinite(score):
            raise _wrong(where, "score", score, "a finite number or null")
        extra["score"] = float(score)
    finished = record.get("finished", (metrics or {}).get("finished"))
    if finished is not None:
        if not isinstance(finished, bool):
            raise _wrong(where, "finished", finished, "true, false or null")
        extra["finished"] = finished
    return extra


def _fault(value: object) -> str | None:
    """Why a formula cannot be used, which costs its row alone; None for all others."""
    parts = value if isinstance(value, list) else [value]
    strings = [part for part in parts if isinstance(part, str)]
    if sum(map(len, strings)) > _LONGEST:
        return f"a formula of more than {_LONGEST:,} characters"
    broken = next((part for part in strings if has_surrogate(part)), None)
    return None if broken is None else f"half of a surrogate pair in {quote(broken)}"


def _value(value: object, where: str, name: str) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return tokens_of(value) if value.strip() else None
    if isinstance(value, list):
        strange = next((one for one in value if not isinstance(one, str)), None)
        if all(isinstance(one, str) for one in value):
            return list(value)
        raise Im2TexError(
            f"{where}: '{name}' is neither text, a list of tokens, nor null: its list holds "
            f"{quote(strange)}."
        )
    raise Im2TexError(
        f"{where}: '{name}' is neither text, a list of tokens, nor null, but {quote(value)}."
    )


def _wrong(where: str, name: str, value: object, expected: str) -> Im2TexError:
    return Im2TexError(f"{where}: '{name}' is {quote(value)}; expected {expected}.")


def _is_token(word: str) -> bool:
    try:
        return len(token_texts(word)) == 1 or _COMPOSITE.fullmatch(word) is not None
    except LatexError:
        return False


def _check_keys(path: Path, entries: Sequence[FormulaRecord]) -> None:
    without = next((entry for entry in entries if entry.key is None), None)
    if without is not None and any(entry.key is not None for entry in entries):
        raise Im2TexError(f"{without.where}: no key, where others have one.")
    places: dict[str | None, str] = {}
    for entry in entries:
        if entry.key is not None and entry.key in places:
            raise Im2TexError(
                f"{path} has the key {quote(entry.key)} twice: {places[entry.key]}, and "
                f"{entry.where}. Keep one of them."
            )
        places[entry.key] = entry.where
