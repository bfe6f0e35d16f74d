"""Converts the markup of labels to CROHME's canonical form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from im2tex.latex.crohme.canonical import canonicalize
from im2tex.latex.tokens import LatexError
from im2tex.render.markup.columns import MAX_MATRIX_COLUMNS
from im2tex.render.markup.sanitizer import sanitize
from im2tex.render.rendering import RenderError

# Letters of the fonts; a substitute for another letter would be a symbol of its own.
_LETTERS = {
    "\\mathscr": frozenset(ascii_uppercase),
    "\\mathcal": frozenset(ascii_uppercase),
    "\\mathbb": frozenset(ascii_uppercase + "k"),
}
# Tokens that leave no ink without content.
_INKLESS = frozenset([*"_^", "\\frac", "\\overline", "\\underline", "\\substack", *_LETTERS])
_MAX_COLUMNS = {"matrix": MAX_MATRIX_COLUMNS, "gathered": 1, "\\substack": 1}
_SPECIFIED = ("array", "alignedat")  # the next group specifies the columns
_RULES = ("\\hline", "\\cline")
_SPANNING = ("\\multicolumn", "\\hdotsfor")


def label_tokens(markup: str) -> tuple[str, ...]:
    r"""Returns the tokens of a label in CROHME's canonical form.

    The tokens can be rendered, so that predictions can be compared with the label by their images.

    Example::

        label_tokens(r"$x^2$")  # ("x", "^", "{", "2", "}")

    Args:
        markup: a formula, with or without dollars.

    Raises:
        LatexError: if the markup cannot be parsed, has no visible symbol, cannot be expressed in
            the canonical form, uses a letter that its font lacks, has an unknown command such as a
            user-defined macro, or rows and cells that TeX refuses: more cells than the array has
            columns, a `\hline` that is not at the beginning of a row, or a `\multicolumn` that is
            not at the beginning of a cell.
    """
    tokens = canonicalize(markup, strict=True)
    _check_tokens(tokens)
    try:
        sanitize(" ".join(tokens))
    except RenderError as error:
        raise _label_error(error.failure.reason) from None
    return tuple(tokens)


@dataclass(slots=True)
class _Level:
    """An open group, environment or command with rows.

    Attributes:
        font: font of its letters, or "".
        name: name of the environment or command; "" for a group.
        max_columns: number of its columns; None if TeX has no limit.
        columns: number of columns of the current row so far.
        has_content: whether the current cell has content.
    """

    font: str
    name: str = ""
    max_columns: int | None = None
    columns: int = 1
    has_content: bool = False


def _check_tokens(tokens: Sequence[str]) -> None:
    """Checks ink, fonts, rows and cells of a label in canonical form.

    Raises:
        LatexError: see `label_tokens`.
    """
    levels = [_Level("")]
    has_ink = False
    at = 0
    while at < len(tokens):
        token, level = tokens[at], levels[-1]
        at += 1
        if token == "}" or token[:5] == "\\end{":
            levels.pop()
        elif token in ("&", "\\\\"):
            level.columns = level.columns + 1 if token == "&" else 1
            level.has_content = False
        elif token in _RULES or token in _SPANNING:
            if not level.name or level.has_content or (token in _RULES and level.columns > 1):
                what = "row" if token in _RULES else "cell"
                raise _label_error(f"{token} must begin a {what} of an array")
            has_ink = True
            start, at = at, at if token == "\\hline" else _after_group(tokens, at)
            if token in _SPANNING:
                level.has_content = True
                level.columns += max(_number(tokens[start:at]), 1) - 1
        elif token == "{" or token[:7] == "\\begin{":
            level.has_content = True
            opened, at = _open_level(level, tokens, at)
            levels.append(opened)
        else:
            level.has_content = True
            has_ink |= token not in _INKLESS
            if level.font and token.isalnum() and token not in _LETTERS[level.font]:
                raise _label_error(f"the font of {level.font} has no {token}")
        if level.max_columns is not None and level.columns > level.max_columns:
            row = f"a row of {level.columns} columns in {level.name}"
            raise _label_error(f"{row}, which has {level.max_columns}")
    if not has_ink:
        raise _label_error("it has no visible symbol")


def _open_level(outer: _Level, tokens: Sequence[str], at: int) -> tuple[_Level, int]:
    """The level that the token before an index opens, and the index behind its specification."""
    token, before = tokens[at - 1], tokens[at - 2] if at > 1 else ""
    if token != "{":
        name = token[7:-1]
        end = _after_group(tokens, at) if name in _SPECIFIED else at
        columns = sum(letter in "lcr" for letter in tokens[at:end])
        limit = columns if name == "array" else _MAX_COLUMNS.get(name)
        return _Level(outer.font, name, limit), end
    if before == "\\substack":
        return _Level(outer.font, before, _MAX_COLUMNS[before]), at
    return _Level(before if before in _LETTERS else outer.font), at


def _after_group(tokens: Sequence[str], at: int) -> int:
    """Returns the index after the group at an index, or that index if no group begins there."""
    return tokens.index("}", at) + 1 if tokens[at : at + 1] == ["{"] else at


def _number(tokens: Sequence[str]) -> int:
    digits = "".join(token for token in tokens if token.isdecimal())
    return int(digits[:4]) if digits else 1


def _label_error(reason: str) -> LatexError:
    return LatexError(reason, 0, "")
