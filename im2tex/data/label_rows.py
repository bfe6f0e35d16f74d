r"""Checks the rows and cells of arrays in a label by TeX's rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from im2tex.latex.tokens import LatexError
from im2tex.render.markup.columns import MAX_MATRIX_COLUMNS

_LIMITS = {"matrix": MAX_MATRIX_COLUMNS, "gathered": 1, "\\substack": 1}
_SPECIFIED = ("array", "alignedat")  # the next group specifies the columns
_RULES = ("\\hline", "\\cline")
_SPANNING = ("\\multicolumn", "\\hdotsfor")


@dataclass(slots=True)
class _OpenArray:
    """An array-like environment or command that is not closed yet.

    Attributes:
        name: name of the environment or command.
        max_columns: number of its columns; None if TeX has no limit.
        columns: number of columns of the current row so far.
        has_content: whether the current cell has content.
    """

    name: str
    max_columns: int | None
    columns: int = 1
    has_content: bool = False


def check_rows(tokens: Sequence[str]) -> None:
    r"""Checks that TeX accepts the rows and cells of a label.

    Args:
        tokens: a label in canonical form with matching braces and environments.

    Raises:
        LatexError: for a row with more cells than the array has columns, a `\hline` that is not at
            the beginning of a row, a `\multicolumn` that is not at the beginning of a cell, and `&`
            or `\\` inside braces.
    """
    opened: list[_OpenArray | None] = []  # None for braces
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        array = opened[-1] if opened else None
        if token == "}" or token[:5] == "\\end{":
            opened.pop()
        elif token in ("&", "\\\\"):
            if array is None:
                raise LatexError(f"{token} must not be inside braces", 0, "")
            array.columns = array.columns + 1 if token == "&" else 1
            array.has_content = False
            _check_width(array)
        elif token in _RULES or token in _SPANNING:
            if array is None or array.has_content or (token in _RULES and array.columns > 1):
                what = "row" if token in _RULES else "cell"
                raise LatexError(f"{token} must begin a {what} of an array", 0, "")
            end = _after_group(tokens, at)
            if token in _SPANNING:
                array.has_content = True
                array.columns += max(_number(tokens[at:end]), 1) - 1
                _check_width(array)
            at = end if token != "\\hline" else at
        else:
            if array is not None:
                array.has_content = True
            if token[:7] == "\\begin{":
                name = token[7:-1]
                end = _after_group(tokens, at) if name in _SPECIFIED else at
                columns = sum(letter in "lcr" for letter in tokens[at:end])
                opened.append(_OpenArray(name, columns if name == "array" else _LIMITS.get(name)))
                at = end
            elif token == "{":
                stacked = at > 1 and tokens[at - 2] == "\\substack"
                opened.append(_OpenArray("\\substack", 1) if stacked else None)


def _check_width(array: _OpenArray) -> None:
    if array.max_columns is not None and array.columns > array.max_columns:
        raise LatexError(
            f"a row of {array.columns} columns in {array.name}, which has {array.max_columns}",
            0,
            "",
        )


def _after_group(tokens: Sequence[str], at: int) -> int:
    """Returns the index after the group at an index, or that index if no group begins there."""
    return tokens.index("}", at) + 1 if "".join(tokens[at : at + 1]) == "{" else at


def _number(tokens: Sequence[str]) -> int:
    digits = "".join(token for token in tokens if token.isdecimal())
    return int(digits[:4]) if digits else 1
