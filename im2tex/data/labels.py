"""Labels in CROHME's canonical form, from markup as people write it."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from im2tex.latex.crohme.canonical import canonical
from im2tex.latex.tokens import LatexError
from im2tex.render.markup.sanitize import prepare
from im2tex.render.rendering import Undrawable

# Letters that the fonts have; what stands for another one is a sign of its own.
_LETTERS = {
    "\\mathscr": frozenset(ascii_uppercase),
    "\\mathcal": frozenset(ascii_uppercase),
    "\\mathbb": frozenset(ascii_uppercase + "k"),
}


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
    tokens = canonical(markup, strict=True)
    if not tokens:
        raise LatexError("nothing of it can be seen", 0, markup)
    _check_fonts(tokens, markup)
    try:
        prepare(" ".join(tokens))
    except Undrawable as error:
        raise LatexError(error.failure.reason, 0, markup) from None
    return tuple(tokens)


def _check_fonts(tokens: Sequence[str], markup: str) -> None:
    """Refuses letters and digits of fonts that have none of them."""
    fonts: list[str | None] = []  # of each open brace
    for before, token in zip(["", *tokens], tokens, strict=False):
        if token == "{":
            inherited = fonts[-1] if fonts else None
            fonts.append(before if before in _LETTERS else inherited)
        elif token == "}":
            fonts.pop()
        elif fonts and fonts[-1] and token.isalnum() and token not in _LETTERS[fonts[-1]]:
            raise LatexError(f"the font of {fonts[-1]} has no {token}", 0, markup)
