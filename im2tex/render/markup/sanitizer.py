r"""Markup from anywhere to markup that is safe to typeset in company, or the reason why not.

Only commands of the allow-list pass (`allowlist`), braces, environments and `\left … \right` match,
and what is left is written anew from the tokens, so that TeX reads what was checked and nothing
else: comments are gone, a `^^` cannot spell a character, a line end cannot hide. What a formula
costs is estimated before it is set.

What normalised markup spells so that TeX would not read it is put right: lengths letter by letter
(`\hspace { 1 . 5 c m }`), primes apart (`f ' '`), a table's line inside of the braces of its first
cell, no columns where the reference form lost `*{20}{c}`. Dollars or brackets around a whole
formula may stay.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from im2tex.latex.characters import to_ascii
from im2tex.latex.tokens import LatexError, Token, TokenKind, tokenize
from im2tex.render.markup import allowlist
from im2tex.render.markup.columns import MATRIX_COLUMNS, MAX_COLUMNS, Columns, work
from im2tex.render.markup.cursor import LookaheadBudget, TokenCursor, as_length
from im2tex.render.markup.forms import LETTERS, text_in_tokens, without_display
from im2tex.render.markup.levels import Levels, shown
from im2tex.render.rendering import Cause, RenderError

VERSION = 3
"""Part of a renderer's signature: to be raised whenever markup is read in another way."""

MAX_CHARACTERS = 20_000

_MAX_NESTED = 10  # column specifications with arrays in them, within each other
_OTHER_PLACES = frozenset("hHlrm")  # LaTeX centres an array whose place it does not know
_UNKNOWN_COLUMNS = "*{50}{c}"  # columns that no row uses take no place


class MarkupPiece(NamedTuple):
    """A token of checked markup, or several that belong together, such as a length in braces.

    Attributes:
        text: as it is written anew; one space between words, where they would run together.
        start: index of the character in the source where what it was made of begins.
    """

    text: str
    start: int


def sanitize(markup: str) -> str:
    """Checks a formula and writes it in one line.

    Args:
        markup: math markup without dollars around it.

    Returns:
        Printable markup without line ends or comments, that uses known commands only.

    Raises:
        RenderError: with the reason, if it must not or cannot be set.
    """
    return "".join(piece.text for piece in sanitize_to_pieces(markup)).lstrip(" ")


def sanitize_to_pieces(markup: str) -> list[MarkupPiece]:
    """As `sanitize`, in pieces that know where they come from.

    Where the markup has characters beyond ASCII, that is a place in its ASCII form.

    Raises:
        RenderError: as `sanitize`.
    """
    _check_length(markup)
    try:
        markup = to_ascii(unicodedata.normalize("NFC", markup).translate(LETTERS))
        _check_length(markup)
        # Behind the formula comes a line end, which makes a space of a backslash at its end.
        tokens = tokenize(markup + "\n", spaces=True)
    except LatexError as error:
        raise RenderError(
            Cause.UNREADABLE, f"{error.reason} at character {error.position}"
        ) from None
    checker = _Sanitizer(without_display(tokens))
    if not checker.run():
        raise RenderError(Cause.BLANK, "there is no markup")
    return [MarkupPiece(*piece) for piece in zip(checker.out, checker.starts, strict=False)]


class _Sanitizer(TokenCursor):
    """One pass over the tokens, with a stack of what is open.

    Args:
        tokens: those of the formula, or of a part of it, spaces kept.
        levels: of what is open around the part.
        effort: see `TokenCursor`.
        nested: how many column specifications the part stands in.
    """

    def __init__(
        self,
        tokens: list[Token],
        levels: Levels | None = None,
        effort: LookaheadBudget | None = None,
        nested: int = 0,
    ) -> None:
        super().__init__(tokens, effort)
        self.levels = levels or Levels()
        self.nested = nested
        self.rows = 1 + sum(token.text in ("\\\\", "\\cr") for token in tokens)
        self.out: list[str] = []
        self.starts: list[int] = []  # of each piece, where it comes from; may outlast the pieces
        self.start = 0
        self.letters_until = 0  # up to this token, text is spelt letter by letter

    def run(self) -> str:
        """The formula, written anew."""
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.levels.leave_brackets(self.at)
            self.at += 1
            self.start = token.start
            self.levels.add(1)
            self._token(token)
        if self.levels.end:
            raise RenderError(Cause.UNREADABLE, f"ends before {shown(self.levels.end)}")
        while self.out and self.out[-1] == " ":
            self.out.pop()
        return "".join(self.out).lstrip(" ")

    def _token(self, token: Token) -> None:
        text, kind = token.text, token.kind
        if kind is TokenKind.WORD:
            self._word(text)
        elif kind is TokenKind.SYMBOL:
            if text in ("\\(", "\\)") and self.levels.end:
                text = "$"  # math inside of text
            elif text not in allowlist.CONTROL_SYMBOLS:
                raise _refused(text)
            self._put(text)
            if text in allowlist.BRACKETED:
                self._bracket(length=True)
        elif kind is TokenKind.OPEN:
            if self.levels.end.startswith("\\end{"):
                self._rules()
            self.levels.enter("}")
            self._put("{")
        elif kind is TokenKind.CLOSE:
            self.levels.leave("}", "a }")
            self._put("}")
        elif kind is TokenKind.SHIFT and not self.levels.end:
            raise RenderError(Cause.UNREADABLE, "a $ outside of text ends the formula")
        elif kind is TokenKind.PARAMETER:
            raise RenderError(Cause.UNREADABLE, "a bare #")
        elif kind is TokenKind.SUPERSCRIPT and self.out and self.out[-1].endswith("^"):
            # TeX reads ^^ as a way to spell any character.
            raise RenderError(Cause.UNREADABLE, "^ directly behind ^")
        elif kind is not TokenKind.SPACE or not (
            self._between_primes() or self.at <= self.letters_until
        ):
            self._put(text)

    def _word(self, text: str) -> None:
        # The tokenizer counts @ among the letters, as inside of a package.
        text, at, rest = text.partition("@")
        text = allowlist.RENAMED.get(text, text)
        if text in ("\\begin", "\\end") and not at:
            self._environment(text)
        elif text in allowlist.DROPPED or text in allowlist.REFERENCES:
            for _ in range(allowlist.DROPPED.get(text, 1)):
                self.skip_argument(text)
            if text in allowlist.REFERENCES:
                self._put("\\imreference")
        elif text in allowlist.CHARACTERS:
            self._put(allowlist.CHARACTERS[text])
        elif text not in allowlist.WORDS:
            raise _refused(text)
        else:
            self._command(text)
        if at:
            self._put(at + rest)

    def _command(self, text: str) -> None:
        self._level(text)
        if text == "\\vspace":
            # The star keeps the space at the top of a page, of which a formula knows nothing.
            self._starred(text)
        self._put(self._starred("\\imtag").replace("*", "s") if text == "\\tag" else text)
        if text in allowlist.BRACKETED:
            self._bracket(length=text in allowlist.LENGTHS or text == "\\makebox")
        if text in allowlist.TEXTUAL:
            end = text_in_tokens(self.tokens, self.at)
            self.letters_until = max(self.letters_until, end)
            self.effort.look(max(0, end - self.at))
        if text in allowlist.COUNTED:
            self._count(text)
        if text == "\\multicolumn":
            self._put("{" + self._columns(self.operand(text), rows=1) + "}")
        if text == "\\genfrac":
            self._fraction()
        for _ in range(allowlist.LENGTHS.get(text, 0)):
            self._length()
        if text in allowlist.BARE_LENGTHS:
            self._bare_length()

    def _level(self, text: str) -> None:
        """Says what a command opens, closes or repeats."""
        if text == "\\left":
            self.levels.enter("\\right")
        elif text == "\\right":
            self.levels.leave("\\right", "a \\right")
        elif text in ("\\root", "\\of"):
            self.levels.delimit(ends=text == "\\of")
        elif text in allowlist.REPEATING:
            self.levels.repeat(allowlist.REPEATING[text])

    def _starred(self, text: str) -> str:
        """A command with the star that may come next."""
        at = self.at
        self.take_spaces()
        if self.peek() == "*":
            self.at += 1
            return text + "*"
        self.at = at
        return text

    def _count(self, owner: str) -> None:
        """Takes a number of columns, or a range of them, which TeX would count up to one by one."""
        self.take_spaces()
        if self.peek() == "[":
            end = self.closing("]", "[")
            factor = "".join(token.text for token in self.tokens[self.at + 1 : end]).strip()
            if not factor.replace(".", "", 1).isdecimal() or len(factor) > 4:
                raise RenderError(Cause.REFUSED, f"[{factor[:40]}] behind {owner}")
            self._put(f"[{factor}]")
            self.at = end + 1
        numbers = self.numbers(owner)
        if max(numbers) > MAX_COLUMNS:
            raise RenderError(Cause.LIMIT, f"more than {MAX_COLUMNS} columns")
        self.levels.add(max(numbers))
        self._put("{" + "-".join(map(str, numbers)) + "}")

    def _fraction(self) -> None:
        r"""Takes what `\genfrac` has in front of numerator and denominator."""
        for _ in range(2):
            delimiter = [t.text for t in self.operand("\\genfrac") if t.kind is not TokenKind.SPACE]
            if len(delimiter) > 1 or not set(delimiter) <= allowlist.DELIMITERS:
                raise RenderError(Cause.REFUSED, f"{''.join(delimiter)[:40]} as a delimiter")
            self._put("{" + "".join(delimiter) + "}")
        thickness, style = self.operand("\\genfrac"), self.operand("\\genfrac")
        joined = as_length(thickness)
        number = "".join(token.text for token in style).strip()
        if number not in ("", "0", "1", "2", "3") or (
            not joined and "".join(token.text for token in thickness).strip()
        ):
            raise RenderError(Cause.REFUSED, "\\genfrac needs a length and a style from 0 to 3")
        self._put(f"{{{joined}}}{{{number}}}")

    def _environment(self, text: str) -> None:
        name = "".join(
            token.text for token in self.group(text) if token.kind is not TokenKind.SPACE
        )
        given, name = name, allowlist.DISPLAYS.get(name, name)
        if name not in allowlist.ENVIRONMENTS:
            raise RenderError(
                Cause.REFUSED, f"{text}{{{given[:40]}}} is no environment of a formula's inside"
            )
        if text == "\\end":
            self.levels.leave(f"\\end{{{given}}}", f"an \\end{{{given}}}")
            self._put(f"\\end{{{name}}}")
            return
        self.levels.enter(f"\\end{{{given}}}")
        self._put(f"\\begin{{{name}}}")
        if name in allowlist.PLACED:
            self._place(name)
        if given.rstrip("*") == "eqnarray":
            self._put("{rcl}")
        elif name in allowlist.COLUMNED:
            columns = self._columns(self.group(f"\\begin{{{name}}}"), rows=self.rows)
            self._put("{" + (columns or _UNKNOWN_COLUMNS) + "}")
        elif name == "alignedat":
            self._count(f"\\begin{{{name}}}")
        elif name[1:] == "matrix" or name == "matrix":
            self.levels.add(work(MATRIX_COLUMNS))

    def _place(self, name: str) -> None:
        """Takes where an environment stands on its line."""
        at = self.at
        self.take_spaces()
        if self.peek() != "[":
            self.at = at
            return
        end = self.closing("]", "[")
        place = "".join(token.text for token in self.tokens[self.at + 1 : end]).strip()
        if place in ("t", "c", "b", "") or (name in allowlist.COLUMNED and place in _OTHER_PLACES):
            self._put(f"[{place}]")
            self.at = end + 1
        elif name in allowlist.COLUMNED:
            raise RenderError(Cause.REFUSED, f"[{place[:40]}] behind \\begin{{{name}}}")
        else:
            # A bracket that belongs to the first cell, kept from being read as a place.
            self._put("{}")

    def _columns(self, tokens: list[Token], *, rows: int) -> str:
        """A column specification, checked."""
        return Columns(self.levels, self.effort, rows, self._inside).check(tokens)

    def _inside(self, tokens: list[Token], levels: Levels) -> str:
        """What stands between the columns of an array, checked."""
        if self.nested >= _MAX_NESTED:
            raise RenderError(Cause.LIMIT, f"arrays between columns more than {_MAX_NESTED} deep")
        return _Sanitizer(tokens, levels, self.effort, self.nested + 1).run()

    def _rules(self) -> None:
        """Takes the lines of a table out of the group that begins here: they stand before it."""
        while True:
            at = self.at
            self.take_spaces()
            if self.peek() != "\\hline":
                self.at = at
                return
            self.at += 1
            self._put("\\hline")

    def _between_primes(self) -> bool:
        """Whether a space here keeps a prime from the prime or exponent that it belongs to."""
        return bool(self.out) and self.out[-1] == "'" and self.peek() in ("'", "^")

    def _put(self, text: str) -> None:
        # A control word must not run into letters that stood apart from it.
        if self.out and text[:1].isalpha():
            last = self.out[-1]
            if last[:1] == "\\" and last[-1].isalpha():
                self.out.append(" ")
                self.starts.append(self.start)
        self.out.append(text)
        self.starts.append(self.start)

    def _bracket(self, *, length: bool) -> None:
        """Makes sure that a bracket that comes next also closes; joins a length inside."""
        self.take_spaces()
        if self.peek() == "*":
            self.at += 1
            self._put("*")
            self.take_spaces()
        if self.peek() != "[":
            return
        end = self.closing("]", "[")
        joined = as_length(self.tokens[self.at + 1 : end]) if length else ""
        if joined:
            self._put(f"[{joined}]")
            self.at = end + 1
        elif not length:
            self.levels.enter_bracket(end)

    def _length(self) -> None:
        """Joins a length in braces that comes next; anything else is left to TeX."""
        self.take_spaces()
        if self.peek() == "*":
            self.at += 1
            self._put("*")
            self.take_spaces()
        if self.peek() == "{":
            end = self.closing("}", "a length")
            joined = as_length(self.tokens[self.at + 1 : end])
            if joined:
                self._put(f"{{{joined}}}")
                self.at = end + 1

    def _bare_length(self) -> None:
        """Joins a length without braces that comes next; anything else is left to TeX."""
        found = self.bare_length()
        if found:
            self.take_spaces()
            self._put(found + " ")


def _check_length(markup: str) -> None:
    if len(markup) > MAX_CHARACTERS:
        raise RenderError(
            Cause.LIMIT, f"{len(markup):,} characters; a formula may have {MAX_CHARACTERS:,}"
        )


def _refused(text: str) -> RenderError:
    return RenderError(Cause.REFUSED, f"{text[:40]} is not among the commands of formulas")
