r"""Removal of the markup around a formula: dollars, brackets and display environments.

`$x$`, `\[x\]` and `\begin{equation} x \end{equation}` are the formula `x`. An environment that
aligns lines becomes the one that does so inside a formula: `align*` is `aligned`.
"""

from __future__ import annotations

import re

from im2tex.latex.normal_form.text_mode import PieceContext, iter_pieces
from im2tex.latex.tokens import LatexError

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
    return _ALIGNED.sub(_renamed, source)


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


def _renamed(match: re.Match[str]) -> str:
    if match[2] == "eqnarray":
        return "\\begin{array}{rcl}" if match[1] == "begin" else "\\end{array}"
    return f"\\{match[1]}{{{_INNER[match[2]]}}}"
