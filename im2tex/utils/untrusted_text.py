"""Text and JSON that anybody may have written: shown without harm, read within limits."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

_DIGITS = 300  # of an integer; one with more than 308 is no float
_SHOWN = 60  # characters of a value in a message
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# A value of one of these types may be as large as a file; what is inside of it is not shown.
_INSIDE: tuple[tuple[type, str], ...] = ((dict, "an object"), (list, "a list"))


class BadJsonError(ValueError):
    """Text that is no JSON, or JSON that is not read; the message says why, on one line.

    Args:
        reason: what is wrong.
        line: where, counted from 1; None if not known.
        literal: the number that is wrong, as written.
    """

    def __init__(self, reason: str, line: int | None = None, literal: str | None = None) -> None:
        self.line = line
        self.literal = literal
        super().__init__(reason)


class DuplicateNameError(BadJsonError):
    """An object that has a name twice.

    Args:
        name: the name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the key {quote(name)} twice in one object")


def strip_control(text: object, *, keep: str = "") -> str:
    """Replaces what a terminal would obey rather than show, such as control characters.

    Args:
        text: anything; its `str` is taken.
        keep: characters that stay, such as line ends.
    """
    return "".join(
        char if char.isprintable() or char in keep else _REPLACEMENT for char in str(text)
    )


def quote(value: object) -> str:
    """A value of a file for a message: one line, clipped, control characters escaped."""
    for kind, what in _INSIDE:
        if isinstance(value, kind):
            return what
    names = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return names[value]
    if isinstance(value, str):
        return repr(value[:_SHOWN]) + ("…" if len(value) > _SHOWN else "")
    return clip(str(value))


def clip(text: str) -> str:
    """The begin of a text for a message: one line, control characters replaced."""
    return strip_control(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")


def has_surrogate(text: str) -> bool:
    r"""Whether text holds half of a surrogate pair, as JSON's `"\ud800"`: no character."""
    return any("\ud800" <= char <= "\udfff" for char in text)


def escape_surrogates(text: str) -> str:
    r"""Text that UTF-8 can hold: half of a surrogate pair as `\ud800`, which JSON reads back.

    Such halves stand in names of files that are not UTF-8, too.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def parse_json(text: str) -> Any:
    """Parses JSON from an untrusted file.

    Args:
        text: the JSON.

    Raises:
        BadJsonError: if it is no JSON, nested too deeply, has a name twice in an object, or a
            number that no float can hold (NaN, Infinity, 1e999, more than `_DIGITS` digits).
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        raise BadJsonError(f"{error.msg} (column {error.colno})", error.lineno) from None
    except DuplicateNameError as error:
        places = lines_of_key(text, error.name)
        error.line = places[1] if len(places) > 1 else None
        raise
    except BadJsonError as error:
        place = text.find(error.literal or "")
        error.line = text.count("\n", 0, place) + 1 if place >= 0 else None
        raise
    except RecursionError:
        raise BadJsonError("lists or objects are nested too deeply") from None


def lines_of_key(text: str, name: str) -> list[int]:
    """The lines of JSON on which a name of an object stands, counted from 1."""
    written: Sequence[str] = [json.dumps(name), json.dumps(name, ensure_ascii=False)]
    pattern = "|".join(re.escape(one) for one in dict.fromkeys(written))
    found = re.finditer(rf"(?:{pattern})\s*:", text)
    return [text.count("\n", 0, match.start()) + 1 for match in found]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise DuplicateNameError(name)
            seen.add(name)
    return found


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise BadJsonError(f"a number of {len(digits):,} digits", literal=digits)
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise BadJsonError(f"{quote(digits)}, a number too large", literal=digits)
    return value


def _constant(name: str) -> float:
    raise BadJsonError(f"{name}, which is no number of JSON (write null)", literal=name)
