r"""Column specifications of arrays: allowed content and amount of work.

LaTeX reads a specification in time quadratic in its length, and typesets the content of `@{…}` in
every row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from im2tex.latex.tokens import Token, TokenKind
from im2tex.render.markup.argument_cursor import ArgumentCursor, LookaheadBudget
from im2tex.render.markup.nesting import Nesting
from im2tex.render.rendering import Cause, RenderError

MAX_COLUMNS = 200
"""Columns, lines and insertions of a specification; the content of `*{n}{…}` counts n times."""

MAX_MATRIX_COLUMNS = 30
"""Columns of `matrix` and its like; `MaxMatrixCols` of the template."""

_PER_SQUARE = 8  # squared columns that take as long as one token


def column_work(columns: int) -> int:
    """Returns the number of tokens that take as long as a specification of `columns` columns."""
    return columns + columns * columns // _PER_SQUARE


@dataclass(frozen=True, slots=True)
class ColumnSanitizer:
    """Sanitises one column specification.

    Attributes:
        nesting: at the position of the specification.
        budget: of the formula.
        rows: how often its insertions may be typeset.
        sanitize_insertion: sanitises the content of an insertion, given the nesting around it.
    """

    nesting: Nesting
    budget: LookaheadBudget
    rows: int
    sanitize_insertion: Callable[[Sequence[Token], Nesting], str]

    def sanitize(self, tokens: Sequence[Token]) -> str:
        """Returns the specification, printed from its parsed parts.

        Raises:
            RenderError: if its content is not allowed or exceeds a limit.
        """
        text, count = self._sanitize_part(tokens, 1, 0)
        self.nesting.add_work(column_work(count))
        return text

    def _sanitize_part(self, tokens: Sequence[Token], times: int, depth: int) -> tuple[str, int]:
        """Returns a repeated part, printed from its parsed parts, and the number of its columns."""
        if depth > 3:
            raise RenderError(Cause.LIMIT, "columns repeated within columns more than 3 deep")
        cursor = ArgumentCursor(tokens, self.budget)
        out: list[str] = []
        count = 0
        while cursor.at < len(tokens):
            token = tokens[cursor.at]
            text = cursor.take()
            if text in ("@", "p"):
                around = Nesting(self.nesting.depth, self.nesting.times * times * self.rows)
                content = self.sanitize_insertion(cursor.group(text), around)
                out.append(f"{text}{{{content}}}")
                self.nesting.add_work(around.work // self.nesting.times)
                count += 1
            elif text == "*":
                number = cursor.numbers("* in a column specification")[0]
                self._check_count(count + number)
                part = cursor.argument("*")
                inner, each = self._sanitize_part(part, times * max(1, number), depth + 1)
                out.append(f"*{{{number}}}{{{inner}}}")
                count += number * each
            elif text in ("l", "c", "r", "|"):
                out.append(text)
                count += 1
            elif text in ("{", "}"):
                out.append(text)
            elif token.kind is not TokenKind.SPACE:
                raise RenderError(Cause.REFUSED, f"{text!r} in a column specification")
            self._check_count(count)
        return "".join(out), count

    @staticmethod
    def _check_count(count: int) -> None:
        if count > MAX_COLUMNS:
            raise RenderError(Cause.LIMIT, f"more than {MAX_COLUMNS} columns, lines included")
