"""Checks of result files and of their samples, before any part of them is used.

Such files are passed on, edited and damaged. A mistake becomes one line with the file, the part,
its value, and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from im2tex.errors import Im2TexError
from im2tex.utils.untrusted_text import quote

_MAX_SCORE = 1e15  # sums of such numbers stay exact enough, and finite
_MAX_KEY = 1_000
_MAX_NAME = 100
_WRITE_AGAIN = "Write the file again with `im2tex test` or `im2tex score`."
_SAMPLE_PARTS = (
    "A sample holds this: a key is text, gold and prediction are lists of tokens, metrics are "
    "true, false or numbers by name. For predictions alone, `im2tex score` makes samples."
)


class _Kind(NamedTuple):
    """A kind of value: its check, and its description for a message."""

    check: Callable[[object], bool]
    expected: str

    def or_null(self) -> _Kind:
        return _Kind(lambda value: value is None or self.check(value), f"{self.expected} or null")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(token, str) for token in value)


_TEXT = _Kind(lambda value: isinstance(value, str), "text")
_OBJECT = _Kind(lambda value: isinstance(value, dict), "an object")
_LIST = _Kind(lambda value: isinstance(value, list), "a list")
_TOKENS = _Kind(_is_tokens, "a list of tokens")
_NUMBER = _Kind(_is_number, "a number")
_COUNT = _Kind(
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    "a number of samples",
)
_NAME = _Kind(
    lambda value: isinstance(value, str) and 0 < len(value) <= _MAX_NAME and value.isprintable(),
    f"1 to {_MAX_NAME} characters that can be printed",
)
_KEY = _Kind(
    lambda value: isinstance(value, str) and len(value) <= _MAX_KEY,
    f"text of at most {_MAX_KEY:,} characters",
)
_SCORE = _Kind(
    lambda value: (
        value is None
        or isinstance(value, bool)
        or (isinstance(value, int | float) and abs(value) <= _MAX_SCORE)
    ),
    "true, false, null or a number",
)

# Kinds by path: `*` stands for each value of an object or a list, `~` for each name of an object,
# `!` after a name for a part that must be there. A part comes before what is inside of it.
_Schema = Mapping[str, _Kind]
_RESULT: _Schema = {
    "command!": _TEXT,
    "data!": _OBJECT.or_null(),
    "data.splits": _OBJECT,
    "data.splits.*": _COUNT,
    "data.stores": _OBJECT,
    "data.stores.*": _OBJECT,
    "metrics!": _OBJECT,
    "metrics.~": _NAME,
    "metrics.*": _Kind(_OBJECT.check, "an object of values by metric"),
    "metrics.*.~": _NAME,
    "metrics.*.*": _NUMBER.or_null(),
    "date!": _TEXT,
    "seed!": _NUMBER.or_null(),
    "config": _OBJECT,
    "config.model": _OBJECT,
    "signatures": _OBJECT.or_null(),
    "signatures.*": _TEXT,
    "machine": _OBJECT.or_null(),
    "machine.gpus": _LIST,
    "machine.gpus.*": _OBJECT,
    "machine.gpus.*.name!": _TEXT,
    "breakdown": _OBJECT.or_null(),
    "chain": _LIST,
    "chain.*": _TEXT,
    "commit": _TEXT.or_null(),
    "samples.~": _NAME,
}
_SAMPLE: _Schema = {
    "key!": _KEY,
    "gold!": _TOKENS,
    "prediction!": _TOKENS.or_null(),
    "metrics!": _OBJECT,
    "metrics.~": _NAME,
    "metrics.*": _SCORE,
    "failed_at": _TEXT.or_null(),
    "score": _NUMBER.or_null(),
    "latex": _TEXT.or_null(),
    "collection": _TEXT.or_null(),
    "reason": _TEXT.or_null(),
}


def check_result(where: str, record: Mapping[str, object]) -> None:
    """Checks that each part of a result is of the type its name promises.

    Args:
        where: the file, for the message.
        record: its content.

    Raises:
        Im2TexError: if a part is missing or of another type.
    """
    _check(where, record, _RESULT, _WRITE_AGAIN)


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
    known = {path.rstrip("!") for path in _SAMPLE}
    for name in record:
        if name not in known:
            raise Im2TexError(f"{where}: {quote(name)} is no part of one. {_SAMPLE_PARTS}")
    _check(where, record, _SAMPLE, _SAMPLE_PARTS)


def _check(where: str, record: object, schema: _Schema, advice: str) -> None:
    for path, (check, expected) in schema.items():
        for place, value in _find(record, path.split(".")):
            if value is _MISSING:
                raise Im2TexError(f"{where}: {place} is missing; expected {expected}. {advice}")
            if not check(value):
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
