r"""Sanitises untrusted LaTeX so that it can be typeset in a batch.

Only commands of the allow-list pass (`allowlist`); braces, environments and `\left … \right` match;
and the markup is written anew from its tokens, so that TeX reads nothing but checked tokens:
comments are gone, a `^^` cannot spell a character, a line end cannot hide. The work of typesetting
is bounded before TeX runs.

Spellings of normalised markup that TeX would not read are repaired: lengths letter by letter
(`\hspace { 1 . 5 c m }`), separate primes (`f ' '`), a table's line inside the braces of its first
cell, no columns where the reference form lost `*{20}{c}`. Dollars or brackets around a whole
formula are removed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from im2tex.latex.characters import to_ascii
from im2tex.latex.tokens import LatexError, Token, TokenKind, tokenize
from im2tex.render.markup import allowlist, columns, spelling
from im2tex.render.markup.argument_cursor import (
    ArgumentCursor,
    LookaheadBudget,
    as_length,
    join_solid,
)
from im2tex.render.markup.nesting import Nesting
from im2tex.render.rendering import Cause, RenderError

VERSION = 3
"""Part of a renderer's signature: raise it whenever sanitised markup changes."""

MAX_CHARACTERS = 20_000

_MAX_NESTED = 10  # column specifications with arrays in them, within each other
_OTHER_POSITIONS = frozenset("hHlrm")  # LaTeX centres an array whose position it does not know
_UNKNOWN_COLUMNS = "*{50}{c}"  # columns that no row uses take no space


class MarkupPiece(NamedTuple):
    """A token of sanitised markup, or several joined tokens, such as a length in braces.

    Attributes:
        text: sanitised; a single space separates words that would run together.
        start: index of its first character in the source.
    """

    text: str
    start: int


def sanitize(markup: str) -> str:
    r"""Sanitises a formula.

    Args:
        markup: math markup without dollars around it.

    Returns:
        Printable markup in one line, without comments, of commands on the allow-list.

    Raises:
        RenderError: with the reason, if it must not or cannot be typeset.

    Example:
        >>> sanitize(r"\hspace { 1 . 5 c m } x % comment")
        '\\hspace{1.5cm} x'
    """
    return "".join(piece.text for piece in sanitize_to_pieces(markup)).lstrip(" ")


def sanitize_to_pieces(markup: str) -> list[MarkupPiece]:
    """Sanitises a formula as `sanitize`, into pieces with their positions.

    If the markup has characters beyond ASCII, positions refer to its ASCII form.

    Raises:
        RenderError: as `sanitize`.
    """
    _check_length(markup)
    try:
        markup = to_ascii(unicodedata.normalize("NFC", markup).translate(spelling.TEXT_LETTERS))
        _check_length(markup)
        # The line end behind a formula makes a space of a backslash at its end.
        tokens = tokenize(markup + "\n", spaces=True)
    except LatexError as error:
        raise _unreadable_error(f"{error.reason} at character {error.position}") from None
    sanitizer = _Sanitizer(spelling.strip_display(tokens))
    if not sanitizer.run():
        raise RenderError(Cause.BLANK, "there is no markup")
    return sanitizer.out


class _Sanitizer(ArgumentCursor):
    """One pass over the tokens, with the stack of open levels.

    Args:
        source: tokens of the formula, or of a part of it, spaces kept.
        nesting: around the part.
        budget: see `ArgumentCursor`.
        nested: number of column specifications around the part.
    """

    def __init__(
        self,
        source: Sequence[Token],
        nesting: Nesting | None = None,
        budget: LookaheadBudget | None = None,
        nested: int = 0,
    ) -> None:
        super().__init__(source, budget)
        self.nesting = nesting or Nesting()
        self.nested = nested
        self.rows = 1 + sum(token in ("\\\\", "\\cr") for token in self.tokens)
        self.out: list[MarkupPiece] = []
        self.start = 0
        self.spelled_until = 0  # up to this token, text is spelled letter by letter

    def run(self) -> str:
        """Sanitises all tokens and returns the markup."""
        while self.at < len(self.source):
            token = self.source[self.at]
            self.nesting.leave_brackets(self.at)
            self.at += 1
            self.start = token.start
            self.nesting.add_work(1)
            self._token(token)
        self.nesting.require_closed()
        while self.out and self.out[-1].text == " ":
            self.out.pop()
        return "".join(piece.text for piece in self.out).lstrip(" ")

    def _token(self, token: Token) -> None:
        text, kind = token.text, token.kind
        if kind is TokenKind.WORD:
            self._word(text)
        elif kind is TokenKind.SYMBOL:
            if text in ("\\(", "\\)") and self.nesting.end:
                text = "$"  # math inside of text
            elif text not in allowlist.CONTROL_SYMBOLS:
                raise _refused_error(text)
            self._append(text)
            if text in allowlist.BRACKETED:
                self._read_bracket(length=True)
        elif kind is TokenKind.OPEN:
            if self.nesting.end.startswith("\\end{"):
                self._lines_of_table()
            self.nesting.enter("}")
            self._append("{")
        elif kind is TokenKind.CLOSE:
            self.nesting.leave("}", "a }")
            self._append("}")
        elif kind is TokenKind.SHIFT and not self.nesting.end:
            raise _unreadable_error("a $ outside of text ends the formula")
        elif kind is TokenKind.PARAMETER:
            raise _unreadable_error("a bare #")
        elif kind is TokenKind.SUPERSCRIPT and self._last_piece().endswith("^"):
            # TeX reads ^^ as a way to spell any character.
            raise _unreadable_error("^ directly behind ^")
        elif kind is not TokenKind.SPACE or not (
            self._is_between_primes() or self.at <= self.spelled_until
        ):
            self._append(text)

    def _word(self, text: str) -> None:
        # The tokenizer counts @ among the letters, as inside of a package.
        text, at, rest = text.partition("@")
        text = allowlist.RENAMED.get(text, text)
        if text in ("\\begin", "\\end") and not at:
            self._environment(text)
        elif text in allowlist.DROPPED or text in allowlist.REFERENCES:
            for _ in range(allowlist.DROPPED.get(text, 1)):
                self.argument(text)
            if text in allowlist.REFERENCES:
                self._append("\\imreference")
        elif text in allowlist.CHARACTERS:
            self._append(allowlist.CHARACTERS[text])
        elif text not in allowlist.WORDS:
            raise _refused_error(text)
        else:
            self._command(text)
        if at:
            self._append(at + rest)

    def _command(self, text: str) -> None:
        if text == "\\left":
            self.nesting.enter("\\right")
        elif text == "\\right":
            self.nesting.leave("\\right", "a \\right")
        elif text in ("\\root", "\\of"):
            self.nesting.delimit(ends=text == "\\of")
        elif text in allowlist.REPEATING:
            self.nesting.repeat_arguments(allowlist.REPEATING[text])
        # The star of \vspace keeps the space at the top of a page, which a formula does not have.
        starred = text in ("\\vspace", "\\tag") and self._take_star()
        self._append(("\\imtags" if starred else "\\imtag") if text == "\\tag" else text)
        if text in allowlist.BRACKETED:
            self._read_bracket(length=text in allowlist.LENGTHS or text == "\\makebox")
        if text in allowlist.TEXTUAL:
            end = spelling.spelled_text_end(self.source, self.at)
            self.spelled_until = max(self.spelled_until, end)
            self.budget.spend(max(0, end - self.at))
        if text in allowlist.COUNTED:
            self._count(text)
        if text == "\\multicolumn":
            self._append("{" + self._columns(self.argument(text), rows=1) + "}")
        if text == "\\genfrac":
            self._fraction()
        for _ in range(allowlist.LENGTHS.get(text, 0)):
            self._read_length()
        if text in allowlist.BARE_LENGTHS:
            length = self.bare_length()
            if length:
                self.skip_spaces()
                self._append(length + " ")

    def _take_star(self) -> bool:
        """Reads a star that may come next."""
        at = self.at
        self.skip_spaces()
        if self.take_if("*"):
            return True
        self.at = at
        return False

    def _count(self, owner: str) -> None:
        """Reads a number or range of columns, which TeX would count up to one by one."""
        self.skip_spaces()
        if self.peek() == "[":
            end = self.closing("]", "[")
            factor = self._text_up_to(end)
            if not factor.replace(".", "", 1).isdecimal() or len(factor) > 4:
                raise RenderError(Cause.REFUSED, f"[{factor[:40]}] behind {owner}")
            self._append(f"[{factor}]")
            self.at = end + 1
        numbers = self.numbers(owner)
        if max(numbers) > columns.MAX_COLUMNS:
            raise RenderError(Cause.LIMIT, f"more than {columns.MAX_COLUMNS} columns")
        self.nesting.add_work(max(numbers))
        self._append("{" + "-".join(map(str, numbers)) + "}")

    def _fraction(self) -> None:
        r"""Reads the arguments of `\genfrac` in front of numerator and denominator."""
        for _ in range(2):
            delimiter = join_solid(self.argument("\\genfrac"))
            if delimiter and delimiter not in allowlist.DELIMITERS:
                raise RenderError(Cause.REFUSED, f"{delimiter[:40]} as a delimiter")
            self._append(f"{{{delimiter}}}")
        thickness, style = self.argument("\\genfrac"), self.argument("\\genfrac")
        length, number = as_length(thickness), join_solid(style)
        if number not in ("", "0", "1", "2", "3") or (not length and join_solid(thickness)):
            raise RenderError(Cause.REFUSED, "\\genfrac needs a length and a style from 0 to 3")
        self._append(f"{{{length}}}{{{number}}}")

    def _environment(self, text: str) -> None:
        given = join_solid(self.group(text))
        name = allowlist.DISPLAYS.get(given, given)
        if name not in allowlist.ENVIRONMENTS:
            raise RenderError(
                Cause.REFUSED, f"{text}{{{given[:40]}}} is no environment of a formula's inside"
            )
        if text == "\\end":
            self.nesting.leave(f"\\end{{{given}}}", f"an \\end{{{given}}}")
            self._append(f"\\end{{{name}}}")
            return
        begin = f"\\begin{{{name}}}"
        self.nesting.enter(f"\\end{{{given}}}")
        self._append(begin)
        if name in allowlist.POSITIONED:
            self._vertical_position(name)
        if given.rstrip("*") == "eqnarray":
            self._append("{rcl}")
        elif name in allowlist.COLUMNED:
            specification = self._columns(self.group(begin), rows=self.rows)
            self._append("{" + (specification or _UNKNOWN_COLUMNS) + "}")
        elif name == "alignedat":
            self._count(begin)
        elif name[1:] == "matrix" or name == "matrix":
            self.nesting.add_work(columns.column_work(columns.MAX_MATRIX_COLUMNS))

    def _vertical_position(self, name: str) -> None:
        """Reads the position of an environment on its line, in brackets."""
        at = self.at
        self.skip_spaces()
        if self.peek() != "[":
            self.at = at
            return
        end = self.closing("]", "[")
        position = self._text_up_to(end)
        columned = name in allowlist.COLUMNED
        if position in ("t", "c", "b", "") or (columned and position in _OTHER_POSITIONS):
            self._append(f"[{position}]")
            self.at = end + 1
        elif columned:
            raise RenderError(Cause.REFUSED, f"[{position[:40]}] behind \\begin{{{name}}}")
        else:
            # A bracket that belongs to the first cell must not be read as a position.
            self._append("{}")

    def _columns(self, tokens: Sequence[Token], *, rows: int) -> str:
        """Returns a sanitised column specification."""
        sanitizer = columns.ColumnSanitizer(self.nesting, self.budget, rows, self._insertion)
        return sanitizer.sanitize(tokens)

    def _insertion(self, tokens: Sequence[Token], nesting: Nesting) -> str:
        """Returns the sanitised content of an insertion between columns."""
        if self.nested >= _MAX_NESTED:
            raise RenderError(Cause.LIMIT, f"arrays between columns more than {_MAX_NESTED} deep")
        return _Sanitizer(tokens, nesting, self.budget, self.nested + 1).run()

    def _lines_of_table(self) -> None:
        """Moves the lines of a table out of the group that begins here, to before it."""
        while self.peek_solid() == "\\hline":
            self.take_solid()
            self._append("\\hline")

    def _is_between_primes(self) -> bool:
        """Whether a space here separates a prime from the prime or exponent behind it."""
        return self._last_piece() == "'" and self.peek() in ("'", "^")

    def _text_up_to(self, end: int) -> str:
        """Returns the content of the bracket that comes next and closes at an index."""
        return "".join(self.tokens[self.at + 1 : end]).strip()

    def _last_piece(self) -> str:
        return self.out[-1].text if self.out else ""

    def _append(self, text: str) -> None:
        # A control word must not run into letters that stood apart from it.
        last = self._last_piece()
        if text[:1].isalpha() and last[:1] == "\\" and last[-1].isalpha():
            self.out.append(MarkupPiece(" ", self.start))
        self.out.append(MarkupPiece(text, self.start))

    def _append_star(self) -> None:
        self.skip_spaces()
        if self.take_if("*"):
            self._append("*")
            self.skip_spaces()

    def _read_bracket(self, *, length: bool) -> None:
        """Reads a bracket that may come next: makes sure that it closes, joins a length inside."""
        self._append_star()
        if self.peek() != "[":
            return
        end = self.closing("]", "[")
        joined = as_length(self.source[self.at + 1 : end]) if length else ""
        if joined:
            self._append(f"[{joined}]")
            self.at = end + 1
        elif not length:
            self.nesting.enter_bracket(end)

    def _read_length(self) -> None:
        """Joins a length in braces that may come next; anything else is left to TeX."""
        self._append_star()
        if self.peek() == "{":
            end = self.closing("}", "a length")
            joined = as_length(self.source[self.at + 1 : end])
            if joined:
                self._append(f"{{{joined}}}")
                self.at = end + 1


def _check_length(markup: str) -> None:
    if len(markup) > MAX_CHARACTERS:
        raise RenderError(
            Cause.LIMIT, f"{len(markup):,} characters; a formula may have {MAX_CHARACTERS:,}"
        )


def _refused_error(text: str) -> RenderError:
    return RenderError(Cause.REFUSED, f"{text[:40]} is not among the commands of formulas")


def _unreadable_error(reason: str) -> RenderError:
    return RenderError(Cause.UNREADABLE, reason)
