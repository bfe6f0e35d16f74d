r"""Readers of environments with rows and cells, of `\matrix{…}` and of `\substack{…}`."""

from __future__ import annotations

import re
from abc import abstractmethod

from im2tex.latex.normal_form.commands import COLUMNED, OPENING, PAIRED, POSITIONED
from im2tex.latex.normal_form.lexer import LexedFormula
from im2tex.latex.normal_form.tree import Array, Group, Node, Row, Scripts
from im2tex.latex.tokens import END, LatexError, TokenCursor

MAX_DEPTH = 100
"""Levels of braces, arguments, delimiters and arrays; formulas of papers have about twelve."""

_MAX_GAP = 200  # characters between two tokens: a comment, a label
_NAME = re.compile(r"[A-Za-z]+\*?")
_POSITION = re.compile(r"\[[tbch]{0,4}\]")
_LENGTH = re.compile(r"[-+]?(\d+\.?\d*|\.\d+|)(pt|mm|cm|in|ex|em|bp|pc|dd|cc|sp|mu|\\[A-Za-z]+)")
_COUNT = re.compile(r"\{([0-9]{1,3})\}")
_LENGTH_TOKENS = 12  # a length behind `\\` is not longer than this
_SPECIFICATION_TOKENS = 500
_MAX_COLUMNS = 50  # of `*{n}{c}`; papers write 20 for any number


class ArrayReader(TokenCursor):
    """Reads arrays; the parser reads their cells.

    Args:
        source: the formula, for error messages.
        lexed: its tokens.
    """

    __slots__ = ("cells", "printed", "source")
    opening = OPENING

    def __init__(self, source: str, lexed: LexedFormula) -> None:
        super().__init__(lexed.tokens, MAX_DEPTH)
        self.source = source
        self.printed = lexed.printed
        self.cells = False  # whether `&` and `\\` end cells and rows

    def error(self, reason: str) -> LatexError:
        """An error at the next token's position in the source."""
        position = 0
        for token in self.tokens[: self.at]:
            # Ties stand for spaces, and some tokens were rewritten; both are skipped.
            found = -1
            if token != "~":
                found = self.source.find(token, position, position + len(token) + _MAX_GAP)
            if found >= 0:
                position = found + len(token)
        return LatexError(reason, position, self.source)

    @abstractmethod
    def row(self) -> list[Node]:
        """Reads nodes up to a token that ends them."""

    @abstractmethod
    def argument(self, what: str) -> Node:
        """Reads one token, group or command with its own arguments."""

    def environment(self, token: str) -> Array:
        r"""Reads an environment.

        Args:
            token: its `\begin{…}`, the next token.
        """
        name = token[7:-1].strip()
        if not _NAME.fullmatch(name):
            raise self.error(f"{name!r} is not the name of an environment")
        self.at += 1
        if name in POSITIONED:
            self._skip_position()
        start = self.at
        columns = self._read_columns() if name in COLUMNED else None
        if name == "alignedat":
            columns = [self._read_count(name)]
        repeated = "*" in self.tokens[start : self.at]
        rows = self._read_rows()
        end = self.tokens[self.at]
        if end[:5] != "\\end{" or end[5:-1].strip() != name:
            raise self.error(f"the environment {name} is never closed")
        self.at += 1
        array = self._make_array(name, columns, rows)
        if columns and repeated:
            _drop_unused_columns(columns, array.rows)
        return array

    def _read_count(self, name: str) -> str:
        """Reads the number of pairs of columns, in braces."""
        match = _COUNT.match("".join(self.tokens[self.at : self.at + 5]))
        if match is None:
            raise self.error(f"the number of columns of {name} is missing")
        self.at += len(match[0])
        return match[1]

    def substack(self) -> Node:
        r"""Reads the lines of `\substack`."""
        if self.tokens[self.at] != "{":
            return Array("substack", None, [Row([[self.argument("an argument of \\substack")]])])
        self.at += 1
        rows = self._read_rows()
        if any(len(row.cells) > 1 for row in rows):
            raise self.error("& in \\substack")
        self.expect("}", "\\substack is never closed")
        return Array("substack", None, [row for row in rows if not _is_empty(row)])

    def plain_matrix(self, token: str) -> Array:
        r"""Reads plain TeX's array in braces.

        Args:
            token: its command, the next token.
        """
        self.at += 1
        self.expect("{", f"{token} without its brace")
        rows = self._read_rows()
        self.expect("}", f"{token} is never closed")
        return self._make_array(token[1:], None, rows)

    def _skip_position(self) -> None:
        """Reads over the vertical position of an environment, `[t]`."""
        match = _POSITION.match("".join(self.tokens[self.at : self.at + 6]))
        self.at += len(match[0]) if match else 0

    def _read_columns(self) -> list[str]:
        """Reads a column specification."""
        start = self.at
        self.at = self.group_end(start)
        if self.tokens[start] != "{" or self.tokens[self.at - 1] != "}":
            raise self.error("a column specification is missing")
        if self.at - start > _SPECIFICATION_TOKENS:
            raise self.error("a column specification is too long")
        return self._read_letters(start + 1, self.at - 1)

    def _read_letters(self, at: int, end: int) -> list[str]:
        r"""The columns and bars between two indices, `*{3}{c}` written out."""
        self.enter()
        letters: list[str] = []
        while at < end:
            token = self.tokens[at]
            at += 1
            if token in ("l", "c", "r", "|"):
                letters.append(token)
            elif token in ("p", "m", "b"):
                at = self.group_end(at)
                letters.append("l")
            elif token == "*":
                middle = self.group_end(at)
                count = "".join(self.tokens[at:middle]).strip("{}")
                times = int(count) if count.isdecimal() and len(count) < 4 else 1
                at = self.group_end(middle)
                letters += self._read_letters(middle + 1, at - 1)[:_MAX_COLUMNS] * min(
                    times, _MAX_COLUMNS
                )
            elif token in ("@", "!", ">", "<"):
                at = self.group_end(at)
        self.depth -= 1
        return letters[:_MAX_COLUMNS]

    def _read_rows(self) -> list[Row]:
        r"""Reads the rows, an empty one behind a last `\\` included."""
        cells, self.cells = self.cells, True
        rows: list[Row] = []
        while True:
            rules = 0
            while self.tokens[self.at] == "\\hline":
                self.at += 1
                rules += 1
            row = Row([self.row()], rules)
            while self.tokens[self.at] == "&":
                self.at += 1
                row.cells.append(self.row())
            rows.append(row)
            if self.tokens[self.at] not in ("\\\\", "\\cr"):
                break
            self.at += 1
            self._skip_length()
        self.cells = cells
        return rows

    def _skip_length(self) -> None:
        r"""Reads over the star of a line break and the space below it, as in `\\*[2mm]`."""
        tokens = self.tokens
        self.at += tokens[self.at] == "*"
        start = self.at + 1
        if tokens[self.at] == "[":
            end = start
            while tokens[end] not in ("]", END) and end < start + _LENGTH_TOKENS:
                end += 1
            if tokens[end] == "]" and _LENGTH.fullmatch("".join(tokens[start:end])):
                self.at = end + 1

    def _make_array(self, name: str, columns: list[str] | None, rows: list[Row]) -> Array:
        """The array, without empty rows and without the braces that a printer gave its cells."""
        ended = _is_empty(rows[-1])
        rows = [row for row in rows if not _is_empty(row)]
        if self.printed and ended:
            _take_braces_off(name, rows)
        if name in PAIRED:
            for row in rows:
                for cell in row.cells[1::2]:
                    _brace_first_script(cell)
        return Array(name, columns, rows)


def _is_empty(row: Row) -> bool:
    return not row.rules and row.cells == [[]]


def _drop_unused_columns(columns: list[str], rows: list[Row]) -> None:
    """Drops columns that no row reaches: in `*{20}{c}`, 20 means any number."""
    widest = max((len(row.cells) for row in rows), default=0)
    while len(columns) - columns.count("|") > widest and columns[-2:] == columns[-1:] * 2:
        columns.pop()


def _take_braces_off(name: str, rows: list[Row]) -> None:
    """Restores cells as they were before `normal_form` printed them, if all of them look printed.

    The normal form puts braces around each cell, and an empty group in front of a cell behind a
    relation sign. Without this function it would add both again to its own output.
    """
    bare: list[list[list[Node]]] = []
    for row in rows:
        cells = []
        for i, cell in enumerate(row.cells):
            if len(cell) != 1 or not isinstance(cell[0], Group):
                return
            body = cell[0].body
            if i % 2 and name in PAIRED:
                first = body[0] if body else None
                if isinstance(first, Scripts) and first.base == Group([]):
                    body = [Scripts(None, first.marks, literal=True), *body[1:]]
                elif first == Group([]):
                    body = body[1:]
                else:
                    return
            cells.append(body)
        bare.append(cells)
    for row, cells in zip(rows, bare, strict=True):
        row.cells = cells


def _brace_first_script(cell: list[Node]) -> None:
    """Braces a script at the start of a cell, whose base will be the empty group in front of it."""
    node = cell[0] if cell else None
    while isinstance(node, Scripts) and isinstance(node.base, Scripts):
        node = node.base
    if isinstance(node, Scripts) and node.base is None:
        node.marks = [
            (sign, script if isinstance(script, Group) else Group([script]))
            for sign, script in node.marks
        ]
