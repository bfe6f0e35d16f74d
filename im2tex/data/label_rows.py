r"""Rows and cells of a label, checked as TeX would check them: before a picture depends on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from im2tex.latex.tokens import LatexError
from im2tex.render.markup.columns import MAX_MATRIX_COLUMNS

_LIMITS = {"matrix": MAX_MATRIX_COLUMNS, "gathered": 1, "\\substack": 1}
_SPECIFIED = ("array", "alignedat")  # what comes next in braces says how many columns there are
_RULES = ("\\hline", "\\cline")
_SPANNING = ("\\multicolumn", "\\hdotsfor")


@dataclass(slots=True)
class _Grid:
    """An environment, or a stack of lines, that is open.

    Attributes:
        name: of the environment, or the command.
        most: columns that it has; None where TeX sets no limit.
        used: columns of the row so far.
        begun: whether anything stands in the cell.
    """

    name: str
    most: int | None
    used: int = 1
    begun: bool = False


def check_rows(tokens: Sequence[str]) -> None:
    r"""Refuses what TeX has no place for in an array.

    Args:
        tokens: a label in canonical form, whose braces and environments match.

    Raises:
        LatexError: for a row with more cells than the array has columns, a `\hline` that begins no
            row, a `\multicolumn` that begins no cell, and `&` or `\\` inside of braces.
    """
    opened: list[_Grid | None] = []  # None for braces
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        grid = opened[-1] if opened else None
        if token == "}" or token[:5] == "\\end{":
            opened.pop()
        elif token in ("&", "\\\\"):
            if grid is None:
                raise LatexError(f"{token} in braces of its own", 0, "")
            grid.used = grid.used + 1 if token == "&" else 1
            grid.begun = False
            _check_width(grid)
        elif token in _RULES or token in _SPANNING:
            if grid is None or grid.begun or (token in _RULES and grid.used > 1):
                what = "row" if token in _RULES else "cell"
                raise LatexError(f"{token} begins no {what} of an array", 0, "")
            end = _behind_braces(tokens, at)
            if token in _SPANNING:
                grid.begun = True
                grid.used += max(_number(tokens[at:end]), 1) - 1
                _check_width(grid)
            at = end if token != "\\hline" else at
        else:
            if grid is not None:
                grid.begun = True
            if token[:7] == "\\begin{":
                name = token[7:-1]
                end = _behind_braces(tokens, at) if name in _SPECIFIED else at
                columns = sum(letter in "lcr" for letter in tokens[at:end])
                opened.append(_Grid(name, columns if name == "array" else _LIMITS.get(name)))
                at = end
            elif token == "{":
                stacked = at > 1 and tokens[at - 2] == "\\substack"
                opened.append(_Grid("\\substack", 1) if stacked else None)


def _check_width(grid: _Grid) -> None:
    if grid.most is not None and grid.used > grid.most:
        raise LatexError(
            f"a row of {grid.used} columns in {grid.name}: {grid.most} are there", 0, ""
        )


def _behind_braces(tokens: Sequence[str], at: int) -> int:
    """The place behind braces that open at a place; that place, if none do."""
    return tokens.index("}", at) + 1 if "".join(tokens[at : at + 1]) == "{" else at


def _number(tokens: Sequence[str]) -> int:
    digits = "".join(token for token in tokens if token.isdecimal())
    return int(digits[:4]) if digits else 1
