"""Decodes the values of a trace (InkML, section 3.2.1) to points.

A value is explicit (`!`), a first difference (`'`) or a second difference (`"`), by its own prefix
or the last prefix of its channel; it may be hexadecimal (`#1F`), boolean (`T`, `F`), repeated
(`*`: the same value, velocity or acceleration again) or unknown (`?`). No space is needed between
values that begin with a sign or a prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.inkml.contexts import TraceFormat

Points = NDArray[np.float64]
"""Points of a trace, (n, 2): values of X and Y as in the file."""

# Possessive quantifiers: a match is not tried again in another way.
_VALUE = re.compile(
    r"\s*+(?P<order>[!'\"]?+)\s*+(?:"
    r"(?P<sign>[+-]?+)\s*+(?:#(?P<hex>[0-9A-Fa-f]++)"
    r"|(?P<number>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+"
    r"|(?i:nan|inf(?:inity)?+)))"
    r"(?=[\s!'\"+\-#TF*?]|$)|(?P<word>[TF*?]))"
)
_MAX_HEX_DIGITS = 64
_MAX_SHOWN = 60  # characters of a point in a message


class CodingError(Exception):
    """A trace that cannot be decoded; the message gives the reason."""


def decode_trace(text: str, form: TraceFormat) -> Points:
    """The points of a trace.

    Args:
        text: the content of the `trace` element.
        form: its channels.

    Returns:
        (n, 2) values of X and Y as in the file; they may be infinite or NaN.

    Raises:
        CodingError: if a point lacks X or Y, or if a value is invalid.
    """
    rows = [row for row in text.split(",") if row and not row.isspace()]
    if not rows:
        return np.empty((0, 2))
    # Python's float accepts underscores and non-ASCII digits.
    plain = _decode_plain(rows, form) if text.isascii() and "_" not in text else None
    return _decode_coded(_split_points(rows, form), form) if plain is None else plain


def _decode_plain(rows: list[str], form: TraceFormat) -> Points | None:
    """Points of explicit decimal numbers separated by spaces; None for other codings."""
    x, y, width = form.x, form.y, form.width
    if max(x, y) >= width:
        return None
    try:
        points = [(float(v[x]), float(v[y])) for v in map(str.split, rows) if len(v) == width]
    except ValueError:
        return None
    return np.array(points) if len(points) == len(rows) else None  # (n, 2)


def _split_points(rows: list[str], form: TraceFormat) -> list[str]:
    """Splits points by the number of channels in a file without commas."""
    values, width = rows[0].split(), form.width
    if len(rows) != 1 or form.intermittent or len(values) <= width or len(values) % width:
        return rows
    return [" ".join(values[i : i + width]) for i in range(0, len(values), width)]


def _decode_coded(rows: list[str], form: TraceFormat) -> Points:
    """Decodes value by value."""
    channels = [(form.x, _Channel()), (form.y, _Channel())]
    points: list[tuple[float, ...]] = []
    for row in rows:
        try:
            values = _match_values(row, max(form.x, form.y) + 1)
            point = []
            for index, channel in channels:
                if index < len(values):
                    channel.decode(values[index])
                elif index < form.width or not channel.known:
                    raise CodingError("has too few coordinates")
                point.append(channel.value)
        except CodingError as error:
            shown = " ".join(row[:200].split())
            shown = shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]} …"
            raise CodingError(f"the point '{shown}' {error}") from None
        # A point with an unknown coordinate is skipped.
        if all(channel.present for _, channel in channels):
            points.append(tuple(point))
    return np.array(points, np.float64).reshape(-1, 2)


def _match_values(row: str, count: int) -> list[re.Match[str]]:
    """The first `count` values of a point, or fewer."""
    row = row.rstrip()
    values: list[re.Match[str]] = []
    at = 0
    while at < len(row) and len(values) < count:
        match = _VALUE.match(row, at)
        if match is None:
            raise CodingError("has a coordinate that is no number")
        values.append(match)
        at = match.end()
    return values


@dataclass(slots=True)
class _Channel:
    """State of a channel after the last point.

    Attributes:
        known: whether it has had a value.
        present: whether the last value was known.
        order: the current prefix: `!`, `'` or `"`.
        value: the last value.
        velocity: its last first difference.
        acceleration: its last second difference.
    """

    known: bool = False
    present: bool = True
    order: str = "!"
    value: float = 0.0
    velocity: float = 0.0
    acceleration: float = 0.0

    def decode(self, match: re.Match[str]) -> None:
        """Updates the state by the next value.

        Raises:
            CodingError: if the value is not numeric, or if a difference has no previous value.
        """
        self.order = match["order"] or self.order
        word = match["word"]
        self.present = word != "?"
        if not self.present:
            return
        if word in ("T", "F"):
            raise CodingError("has a coordinate that is no number")
        if not self.known and (self.order != "!" or word == "*"):
            raise CodingError("is a difference, and there is no point before it")
        last, velocity = self.value, self.velocity
        if self.order == "!":
            self.value = last if word else _number(match)
        elif self.order == "'":
            self.value = last + (velocity if word else _number(match))
        else:
            self.value = last + velocity + (self.acceleration if word else _number(match))
        self.velocity = self.value - last if self.known else 0.0
        self.acceleration = self.velocity - velocity
        self.known = True


def _number(match: re.Match[str]) -> float:
    digits = match["hex"]
    if digits is None:
        number = float(match["number"])
    else:
        number = float(int(digits, 16)) if len(digits) <= _MAX_HEX_DIGITS else float("inf")
    return -number if match["sign"] == "-" else number
