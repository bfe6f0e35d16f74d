"""The values of a trace (InkML, section 3.2.1) to points.

A value is explicit (`!`), a first difference (`'`) or a second one (`"`), as its own prefix or the
last one of its channel says; it may be hexadecimal (`#1F`), boolean (`T`, `F`), repeated (`*`: the
same value, velocity or acceleration again) or unknown (`?`). Values may touch where a sign or a
prefix separates them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.inkml.contexts import TraceFormat

Points = NDArray[np.float64]
"""Points of a trace, (n, 2): values of X and Y as the file has them."""

# Possessive quantifiers: what matched once is not tried again in another way.
_VALUE = re.compile(
    r"\s*+(?P<order>[!'\"]?+)\s*+(?:"
    r"(?P<sign>[+-]?+)\s*+(?:#(?P<hex>[0-9A-Fa-f]++)"
    r"|(?P<number>(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+"
    r"|(?i:nan|inf(?:inity)?+)))"
    r"(?=[\s!'\"+\-#TF*?]|$)|(?P<word>[TF*?]))"
)
_MAX_HEX = 64  # digits


class CodingError(Exception):
    """A trace whose text cannot be decoded; the message says why."""


def decode(text: str, form: TraceFormat) -> Points:
    """The points of a trace.

    Args:
        text: the content of the `trace` element.
        form: its channels.

    Returns:
        (n, 2) values of X and Y as the file has them; they may be infinite or no number.

    Raises:
        CodingError: if a point has no X or Y, or a value is none of the format's.
    """
    rows = [row for row in text.split(",") if row and not row.isspace()]
    if not rows:
        return np.empty((0, 2))
    # Python's float takes underscores and digits of other scripts too.
    plain = _plain(rows, form) if text.isascii() and "_" not in text else None
    return _coded(_split(rows, form), form) if plain is None else plain


def _plain(rows: list[str], form: TraceFormat) -> Points | None:
    """Points whose X and Y are explicit decimal numbers between spaces; else None."""
    x, y, width = form.x, form.y, form.width
    if max(x, y) >= width:
        return None
    try:
        points = [(float(v[x]), float(v[y])) for v in map(str.split, rows) if len(v) == width]
    except ValueError:
        return None
    return np.array(points) if len(points) == len(rows) else None  # (n, 2)


def _split(rows: list[str], form: TraceFormat) -> list[str]:
    """Rows of points where the file has no commas: the channels tell where a point ends."""
    if len(rows) != 1 or form.intermittent:
        return rows
    values = rows[0].split()
    width = form.width
    if len(values) <= width or len(values) % width:
        return rows
    return [" ".join(values[i : i + width]) for i in range(0, len(values), width)]


def _coded(rows: list[str], form: TraceFormat) -> Points:
    """One trace, value by value."""
    channels = (_Channel(), _Channel())
    places = (form.x, form.y)
    points = np.empty((len(rows), 2))
    count = 0
    for row in rows:
        values = _values(row, max(places) + 1)
        for axis in (0, 1):
            place, channel = places[axis], channels[axis]
            if place < len(values):
                points[count, axis] = channel.take(values[place], row)
            elif place >= form.width and channel.known:
                points[count, axis] = channel.value
            else:
                raise CodingError(f"the point '{_short(row)}' has too few coordinates")
        # A point that lies nowhere is no point.
        count += channels[0].present and channels[1].present
    return points[:count]


def _values(row: str, most: int) -> list[re.Match[str]]:
    """The first values of a point."""
    row = row.rstrip()
    values: list[re.Match[str]] = []
    at = 0
    while at < len(row) and len(values) < most:
        match = _VALUE.match(row, at)
        if match is None:
            raise CodingError(f"the point '{_short(row)}' has a coordinate that is no number")
        values.append(match)
        at = match.end()
    return values


@dataclass(slots=True)
class _Channel:
    """What is known of a channel after the last point.

    Attributes:
        known: whether there was a value.
        present: whether the last one was known.
        order: prefix that holds: `!`, `'` or `"`.
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

    def take(self, match: re.Match[str], row: str) -> float:
        """The channel's value at the next point.

        Raises:
            CodingError: if the value is not numeric, or a difference to nothing.
        """
        self.order = match["order"] or self.order
        word = match["word"]
        self.present = word != "?"
        if not self.present:
            return self.value
        if word in ("T", "F"):
            raise CodingError(f"the point '{_short(row)}' has a coordinate that is no number")
        if not self.known and (self.order != "!" or word == "*"):
            raise CodingError(
                f"the point '{_short(row)}' is a difference, and there is no point before it"
            )
        last, velocity = self.value, self.velocity
        if self.order == "!":
            self.value = last if word else _number(match)
        elif self.order == "'":
            self.value = last + (velocity if word else _number(match))
        else:
            step = self.acceleration if word else _number(match)
            self.value = last + velocity + step
        self.velocity = self.value - last if self.known else 0.0
        self.acceleration = self.velocity - velocity
        self.known = True
        return self.value


def _number(match: re.Match[str]) -> float:
    digits = match["hex"]
    if digits is None:
        number = float(match["number"])
    else:
        number = float(int(digits, 16)) if len(digits) <= _MAX_HEX else float("inf")
    return -number if match["sign"] == "-" else number


def _short(row: str) -> str:
    row = " ".join(row[:200].split())
    return row if len(row) <= 60 else f"{row[:60]} …"
