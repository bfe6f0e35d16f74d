"""Labels in CROHME's canonical form, from markup as people write it."""

from __future__ import annotations

from im2tex.latex.crohme import canonical
from im2tex.latex.tokens import LatexError
from im2tex.render.markup import prepare
from im2tex.render.rendering import Undrawable


def label_tokens(markup: str) -> tuple[str, ...]:
    r"""The tokens of a label that can be drawn, and so be compared by its picture.

    Args:
        markup: a formula, with or without dollars.

    Returns:
        Its tokens in CROHME's canonical form.

    Raises:
        LatexError: if it cannot be read, nothing of it can be seen, the form has no way to write
            it, or a command in it is none that formulas are drawn with, such as a macro of one's
            own.
    """
    tokens = canonical(markup, strict=True)
    if not tokens:
        raise LatexError("nothing of it can be seen", 0, markup)
    try:
        prepare(" ".join(tokens))
    except Undrawable as error:
        raise LatexError(error.failure.reason, 0, markup) from None
    return tuple(tokens)
