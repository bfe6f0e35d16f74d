"""Checks of result files and of their samples, before any part of them is used.

Such files are passed on, edited and damaged. A mistake becomes one line with the file, the part,
its value, and what was expected. `result_schema.toml` has the kind of value of each part.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.utils.untrusted_text import quote

_MAX_SCORE = 1e15  # sums of such numbers stay exact enough, and finite
_WRITE_AGAIN = "Write the file again with `im2tex test` or `im2tex score`."
_SAMPLE_PARTS = (
    "A sample holds this: a key is text, gold and prediction are lists of tokens, metrics are "
    "true, false or numbers by name. For predictions alone, `im2tex score` makes samples."
)
_OR_NULL = " or null"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(token, str) for token in value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable()


def _is_key(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 1_000


def _is_score(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return True
    return isinstance(value, int | float) and abs(value) <= _MAX_SCORE


_CHECKS: dict[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "an object": lambda value: isinstance(value, dict),
    "an object of values by metric": lambda value: isinstance(value, dict),
    "a list": lambda value: isinstance(value, list),
    "a list of tokens": _is_tokens,
    "a number": _is_number,
    "a number of samples": _is_count,
    "1 to 100 characters that can be printed": _is_name,
    "text of at most 1,000 characters": _is_key,
    "true, false, null or a number": _is_score,
}
_SCHEMAS = tomllib.loads(Path(__file__).with_name("result_schema.toml").read_text(encoding="utf-8"))


def check_result(where: str, record: Mapping[str, object]) -> None:
    """Checks that each part of a result is of the type its name promises.

    Args:
        where: the file, for the message.
        record: its content.

    Raises:
        Im2TexError: if a part is missing or of another type.
    """
    _check(where, record, _SCHEMAS["result"], _WRITE_AGAIN)


def check_sample(where: str, record: object) -> None:
    """Checks that each part of a sample is of the type its name promises.

    Args:
        where: the file and line, for the message.
        record: the parsed line.

    Raises:
        Im2TexError: if a part is missing, unknown, or of another type.
    """
    where = f"{where}: no sample"
    if not isinstance(record, dict):
        raise Im2TexError(f"{where}, but {quote(record)}. {_SAMPLE_PARTS}")
    schema = _SCHEMAS["sample"]
    known = {path.rstrip("!") for path in schema}
    for name in record:
        if name not in known:
            raise Im2TexError(f"{where}: {quote(name)} is no part of one. {_SAMPLE_PARTS}")
    _check(where, record, schema, _SAMPLE_PARTS)


def _check(where: str, record: object, schema: Mapping[str, str], advice: str) -> None:
    for path, expected in schema.items():
        check = _CHECKS[expected.removesuffix(_OR_NULL)]
        may_be_null = expected.endswith(_OR_NULL)
        for place, value in _find(record, path.split(".")):
            if value is _MISSING:
                raise Im2TexError(f"{where}: {place} is missing; expected {expected}. {advice}")
            if not (check(value) or (value is None and may_be_null)):
                raise Im2TexError(
                    f"{where}: {place} is {quote(value)}; expected {expected}. {advice}"
                )


_MISSING = object()


def _find(value: object, path: list[str]) -> Iterator[tuple[str, object]]:
    """Descriptions and values of the parts that a path names."""
    name, *rest = path
    parts: list[tuple[str, object]] = []
    if name == "~":
        parts = [("a name", key) for key in value] if isinstance(value, dict) else []
    elif name == "*":
        if isinstance(value, dict):
            parts = [(quote(key), part) for key, part in value.items()]
        elif isinstance(value, list):
            parts = [(f"number {index}", part) for index, part in enumerate(value, 1)]
    elif isinstance(value, dict):
        name, required = name.rstrip("!"), name.endswith("!")
        if name in value or required:
            parts = [(f"'{name}'", value.get(name, _MISSING))]
    for place, part in parts:
        if not rest:
            yield place, part
        else:
            for inner, found in _find(part, rest):
                yield f"{place}, {inner}", found
