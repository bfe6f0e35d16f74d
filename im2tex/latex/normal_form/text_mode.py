r"""Text and math in a formula's markup.

The arguments of `\text` and its kin are text, except for `$…$` inside them. Dollars, spaces and
characters have other meanings in text, so code that rewrites markup before it is parsed needs the
context of each character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from im2tex.latex.normal_form.commands import TEXT_ARGUMENTS

_PIECE = re.compile(r"\\[A-Za-z@]+|\\.|.", re.DOTALL)


class PieceContext(Enum):
    """The context of a piece of markup, or its role."""

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
        context: its context.
    """

    text: str
    start: int
    context: PieceContext


def iter_pieces(source: str) -> Iterator[MarkupPiece]:
    """The pieces of markup with their contexts.

    Args:
        source: the markup; need not be well-formed.
    """
    # For each open brace or dollar: whether the markup around it is text, for a brace the number
    # of groups before the group that is text (None if none will be), and whether it is a dollar.
    stack: list[tuple[bool, int | None, bool]] = []
    text = optional = False
    wait: int | None = None
    for match in _PIECE.finditer(source):
        piece = match[0]
        context = PieceContext.TEXT if text else PieceContext.MATH
        expected, wait = wait, None
        if optional or (expected is not None and (piece in "[*" or piece.isspace())):
            optional = (optional or piece == "[") and piece != "]"
            wait = expected
        elif piece in ("$", "\\(", "\\)"):
            if text:
                stack.append((text, None, True))
                text, context = False, PieceContext.BORDER
            elif stack and stack[-1][2]:
                text, context = stack.pop()[0], PieceContext.BORDER
            elif piece == "$":
                context = PieceContext.DOLLAR
        elif piece == "{":
            stack.append((text, expected - 1 if expected else None, False))
            text = text or expected == 0
        elif piece == "}":
            while stack and stack[-1][2]:
                stack.pop()
                context = PieceContext.TORN
            text, wait, _ = stack.pop() if stack else (False, None, False)
        else:
            wait = TEXT_ARGUMENTS.get(piece)
        yield MarkupPiece(piece, match.start(), context)
