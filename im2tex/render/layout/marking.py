r"""Puts marks into checked markup: one walk that knows what each command takes and draws.

What marks are, and the rules that they keep, is told in `marks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from im2tex.render.layout import commands, styles
from im2tex.render.layout.cursor import Cursor
from im2tex.render.layout.marks import IN, OUT, Mark
from im2tex.render.markup import allowlist
from im2tex.render.markup.sanitizer import MarkupPiece
from im2tex.render.rendering import Cause, RenderError

MAX_DEPTH = 200
"""Rows and arguments within each other, with braces or without: each takes calls of Python's."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A formula with marks.

    Attributes:
        markup: to be set by a format that knows the marks.
        marks: what each says, by its number.
    """

    markup: str
    marks: tuple[Mark, ...]


def marked(pieces: Sequence[MarkupPiece]) -> Marked:
    """Puts a mark in front of everything that draws.

    Args:
        pieces: a checked formula.

    Raises:
        RenderError: if it is nested too deep.
    """
    marker = _Marker(pieces)
    out = marker.row(frozenset())
    return Marked(_joined(out), tuple(marker.marks))


def _joined(out: Sequence[str]) -> str:
    r"""The markup: with a space between a control word and a letter."""
    parts: list[str] = []
    last = ""
    for text in out:
        if text[:1].isalpha() and last[:1] == "\\" and last[-1].isalpha():
            parts.append(" ")
        parts.append(text)
        last = text or last
    return "".join(parts)


_CELL_ENDS = frozenset(["&", "\\\\", "\\cr"])


class _Marker(Cursor):
    """One walk over a formula's pieces. Each method writes what begins where it stands."""

    def __init__(self, pieces: Sequence[MarkupPiece]) -> None:
        super().__init__(pieces)
        self.style = ""
        self.size = 0  # TeX's style, as in `Mark`
        self.text = False  # whether this is text, where `'` is an apostrophe
        self.marks: list[Mark] = []
        self.depth = 0

    def enter(self) -> None:
        """Goes one level deeper."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RenderError(Cause.LIMIT, f"rows and arguments nested more than {MAX_DEPTH} deep")

    def row(self, ends: frozenset[str]) -> list[str]:
        r"""Everything up to one of `ends` or an `\end`, which is left standing."""
        self.enter()
        out: list[str] = []
        style, size, first = self.style, self.size, len(self.marks)
        while (piece := self.peek()) and piece not in ends and piece[:5] != "\\end{":
            out += self.infix(out, ends, first) if piece in commands.INFIXES else self.item()
        self.style, self.size = style, size
        self.depth -= 1
        return out

    def infix(self, numerator: list[str], ends: frozenset[str], first: int) -> list[str]:
        r"""`\over` and its like: takes the row so far as its numerator.

        Args:
            numerator: what is written of the row; left empty.
            ends: what ends the row.
            first: number of the row's first mark.
        """
        for number in range(first, len(self.marks)):
            size = styles.smaller(self.marks[number].size)
            self.marks[number] = replace(self.marks[number], size=size)
        mark = self.mark()
        self.size = styles.smaller(self.size)
        command = [self.take()]
        if command[0].endswith("withdelims"):
            command += [self.take_solid(), self.take_solid()]
        elif command[0] == "\\above":
            command.append(self.take())
        above = ["{", IN, *numerator, OUT, "}"]
        numerator.clear()
        return [mark, "{", *above, *command, "{", IN, *self.row(ends), OUT, "}", "}"]

    def item(self) -> list[str]:  # noqa: PLR0911 - one line for each that is unlike the others
        """One symbol, group, script, or command with its arguments."""
        piece = self.peek()
        if piece == "{":
            return self.group()
        if piece == "$":
            return self.formula_in_text()
        if piece == "'" and not self.text:
            return self.primes()
        if piece in ("^", "_", "\\sp", "\\sb") and not self.text:
            return [self.take(), *self.argument(styles.script(self.size))]
        if piece in (" ", "~", "&") or piece in commands.INVISIBLE or piece in _CELL_ENDS:
            return [self.take(), *self.verbatim()]
        if piece in commands.DELIMITING:
            return self.delimiter()
        if piece[:7] == "\\begin{":
            return self.environment()
        return self.command() if piece[0] == "\\" and len(piece) > 1 else self.symbol()

    def symbol(self) -> list[str]:
        """Something that draws and takes nothing."""
        return [self.mark(), self.take()]

    def command(self) -> list[str]:  # noqa: PLR0911 - one line for each that is unlike the others
        """A control sequence."""
        piece = self.peek()
        if piece in commands.SWITCHING:
            self.style = commands.SWITCHES.get(piece, self.style)
            self.size = commands.SIZES.get(piece, self.size)
            out = [self.take()]
            if piece in allowlist.BARE_LENGTHS and _is_length(self.peek()):
                out.append(self.take())
            elif piece == "\\noalign":
                out += self.untouched()
            return out
        if piece in commands.LINES:
            return self.line()
        if piece in commands.TEXT_ACCENTS:
            return self.text_accent()
        if piece in commands.PLAIN_ARRAYS:
            environment = commands.PLAIN_ARRAYS[piece]
            out = [self.mark(environment), self.take(), self.take_solid()]
            size, self.size = self.size, commands.CELLS.get(environment[7:-1], 1)
            out += [*self.cells(frozenset("}")), self.take()]
            self.size = size
            return out
        if piece == "\\multicolumn":
            return [self.take(), *self.untouched(), *self.untouched(), *self.argument()]
        if piece == "\\buildrel":
            return self.until("\\over")
        if piece == "\\sideset":
            scripts = [self.take(), *self.argument(), *self.argument()]
            # \\nolimits stands behind the operator: no mark may come in between.
            self.take_spaces()
            return [*scripts, "{", *self.symbol(), "}"]
        if piece == "\\root":
            return [self.mark(), *self.until("\\of")]
        arguments = allowlist.ARGUMENTS.get(piece, 0) or allowlist.REPEATING.get(piece, 0)
        arguments = 1 if piece in commands.ONE_ARGUMENT else arguments
        if not arguments:
            return self.symbol()
        return self.with_arguments(arguments)

    def with_arguments(self, arguments: int) -> list[str]:
        """A command and what it takes."""
        command = self.peek()
        out = [self.mark()] if command in commands.DRAWING else []
        out.append(self.take())
        if self.next_solid() == "*" and command in commands.STARRED:
            out.append(self.take_solid())
        style, text = self.style, self.text
        if self.next_solid() == "[":
            out.append(self.take_solid())
            if command in commands.CONTENT_BRACKETS:
                size, self.size = self.size, 3 if command == "\\sqrt" else styles.script(self.size)
                out += [IN, *self.row(frozenset("]")), OUT, self.take()]
                self.size = size
            else:
                while (piece := self.take()) and piece != "]":
                    out.append(piece)
                out.append("]")
        lengths = self.verbatim()
        self.style = commands.FONTS.get(command, style)
        self.text = (text or command in commands.TEXT) and command != "\\ensuremath"
        for number in range(arguments - sum(length[0] == "{" for length in lengths)):
            out += [*lengths, *self.argument(styles.of_argument(command, number, self.size))]
            lengths = []
        self.style, self.text = style, text
        return out + lengths

    def text_accent(self) -> list[str]:
        r"""An accent as text has it, `\'e`: TeX puts it on a letter, and no mark may intervene."""
        number = len(self.marks)
        out = [self.mark(), self.take()]
        first = self.at
        out += self.untouched()
        letters = [piece for piece in self.pieces[first : self.at] if piece.text.isalpha()]
        if len(letters) == 1:
            self.marks[number] = replace(self.marks[number], carried=letters[0])
        return out

    def until(self, word: str) -> list[str]:
        """Plain TeX's commands whose first argument ends with a word."""
        out = [self.take(), "{", IN, *self.row(frozenset([word])), OUT, "}"]
        return [*out, self.take(), *self.argument()] if self.peek() == word else out

    def group(self) -> list[str]:
        """Braces and what they hold."""
        self.take()
        inside = self.row(frozenset("}"))
        self.take()
        return ["{", IN, *inside, OUT, "}"]

    def argument(self, size: int | None = None) -> list[str]:
        """What a command or script takes: a group, or one thing without its scripts.

        Args:
            size: TeX's style in it, if that is another.
        """
        self.take_spaces()
        piece = self.peek()
        if not piece or piece == "}" or piece in _CELL_ENDS:
            return []
        self.enter()
        outer, self.size = self.size, self.size if size is None else size
        out = self.group() if piece == "{" else ["{", IN, *self.item(), OUT, "}"]
        self.size = outer
        self.depth -= 1
        return out

    def primes(self) -> list[str]:
        r"""Primes and the superscript behind them, which TeX makes one: as `^{\prime …}`."""
        out = ["^", "{", IN]
        size, self.size = self.size, styles.script(self.size)
        while self.next_solid() == "'":
            self.take_spaces()
            out += [self.mark("\\prime"), "\\prime"]
            self.take()
        if self.next_solid() == "^":
            self.take_solid()
            out += self.argument()
        self.size = size
        return [*out, OUT, "}"]

    def formula_in_text(self) -> list[str]:
        """A formula between dollars."""
        self.take()
        text, self.text = self.text, False
        size, self.size = self.size, max(1, self.size)
        inside = self.row(frozenset("$"))
        self.text, self.size = text, size
        self.take()
        return ["$", IN, *inside, OUT, "$"]

    def delimiter(self) -> list[str]:
        r"""`\left` … `\right`, or a delimiter of a given size."""
        command = self.take()
        if self.next_solid() == "{":
            # \big{(}
            brace = self.take_solid()
            out = [self.mark(delimiter=True), command, brace, self.take_solid()]
            return [*out, self.take_solid()] if self.next_solid() == "}" else out
        out = [self.delimiter_mark(), command, self.take_solid()]
        if command != "\\left":
            return out
        text, self.text = self.text, False
        out += [IN, *self.row(frozenset(["\\right"])), OUT]
        self.text = text
        right = self.take()
        return [*out, self.delimiter_mark(), right, self.take_solid()]

    def delimiter_mark(self) -> str:
        """A mark for the delimiter that comes next."""
        self.take_spaces()
        return self.mark(delimiter=True)

    def environment(self) -> list[str]:
        """An environment with its cells."""
        number = len(self.marks)
        mark = self.mark()
        out = [mark, self.take()]
        name = out[1][7:-1]
        out += self.verbatim()
        size, self.size = self.size, commands.CELLS.get(name, 1)
        out += self.cells(frozenset())
        self.size = size
        end = self.pieces[self.at].start if self.at < len(self.pieces) else None
        self.marks[number] = replace(self.marks[number], end=end)
        return [*out, self.take()]

    def cells(self, ends: frozenset[str]) -> list[str]:
        """The cells of an array, and what stands between its rows."""
        out: list[str] = []
        text, self.text = self.text, False
        while True:
            while self.next_solid() in commands.LINES or self.next_solid() == "\\noalign":
                self.take_spaces()
                out += self.command()
            bare = self.next_solid() == "\\multicolumn"
            cell = self.row(ends | _CELL_ENDS)
            out += cell if bare or not "".join(cell).strip() else [IN, *cell, OUT]
            if self.peek() not in _CELL_ENDS:
                self.text = text
                return out
            out.append(self.take())
            if self.peek() == "*":
                out.append(self.take())
            out += self.verbatim()

    def line(self) -> list[str]:
        """A line between the rows of an array."""
        out = ["\\noalign{", IN, self.mark(), "}", self.take()]
        if out[-1] == "\\cline":
            out += self.untouched()
        return [*out, "\\noalign{", OUT, "}"]

    def mark(self, token: str = "", *, delimiter: bool = False) -> str:
        """A mark for the piece that stands here."""
        if self.at >= len(self.pieces):
            return ""
        piece = self.pieces[self.at]
        self.marks.append(
            Mark(token or piece.text, piece.start, self.style, delimiter, size=self.size)
        )
        return f"\\immark{{{len(self.marks) - 1}}}"


def _is_length(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == " "
