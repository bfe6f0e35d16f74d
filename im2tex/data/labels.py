"""Labels in CROHME's canonical form, from markup as people write it."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from im2tex.data.label_rows import check_rows
from im2tex.latex.crohme.canonical import canonicalize
from im2tex.latex.tokens import LatexError
from im2tex.render.markup.sanitizer import sanitize
from im2tex.render.rendering import RenderError

# Letters that the fonts have; what stands for another one is a sign of its own.
_LETTERS = {
    "\\mathscr": frozenset(ascii_uppercase),
    "\\mathcal": frozenset(ascii_uppercase),
    "\\mathbb": frozenset(ascii_uppercase + "k"),
}

# What leaves no ink where there is nothing in it.
_INKLESS = frozenset(
    [*"{}_^&", "\\\\", "\\substack", "\\frac", "\\overline", "\\underline", *_LETTERS]
)


def label_tokens(markup: str) -> tuple[str, ...]:
    r"""The tokens of a label that can be drawn, and so be compared by its picture.

    Args:
        markup: a formula, with or without dollars.

    Returns:
        Its tokens in CROHME's canonical form.

    Raises:
        LatexError: if it cannot be read, nothing of it can be seen, the form has no way to write
            it, a font has no such letter, or a command in it is none that formulas are drawn with,
            such as a macro of one's own.
    """
    tokens = canonicalize(markup, strict=True)
    if not _leaves_ink(tokens):
        raise _refused("nothing of it can be seen")
    _check_fonts(tokens)
    check_rows(tokens)
    try:
        sanitize(" ".join(tokens))
    except RenderError as error:
        raise _refused(error.failure.reason) from None
    return tuple(tokens)


def _refused(reason: str) -> LatexError:
    return LatexError(reason, 0, "")


def _leaves_ink(tokens: Sequence[str]) -> bool:
    """Whether there is more than structure without anything in it."""
    specification = False  # of an array's columns
    for token in tokens:
        environment = token[:7] == "\\begin{" or token[:5] == "\\end{"
        if not environment and not specification and token not in _INKLESS:
            return True
        specification = token == "\\begin{array}" or (specification and token != "}")
    return False


def _check_fonts(tokens: Sequence[str]) -> None:
    """Refuses letters and digits of fonts that have none of them."""
    fonts: list[str | None] = []  # of each open brace
    for before, token in zip(["", *tokens], tokens, strict=False):
        if token == "{":
            inherited = fonts[-1] if fonts else None
            fonts.append(before if before in _LETTERS else inherited)
        elif token == "}":
            fonts.pop()
        elif fonts and fonts[-1] and token.isalnum() and token not in _LETTERS[fonts[-1]]:
            raise _refused(f"the font of {fonts[-1]} has no {token}")
