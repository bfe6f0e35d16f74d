r"""Text and math in a formula's markup, and removal of the markup around a formula.

The arguments of `\text` and its kin are text, except for `$…$` inside them. Dollars, spaces and
characters have other meanings in text, so code that rewrites markup before it is parsed needs the
context of each character.

`$x$`, `\[x\]` and `\begin{equation} x \end{equation}` are the formula `x`. An environment that
aligns lines becomes the one that does so inside a formula: `align*` is `aligned`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from im2tex.latex.normal_form.commands import TEXT_ARGUMENTS
from im2tex.latex.tokens import LatexError

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


_PLAIN = ("equation", "displaymath", "math", "dmath", "subequations")
_INNER = {
    "align": "aligned",
    "flalign": "aligned",
    "alignat": "alignedat",
    "xalignat": "alignedat",
    "xxalignat": "alignedat",
    "gather": "gathered",
    "multline": "gathered",
}
_ROUNDS = 5  # `$$\begin{equation}…` and the like
_OPEN = re.compile(r"\s*(?:\\\[|\\\(|\\begin\s*\{(\w+\*?)\})")
_CLOSED = re.compile(r"(?:\\\]|\\\)|\\end\s*\{(\w+\*?)\})(\s*+[.,;:]?\s*+)\Z")
_ALIGNED = re.compile(r"\\(begin|end)\s*\{(" + "|".join([*_INNER, "eqnarray"]) + r")\*?\}")


def strip_display(source: str, *, dollars: bool) -> str:
    r"""A formula without its dollars, brackets and display environments.

    Args:
        source: markup without comments and labels. Dollars outside text are removed anywhere.
        dollars: dollars inside text have to pair; otherwise unpaired ones make all of them spaces.

    Returns:
        The markup inside, dollars of text kept; environments of lines renamed.

    Raises:
        LatexError: for a dollar in text that has no partner there, if they have to pair.
    """
    if "$" in source or "\\(" in source:
        source = _settle_dollars(source, dollars=dollars)
    if "\\[" not in source and "\\(" not in source and "\\begin" not in source:
        return source
    for _ in range(_ROUNDS):
        inside = _unwrap(source)
        if inside is None:
            break
        source = inside
    return _ALIGNED.sub(_rename_environment, source)


def _settle_dollars(source: str, *, dollars: bool) -> str:
    r"""Removes dollars outside text; inside it they stay, and `\(…\)` becomes `$…$`."""
    out = []
    for piece in iter_pieces(source):
        if piece.context is PieceContext.TORN:
            if not dollars:
                return source.replace("$", " ")
            raise LatexError("a dollar in text without its partner", piece.start, source)
        if piece.context is PieceContext.DOLLAR:
            out.append(" ")
        else:
            out.append("$" if piece.context is PieceContext.BORDER else piece.text)
    return "".join(out)


def _unwrap(source: str) -> str | None:
    """The contents of a display around the whole source; None if there is no such display."""
    opening, closing = _OPEN.match(source), _CLOSED.search(source)
    if opening is None or closing is None or opening.end() > closing.start():
        return None
    left, right = opening[0].split("{")[0].strip(), closing[0].split("{")[0].strip()[:2]
    name = opening[1]
    if name is None:
        if {"\\[": "\\]", "\\(": "\\)"}[left] != right:
            return None
    elif name.rstrip("*") not in _PLAIN or closing[1] != name:
        return None
    return source[opening.end() : closing.start()] + closing[2]


def _rename_environment(match: re.Match[str]) -> str:
    if match[2] == "eqnarray":
        return "\\begin{array}{rcl}" if match[1] == "begin" else "\\end{array}"
    return f"\\{match[1]}{{{_INNER[match[2]]}}}"
