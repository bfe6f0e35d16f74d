r"""Where a formula's markup is text: in the arguments of `\text` and the like, but for `$…$` there.

Text differs from math in what dollars, spaces and characters mean, so whoever rewrites markup
before it is parsed has to know where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from im2tex.latex.normal_form.commands import TEXT_ARGUMENTS

_PIECE = re.compile(r"\\[A-Za-z@]+|\\.|.", re.DOTALL)


class PieceContext(Enum):
    """What a piece of markup stands in, or is."""

    MATH = "in math"
    TEXT = "in text"
    BORDER = "a dollar that begins or ends math in text"
    DOLLAR = "a dollar outside text"
    TORN = "a brace that closes text in which a dollar is open"


class MarkupPiece(NamedTuple):
    """A control sequence or one character.

    Attributes:
        text: as written.
        start: index of its first character in the source.
        place: where it stands.
    """

    text: str
    start: int
    place: PieceContext


def iter_pieces(source: str) -> Iterator[MarkupPiece]:
    """Cuts markup up and says of each piece whether it is text.

    Args:
        source: the markup; need not be well-formed.
    """
    # What each open brace or dollar returns to: text or not, and, for a brace, how many more
    # groups come before the one that is text (None where there is none to come).
    stack: list[tuple[bool, int | None, bool]] = []
    text = optional = False
    wait: int | None = None
    for match in _PIECE.finditer(source):
        piece = match[0]
        place = PieceContext.TEXT if text else PieceContext.MATH
        expected, wait = wait, None
        if optional or (expected is not None and (piece in "[*" or piece.isspace())):
            optional = (optional or piece == "[") and piece != "]"
            wait = expected
        elif piece in ("$", "\\(", "\\)"):
            if text:
                stack.append((text, None, True))
                text, place = False, PieceContext.BORDER
            elif stack and stack[-1][2]:
                text, place = stack.pop()[0], PieceContext.BORDER
            elif piece == "$":
                place = PieceContext.DOLLAR
        elif piece == "{":
            stack.append((text, expected - 1 if expected else None, False))
            text = text or expected == 0
        elif piece == "}":
            while stack and stack[-1][2]:
                stack.pop()
                place = PieceContext.TORN
            text, wait, _ = stack.pop() if stack else (False, None, False)
        else:
            wait = TEXT_ARGUMENTS.get(piece)
        yield MarkupPiece(piece, match.start(), place)
