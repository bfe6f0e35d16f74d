"""Converts the markup of labels to CROHME's canonical form."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from im2tex.data.label_rows import check_rows
from im2tex.latex.crohme.canonical import canonicalize
from im2tex.latex.tokens import LatexError
from im2tex.render.markup.sanitizer import sanitize
from im2tex.render.rendering import RenderError

# Letters of the fonts; a substitute for another letter would be a symbol of its own.
_LETTERS = {
    "\\mathscr": frozenset(ascii_uppercase),
    "\\mathcal": frozenset(ascii_uppercase),
    "\\mathbb": frozenset(ascii_uppercase + "k"),
}

# Tokens that leave no ink without content.
_INKLESS = frozenset(
    [*"{}_^&", "\\\\", "\\substack", "\\frac", "\\overline", "\\underline", *_LETTERS]
)


def label_tokens(markup: str) -> tuple[str, ...]:
    r"""Returns the tokens of a label in CROHME's canonical form.

    The tokens can be rendered, so that predictions can be compared with the label by their images.

    Example::

        label_tokens(r"$x^2$")  # ("x", "^", "{", "2", "}")

    Args:
        markup: a formula, with or without dollars.

    Raises:
        LatexError: if the markup cannot be parsed, has no visible symbol, cannot be expressed in
            the canonical form, uses a letter that its font lacks, or has an unknown command such
            as a user-defined macro.
    """
    tokens = canonicalize(markup, strict=True)
    if not _has_ink(tokens):
        raise _label_error("it has no visible symbol")
    _check_fonts(tokens)
    check_rows(tokens)
    try:
        sanitize(" ".join(tokens))
    except RenderError as error:
        raise _label_error(error.failure.reason) from None
    return tuple(tokens)


def _label_error(reason: str) -> LatexError:
    return LatexError(reason, 0, "")


def _has_ink(tokens: Sequence[str]) -> bool:
    """Whether the tokens include more than empty structures."""
    specification = False  # whether the token is in the columns of an array
    for token in tokens:
        environment = token[:7] == "\\begin{" or token[:5] == "\\end{"
        if not environment and not specification and token not in _INKLESS:
            return True
        specification = token == "\\begin{array}" or (specification and token != "}")
    return False


def _check_fonts(tokens: Sequence[str]) -> None:
    """Checks that the fonts of letters and digits have them."""
    fonts: list[str | None] = []  # font of each open group
    for before, token in zip(["", *tokens], tokens, strict=False):
        if token == "{":
            inherited = fonts[-1] if fonts else None
            fonts.append(before if before in _LETTERS else inherited)
        elif token == "}":
            fonts.pop()
        elif fonts and fonts[-1] and token.isalnum() and token not in _LETTERS[fonts[-1]]:
            raise _label_error(f"the font of {fonts[-1]} has no {token}")
