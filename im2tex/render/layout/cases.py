r"""`cases` with one brace, where the normal form of formulas writes two."""

from __future__ import annotations

from collections.abc import Sequence

from im2tex.render.markup.sanitizer import MarkupPiece

DEFINITIONS = r"""
\def\imrows{\def\arraystretch{1.2}\array{@{}l@{\quad}l@{}}}
\def\endimrows{\endarray}
"""
"""For the head of the format: the rows of `cases` without its brace."""


def single_braced(pieces: Sequence[MarkupPiece]) -> list[MarkupPiece]:
    r"""Takes the second brace from `cases` in normal form.

    The form writes `\left\{ \begin{cases} … \end{cases} \right.`, for agreement with the paper's
    labels; what is meant, and seen in the paper's pictures, has one brace.
    """
    found = list(pieces)
    solid = [index for index, piece in enumerate(found) if piece.text != " "]
    opened: list[bool] = []
    for at, index in enumerate(solid):
        text = found[index].text
        if text == "\\begin{cases}":
            before = [found[other].text for other in solid[max(0, at - 2) : at]]
            opened.append(before == ["\\left", "\\{"])
            if opened[-1]:
                found[index] = found[index]._replace(text="\\begin{imrows}")
        elif text == "\\end{cases}" and opened and opened.pop():
            found[index] = found[index]._replace(text="\\end{imrows}")
    return found
