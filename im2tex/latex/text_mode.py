r"""Where a formula's markup is text: in the arguments of `\text` and the like, but for `$…$` there.

Text differs from math in what dollars, spaces and characters mean, so whoever rewrites markup
before it is parsed has to know where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from im2tex.latex.roles import TEXT_COMMANDS

_PIECE = re.compile(r"\\[A-Za-z@]+|\\.|.", re.DOTALL)


class Place(Enum):
    """What a piece of markup stands in, or is."""

    MATH = "in math"
    TEXT = "in text"
    BORDER = "a dollar that begins or ends math in text"
    DOLLAR = "a dollar outside text"
    TORN = "a brace that closes text in which a dollar is open"


class Piece(NamedTuple):
    """A control sequence or one character.

    Attributes:
        text: as written.
        start: index of its first character in the source.
        place: where it stands.
    """

    text: str
    start: int
    place: Place


def pieces(source: str) -> Iterator[Piece]:
    """Cuts markup up and says of each piece whether it is text.

    Args:
        source: the markup; need not be well-formed.
    """
    # What each open brace or dollar returns to; a dollar also says so.
    stack: list[tuple[bool, bool]] = []
    text = announced = False
    for match in _PIECE.finditer(source):
        piece = match[0]
        place = Place.TEXT if text else Place.MATH
        if piece in ("$", "\\(", "\\)"):
            if text:
                stack.append((text, True))
                text, place = False, Place.BORDER
            elif stack and stack[-1][1]:
                text, place = stack.pop()[0], Place.BORDER
            elif piece == "$":
                place = Place.DOLLAR
        elif piece == "{":
            stack.append((text, False))
            text = text or announced
        elif piece == "}":
            while stack and stack[-1][1]:
                stack.pop()
                place = Place.TORN
            text = stack.pop()[0] if stack else False
        if not piece.isspace():
            announced = piece in TEXT_COMMANDS
        yield Piece(piece, match.start(), place)
