r"""Inserts markers into sanitised markup that name, in the DVI file, the ink behind them.

DVI contains the positions of glyphs, not their meaning: `\neq` is a slash and an equals sign,
`\sin` three letters, a tall bracket a stack of pieces. So a formula is typeset twice: as it is, for
the positions, and with a `\special` in front of everything that draws, for the tokens (`matching`
joins the two). Markers may cost a kern or a ligature; only the order of the glyphs must stay. It
does, as markers keep three rules: scripts stay attached to their base; the content of an argument
is enclosed in a pair of markers of its own (so that a bar or a bracket drawn behind it still
belongs to the command); and no marker stands where TeX expects something else (a length, a
delimiter, `\hline`).

The macros of markers are not on the allow-list, so no formula can forge a marker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from im2tex.latex.tokens import END, TokenCursor, join_tokens
from im2tex.render.layout import commands
from im2tex.render.markup import allowlist
from im2tex.render.markup.sanitizer import MarkupPiece
from im2tex.render.rendering import Cause, RenderError

MAX_DEPTH = 200
"""Rows and arguments within each other, with braces or without: each takes calls of Python's."""

DEFINITIONS = r"""
\let\imspecial\special
\def\immark#1{\imspecial{#1}}
\def\imin{\imspecial{+}}
\def\imout{\imspecial{-}}

\def\imrows{\def\arraystretch{1.2}\array{@{}l@{\quad}l@{}}}
\def\endimrows{\endarray}
"""
r"""For the head of the format: markers, before `\special` loses its name; `cases` without brace."""

_IN, _OUT = "\\imin ", "\\imout "
_CELL_ENDS = frozenset(["&", "\\\\", "\\cr"])


@dataclass(frozen=True, slots=True)
class Marker:
    r"""Describes the ink behind a marker.

    Attributes:
        token: command or character that draws it.
        start: where the token begins in the source, in characters.
        style: font that it is set in, one of `layout.STYLES`.
        math_style: TeX's style: 0 display, 1 text, 2 script, 3 scriptscript.
        delimiter: whether it stands behind `\left`, `\big` or the like.
        end: for an environment, where its end begins in the source.
        base: the letter below an accent of text.
    """

    token: str
    start: int
    style: str
    math_style: int
    delimiter: bool = False
    end: int | None = None
    base: MarkupPiece | None = None


def insert_markers(pieces: Sequence[MarkupPiece]) -> tuple[str, list[Marker]]:
    """Inserts a marker in front of everything that draws.

    Args:
        pieces: a sanitised formula.

    Returns:
        The markup for a format with `DEFINITIONS`, and the markers by number.

    Raises:
        RenderError: if it is nested too deep.
    """
    inserter = _MarkerInserter(pieces)
    texts = inserter.row(frozenset())
    return join_tokens([text for text in texts if text]), inserter.markers


def unify_braces_of_cases(pieces: Sequence[MarkupPiece]) -> list[MarkupPiece]:
    r"""Removes the second brace of `cases` in normal form.

    The normal form has `\left\{ \begin{cases} … \end{cases} \right.`, as the paper's labels do; the
    paper's images show one brace.
    """
    found = list(pieces)
    solid = [index for index, piece in enumerate(found) if piece.text != " "]
    opened: list[bool] = []
    for at, index in enumerate(solid):
        text = found[index].text
        if text == "\\begin{cases}":
            before = [found[other].text for other in solid[max(0, at - 2) : at]]
            opened.append(before == ["\\left", "\\{"])
            if opened[-1]:
                found[index] = found[index]._replace(text="\\begin{imrows}")
        elif text == "\\end{cases}" and opened and opened.pop():
            found[index] = found[index]._replace(text="\\end{imrows}")
    return found


class _MarkerInserter(TokenCursor):
    """Walks over the pieces of a formula. Each method reads pieces and returns their markup."""

    def __init__(self, pieces: Sequence[MarkupPiece]) -> None:
        super().__init__((piece.text for piece in pieces), MAX_DEPTH)
        self.pieces = pieces
        self.style = ""
        self.math_style = 0
        self.text = False  # in text, where `'` is an apostrophe
        self.markers: list[Marker] = []

    def too_deep(self) -> RenderError:
        return RenderError(Cause.LIMIT, f"rows and arguments nested more than {MAX_DEPTH} deep")

    @contextmanager
    def scope(
        self, *, math_style: int | None = None, text: bool | None = None, style: str | None = None
    ) -> Iterator[None]:
        """Changes the font, TeX's style and text mode within a block."""
        outer = self.style, self.math_style, self.text
        self.style = self.style if style is None else style
        self.math_style = self.math_style if math_style is None else math_style
        self.text = self.text if text is None else text
        yield
        self.style, self.math_style, self.text = outer

    def row(self, ends: frozenset[str]) -> list[str]:
        r"""Reads up to one of `ends` or an `\end`, and not beyond."""
        self.enter()
        out: list[str] = []
        first = len(self.markers)
        with self.scope():
            while (piece := self.peek()) not in ends and piece != END and piece[:5] != "\\end{":
                out += self.infix(out, ends, first) if piece in allowlist.INFIXES else self.item()
        self.depth -= 1
        return out

    def infix(self, numerator: list[str], ends: frozenset[str], first: int) -> list[str]:
        r"""Reads `\over` or the like, and the denominator.

        Args:
            numerator: markup of the row so far; left empty.
            ends: tokens that end the row.
            first: number of the row's first marker.
        """
        for number in range(first, len(self.markers)):
            smaller = commands.fraction_style(self.markers[number].math_style)
            self.markers[number] = replace(self.markers[number], math_style=smaller)
        marker = self.marker()
        self.math_style = commands.fraction_style(self.math_style)
        command = [self.take()]
        if command[0].endswith("withdelims"):
            command += [self.take_solid(), self.take_solid()]
        elif command[0] == "\\above":
            command.append(self.take())
        above = ["{", _IN, *numerator, _OUT, "}"]
        numerator.clear()
        return [marker, "{", *above, *command, "{", _IN, *self.row(ends), _OUT, "}", "}"]

    def item(self) -> list[str]:  # noqa: PLR0911 - a line for each kind
        """Reads a symbol, a group, a script, or a command with its arguments."""
        piece = self.peek()
        if piece == "{":
            return self.group()
        if piece == "$":
            return self.formula_in_text()
        if piece == "'" and not self.text:
            return self.primes()
        if piece in ("^", "_", "\\sp", "\\sb") and not self.text:
            return [self.take(), *self.argument(commands.script_style(self.math_style))]
        if piece in (" ", "~", "&") or piece in commands.INVISIBLE or piece in _CELL_ENDS:
            return [self.take(), *self.verbatim()]
        if piece in allowlist.SIZED_DELIMITERS:
            return self.delimiter()
        if piece[:7] == "\\begin{":
            return self.environment()
        return self.command() if piece[0] == "\\" and len(piece) > 1 else self.symbol()

    def symbol(self) -> list[str]:
        """Reads a token that draws and takes nothing."""
        return [self.marker(), self.take()]

    def command(self) -> list[str]:  # noqa: PLR0911 - a line for each kind
        """Reads a control sequence and its arguments."""
        piece = self.peek()
        if piece in allowlist.SWITCHES:
            return self.switch()
        if piece in commands.LINES:
            return self.line()
        if piece in commands.TEXT_ACCENTS:
            return self.text_accent()
        if piece in commands.PLAIN_ARRAYS:
            environment = commands.PLAIN_ARRAYS[piece]
            out = [self.marker(environment), self.take(), self.take_solid()]
            return [*out, *self.cells(environment[7:-1], frozenset("}")), self.take()]
        if piece == "\\multicolumn":
            return [self.take(), *self.unmarked(), *self.unmarked(), *self.argument()]
        if piece == "\\buildrel":
            return self.until("\\over")
        if piece == "\\sideset":
            scripts = [self.take(), *self.argument(), *self.argument()]
            # \\nolimits stands behind the operator: no marker may come in between.
            self.skip_spaces()
            return [*scripts, "{", *self.symbol(), "}"]
        if piece == "\\root":
            return [self.marker(), *self.until("\\of")]
        arguments = allowlist.ARGUMENTS.get(piece, 0) or allowlist.REPEATING.get(piece, 0)
        arguments = 1 if piece in commands.ONE_ARGUMENT else arguments
        return self.with_arguments(arguments) if arguments else self.symbol()

    def switch(self) -> list[str]:
        """Reads a command that changes the font, the style or the position of the next items."""
        piece = self.take()
        self.style = commands.SWITCHES.get(piece, self.style)
        self.math_style = commands.SIZES.get(piece, self.math_style)
        is_length = len(self.peek()) > 1 and self.peek()[-1] == " "
        if piece in allowlist.BARE_LENGTHS and is_length:
            return [piece, self.take()]
        return [piece, *self.unmarked()] if piece == "\\noalign" else [piece]

    def with_arguments(self, arguments: int) -> list[str]:
        """Reads a command and its arguments."""
        command = self.peek()
        out = [self.marker()] if command in commands.DRAWING else []
        out.append(self.take())
        if self.peek_solid() == "*" and command in commands.STARRED:
            out.append(self.take_solid())
        if self.peek_solid() == "[":
            out.append(self.take_solid())
            if command in commands.CONTENT_BRACKETS:
                inner = 3 if command == "\\sqrt" else commands.script_style(self.math_style)
                with self.scope(math_style=inner):
                    out += [_IN, *self.row(frozenset("]")), _OUT, self.take()]
            else:
                while (piece := self.take()) not in ("]", END):
                    out.append(piece)
                out.append("]")
        lengths = self.verbatim()
        text = (self.text or command in commands.TEXT) and command != "\\ensuremath"
        with self.scope(style=commands.FONTS.get(command, self.style), text=text):
            for index in range(arguments - sum(length[0] == "{" for length in lengths)):
                style = commands.argument_style(command, index, self.math_style)
                out += [*lengths, *self.argument(style)]
                lengths = []
        return out + lengths

    def text_accent(self) -> list[str]:
        r"""Reads an accent of text, `\'e`: no marker may stand between it and its letter."""
        number = len(self.markers)
        out = [self.marker(), self.take()]
        first = self.at
        out += self.unmarked()
        letters = [piece for piece in self.pieces[first : self.at] if piece.text.isalpha()]
        if len(letters) == 1:
            self.markers[number] = replace(self.markers[number], base=letters[0])
        return out

    def until(self, word: str) -> list[str]:
        """Reads a command of plain TeX's whose first argument ends with a word."""
        out = [self.take(), "{", _IN, *self.row(frozenset([word])), _OUT, "}"]
        return [*out, self.take(), *self.argument()] if self.peek() == word else out

    def group(self) -> list[str]:
        """Reads braces and their content."""
        self.take()
        inside = self.row(frozenset("}"))
        self.take()
        return ["{", _IN, *inside, _OUT, "}"]

    def argument(self, math_style: int | None = None) -> list[str]:
        """Reads an argument or a script: a group, or one item without its scripts.

        Args:
            math_style: TeX's style in it, if it changes.
        """
        self.skip_spaces()
        piece = self.peek()
        if piece in ("}", END) or piece in _CELL_ENDS:
            return []
        self.enter()
        with self.scope(math_style=math_style):
            out = self.group() if piece == "{" else ["{", _IN, *self.item(), _OUT, "}"]
        self.depth -= 1
        return out

    def primes(self) -> list[str]:
        r"""Reads primes and the superscript behind them, which TeX joins, as `^{\prime …}`."""
        out = ["^", "{", _IN]
        with self.scope(math_style=commands.script_style(self.math_style)):
            while self.peek_solid() == "'":
                self.skip_spaces()
                out += [self.marker("\\prime"), "\\prime"]
                self.take()
            if self.peek_solid() == "^":
                self.take_solid()
                out += self.argument()
        return [*out, _OUT, "}"]

    def formula_in_text(self) -> list[str]:
        """Reads a formula between dollars."""
        self.take()
        with self.scope(text=False, math_style=max(1, self.math_style)):
            inside = self.row(frozenset("$"))
        self.take()
        return ["$", _IN, *inside, _OUT, "$"]

    def delimiter(self) -> list[str]:
        r"""Reads `\left` … `\right`, or a delimiter of a given size."""
        command = self.take()
        if self.peek_solid() == "{":
            # \big{(}
            brace = self.take_solid()
            out = [self.marker(delimiter=True), command, brace, self.take_solid()]
            return [*out, self.take_solid()] if self.peek_solid() == "}" else out
        self.skip_spaces()
        out = [self.marker(delimiter=True), command, self.take()]
        if command != "\\left":
            return out
        with self.scope(text=False):
            out += [_IN, *self.row(frozenset(["\\right"])), _OUT]
        right = self.take()
        self.skip_spaces()
        return [*out, self.marker(delimiter=True), right, self.take()]

    def environment(self) -> list[str]:
        """Reads an environment with its cells."""
        number = len(self.markers)
        out = [self.marker(), self.take()]
        name = out[1][7:-1]
        out += [*self.verbatim(), *self.cells(name, frozenset())]
        if self.at < len(self.pieces):
            end = self.pieces[self.at].start
            self.markers[number] = replace(self.markers[number], end=end)
        return [*out, self.take()]

    def cells(self, environment: str, ends: frozenset[str]) -> list[str]:
        """Reads the cells of an array, with line ends and lines between rows."""
        out: list[str] = []
        with self.scope(math_style=commands.CELLS.get(environment, 1), text=False):
            while True:
                while self.peek_solid() in commands.LINES or self.peek_solid() == "\\noalign":
                    self.skip_spaces()
                    out += self.command()
                spans = self.peek_solid() == "\\multicolumn"
                cell = self.row(ends | _CELL_ENDS)
                out += cell if spans or not "".join(cell).strip() else [_IN, *cell, _OUT]
                if self.peek() not in _CELL_ENDS:
                    return out
                out.append(self.take())
                if self.peek() == "*":
                    out.append(self.take())
                out += self.verbatim()

    def line(self) -> list[str]:
        """Reads a line between the rows of an array."""
        out = ["\\noalign{", _IN, self.marker(), "}", self.take()]
        if out[-1] == "\\cline":
            out += self.unmarked()
        return [*out, "\\noalign{", _OUT, "}"]

    def verbatim(self) -> list[str]:
        """Reads lengths and column specifications, single pieces."""
        out = []
        while len(self.peek()) > 1 and self.peek()[0] in "{[":
            out.append(self.take())
        return out

    def unmarked(self) -> list[str]:
        """Reads an argument that draws nothing, or that must not hold markers."""
        self.skip_spaces()
        first, self.at = self.at, self.group_end()
        return self.tokens[first : self.at]

    def marker(self, token: str = "", *, delimiter: bool = False) -> str:
        """Returns a marker for the next piece."""
        if self.peek() == END:
            return ""
        piece = self.pieces[self.at]
        text = token or piece.text
        self.markers.append(Marker(text, piece.start, self.style, self.math_style, delimiter))
        return f"\\immark{{{len(self.markers) - 1}}}"
