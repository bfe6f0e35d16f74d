"""What a result file or a line of samples must hold before anything is read from it.

Such files are handed on, edited and damaged. Everything that a command takes from one is checked
here, so that a mistake is one line, with the place, the value, and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.utils.untrusted_text import quote

_LARGEST = 1e15  # of a verdict: sums of such numbers stay exact enough, and finite
_LONGEST_KEY = 1_000
_LONGEST_NAME = 100
_WAY = "Write the file again with `im2tex test` or `im2tex score`."

Check = Callable[[object], bool]


def check_result(where: str, record: Mapping[str, Any]) -> None:
    """Refuses a result whose parts are not what they are called.

    Args:
        where: the file, for the message.
        record: its content.

    Raises:
        Im2TexError: if a part is missing or of another type.
    """
    _parts(where, record, _RESULT, _REQUIRED)
    check_names(f"{where}, metrics", record["metrics"])
    for split, figures in record["metrics"].items():
        check_names(f"{where}, metrics of {quote(split)}", figures)
        _each(
            f"{where}, metrics of {quote(split)}",
            figures,
            _is_number_or_null,
            "a number or null",
        )
    data = record["data"] or {}
    _parts(f"{where}, data", data, _DATA)
    _each(f"{where}, data, splits", data.get("splits", {}), _is_count, "a number of samples")
    _each(f"{where}, data, stores", data.get("stores", {}), _is_object, "an object")
    _parts(f"{where}, config", record.get("config", {}), {"model": _OBJECT})
    signatures = record.get("signatures") or {}
    _each(f"{where}, signatures", signatures, _is_text, "text")
    machine = record.get("machine") or {}
    _parts(f"{where}, machine", machine, {"gpus": _LIST})
    for gpu in machine.get("gpus", []):
        if not isinstance(gpu, dict) or not isinstance(gpu.get("name"), str):
            raise _wrong(f"{where}, machine, gpus", gpu, "an object with a name")
    for step in record.get("chain", []):
        if not isinstance(step, str):
            raise _wrong(f"{where}, chain", step, "text")


def check_sample(where: str, record: object) -> None:
    """Refuses a sample whose parts are not what they are called.

    Args:
        where: the file and line, for the message.
        record: what stands there.

    Raises:
        Im2TexError: if a part is missing, unknown, or of another type.
    """
    where = f"{where}: no sample"
    if not isinstance(record, dict):
        raise Im2TexError(f"{where}, but {quote(record)}. {_SAMPLES}")
    unknown = [name for name in record if name not in _SAMPLE]
    if unknown:
        raise Im2TexError(f"{where}: {quote(unknown[0])} is no part of one. {_SAMPLES}")
    _parts(where, record, _SAMPLE, _REQUIRED_OF_SAMPLE, _SAMPLES)
    check_names(f"{where}, verdicts", record["verdicts"], _SAMPLES)
    for name, verdict in record["verdicts"].items():
        if not _is_verdict(verdict):
            raise _wrong(
                f"{where}, verdict {quote(name)}",
                verdict,
                "true, false, null or a number",
                _SAMPLES,
            )


def check_names(where: str, names: Iterable[str], way: str = _WAY) -> None:
    """Refuses names of splits, metrics or verdicts that could not stand in a table.

    Args:
        where: the file and part, for the message.
        names: the names.
        way: the way out, for the message.

    Raises:
        Im2TexError: if one is empty, long, or has control characters.
    """
    for name in names:
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            expected = f"1 to {_LONGEST_NAME} characters that can be printed"
            raise _wrong(f"{where}: a name", name, expected, way)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(token, str) for token in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_number_or_null(value: object) -> bool:
    return value is None or _is_number(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_verdict(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return True
    return isinstance(value, int | float) and -_LARGEST <= value <= _LARGEST


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


_TEXT = (_is_text, "text")
_OBJECT = (_is_object, "an object")
_OBJECT_OR_NULL = (_or_null(_is_object), "an object or null")
_LIST = (_is_list, "a list")
_TEXT_OR_NULL = (_or_null(_is_text), "text or null")
_TOKENS = (_is_tokens, "a list of tokens")

_Parts = Mapping[str, tuple[Check, str]]
_REQUIRED = ("command", "data", "metrics", "date", "seed")
_RESULT: _Parts = {
    "command": _TEXT,
    "data": _OBJECT_OR_NULL,
    "metrics": (
        lambda value: isinstance(value, dict) and all(isinstance(v, dict) for v in value.values()),
        "an object of figures by split",
    ),
    "date": _TEXT,
    "seed": (_is_number_or_null, "a number or null"),
    "config": _OBJECT,
    "signatures": _OBJECT_OR_NULL,
    "machine": _OBJECT_OR_NULL,
    "breakdown": _OBJECT_OR_NULL,
    "chain": _LIST,
    "commit": _TEXT_OR_NULL,
}
_DATA: _Parts = {"splits": _OBJECT, "stores": _OBJECT}
_SAMPLES = (
    "A sample holds this: a key is text, gold and prediction are lists of tokens, verdicts are "
    "true, false or numbers by name. For predictions alone, `im2tex score` makes samples."
)
_REQUIRED_OF_SAMPLE = ("key", "gold", "prediction", "verdicts")
_SAMPLE: _Parts = {
    "key": (
        lambda value: isinstance(value, str) and len(value) <= _LONGEST_KEY,
        f"text of at most {_LONGEST_KEY:,} characters",
    ),
    "gold": _TOKENS,
    "prediction": (_or_null(_is_tokens), "a list of tokens or null"),
    "verdicts": (_is_object, "an object"),
    "failed_at": _TEXT_OR_NULL,
    "score": (_is_number_or_null, "a number or null"),
    "latex": _TEXT_OR_NULL,
    "collection": _TEXT_OR_NULL,
    "reason": _TEXT_OR_NULL,
}


def _parts(
    where: str,
    record: Mapping[str, Any],
    parts: _Parts,
    required: tuple[str, ...] = (),
    way: str = _WAY,
) -> None:
    for name, (check, expected) in parts.items():
        if name not in record:
            if name in required:
                raise Im2TexError(f"{where}: '{name}' is missing; expected {expected}. {way}")
        elif not check(record[name]):
            raise _wrong(f"{where}: '{name}'", record[name], expected, way)


def _each(where: str, record: Mapping[str, Any], check: Check, expected: str) -> None:
    for name, value in record.items():
        if not check(value):
            raise _wrong(f"{where}: {quote(name)}", value, expected)


def _wrong(what: str, value: object, expected: str, way: str = _WAY) -> Im2TexError:
    return Im2TexError(f"{what} is {quote(value)}; expected {expected}. {way}")
