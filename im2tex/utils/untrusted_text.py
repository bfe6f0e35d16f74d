"""Text and JSON from untrusted files: safe to print, read within limits."""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import Any

_MAX_DIGITS = 300  # of an integer; one with more than 308 digits is no float
_MAX_CHARACTERS = 60  # of a value in a message
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class BadJsonError(ValueError):
    """Invalid JSON; the message is one line.

    Args:
        reason: the error.
        line: its line, counted from 1; None if unknown.
        pattern: a regular expression of the invalid part.
        is_repetition: whether the part is invalid because an earlier one matches the pattern, too.
    """

    def __init__(
        self,
        reason: str,
        line: int | None = None,
        pattern: str = "",
        is_repetition: bool = False,
    ) -> None:
        self.line = line
        self.pattern = pattern
        self.is_repetition = is_repetition
        super().__init__(reason)


def strip_control(text: object, *, keep: str = "") -> str:
    """Replaces control and other non-printable characters, which a terminal could execute.

    Args:
        text: any object; converted by `str`.
        keep: characters to keep, such as line ends.
    """
    return "".join(
        char if char.isprintable() or char in keep else _REPLACEMENT for char in str(text)
    )


def quote(value: object) -> str:
    """Formats a value of a file for a message: one clipped line, control characters escaped."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return repr(value[:_MAX_CHARACTERS]) + ("…" if len(value) > _MAX_CHARACTERS else "")
    return clip(str(value))


def clip(text: str) -> str:
    """The start of a text for a message: one line, control characters replaced."""
    return strip_control(text[:_MAX_CHARACTERS]) + ("…" if len(text) > _MAX_CHARACTERS else "")


def has_surrogate(text: str) -> bool:
    r"""Whether a text contains an unpaired surrogate, such as JSON's `"\ud800"`."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def escape_surrogates(text: str) -> str:
    r"""Replaces unpaired surrogates, which UTF-8 cannot encode, by escapes such as `\ud800`.

    Names of files that are not valid UTF-8 contain them as well.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def parse_json(text: str) -> Any:
    """Parses JSON from an untrusted file.

    Raises:
        BadJsonError: if the text is no JSON, is nested too deeply, has a name twice in an object,
            or a number that is no finite float.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_parse_object,
            parse_int=_parse_integer,
            parse_float=_parse_float,
            parse_constant=_reject_constant,
        )
    except json.JSONDecodeError as error:
        raise BadJsonError(f"{error.msg} (column {error.colno})", error.lineno) from None
    except BadJsonError as error:
        matches = islice(re.finditer(error.pattern, text), int(error.is_repetition), None)
        error.line = next((text.count("\n", 0, found.start()) + 1 for found in matches), None)
        raise
    except RecursionError:
        raise BadJsonError("lists or objects are nested too deeply") from None


def _parse_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for name, value in pairs:
        if name in parsed:
            spellings = {json.dumps(name), json.dumps(name, ensure_ascii=False)}
            pattern = rf"(?:{'|'.join(map(re.escape, spellings))})\s*:"
            raise BadJsonError(f"the key {quote(name)} twice in one object", None, pattern, True)
        parsed[name] = value
    return parsed


def _parse_integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise BadJsonError(f"a number of {len(digits):,} digits", pattern=digits)
    return int(digits)


def _parse_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise BadJsonError(f"{quote(digits)}, a number too large", pattern=re.escape(digits))
    return value


def _reject_constant(name: str) -> float:
    raise BadJsonError(f"{name}, which is no number of JSON (write null)", pattern=name)
