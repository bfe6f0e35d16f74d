r"""Column specifications of arrays: what they may hold, and how much work they are.

LaTeX reads a specification in the square of its length, and sets what `@{…}` holds in every row.
"""

from __future__ import annotations

from collections.abc import Callable

from im2tex.latex.tokens import Token, TokenKind
from im2tex.render.markup.cursor import LookaheadBudget, TokenCursor
from im2tex.render.markup.levels import Levels
from im2tex.render.rendering import Cause, RenderError

MAX_COLUMNS = 200
"""Columns, lines and insertions of one specification, those of `*{n}{…}` counted n times."""

MATRIX_COLUMNS = 30
"""Columns of `matrix` and its like, which the template's `MaxMatrixCols` says to TeX."""

_PER_SQUARE = 8  # so many squared columns take as long as a token


def work(columns: int) -> int:
    """The tokens that take as long as a specification of so many columns."""
    return columns + columns * columns // _PER_SQUARE


class Columns:
    """Checks one column specification.

    Args:
        levels: of the place in the formula where it stands.
        effort: see `TokenCursor`.
        rows: how often its insertions may be set.
        inside: checks what an insertion holds, with the levels around it, and writes it anew.
    """

    def __init__(
        self,
        levels: Levels,
        effort: LookaheadBudget,
        rows: int,
        inside: Callable[[list[Token], Levels], str],
    ) -> None:
        self._levels = levels
        self._effort = effort
        self._rows = rows
        self._inside = inside

    def check(self, tokens: list[Token]) -> str:
        """The specification, written anew.

        Raises:
            RenderError: if it holds what no specification does, or too much.
        """
        text, count = self._part(tokens, 1, 0)
        self._levels.add(work(count))
        return text

    def _part(self, tokens: list[Token], times: int, depth: int) -> tuple[str, int]:
        """A part that is repeated: how it is written, and how many columns it makes."""
        if depth > 3:
            raise RenderError(Cause.LIMIT, "columns repeated within columns more than 3 deep")
        cursor = TokenCursor(tokens, self._effort)
        out: list[str] = []
        count = 0
        while cursor.at < len(tokens):
            token = tokens[cursor.at]
            cursor.at += 1
            if token.text in ("@", "p"):
                part = cursor.group(token.text)
                around = Levels(self._levels.depth, self._levels.times * times * self._rows)
                out.append(token.text + "{" + self._inside(part, around) + "}")
                self._levels.add(around.work // self._levels.times)
                count += 1
            elif token.text == "*":
                number = cursor.number("* in a column specification")
                self._limit(count + number)
                inner, each = self._part(cursor.operand("*"), times * max(1, number), depth + 1)
                out.append(f"*{{{number}}}{{{inner}}}")
                count += number * each
            elif token.text in ("l", "c", "r", "|"):
                out.append(token.text)
                count += 1
            elif token.text in ("{", "}"):
                out.append(token.text)
            elif token.kind is not TokenKind.SPACE:
                raise RenderError(Cause.REFUSED, f"{token.text!r} in a column specification")
            self._limit(count)
        return "".join(out), count

    @staticmethod
    def _limit(count: int) -> None:
        if count > MAX_COLUMNS:
            raise RenderError(Cause.LIMIT, f"more than {MAX_COLUMNS} columns, lines included")
