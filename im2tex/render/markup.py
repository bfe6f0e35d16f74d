r"""Markup from anywhere to markup that is safe to typeset in company, or the reason why not.

Only commands of the allow-list pass (`allowed`), braces, environments and `\left … \right` match,
and what is left is written anew from the tokens, so that TeX reads what was checked and nothing
else: comments are gone, a `^^` cannot spell a character, a line end cannot hide. What a formula
costs is estimated before it is set.

What normalised markup spells so that TeX would not read it is put right: lengths letter by letter
(`\hspace { 1 . 5 c m }`), primes apart (`f ' '`), a table's line inside of the braces of its first
cell, no columns where the reference form lost `*{20}{c}`. Dollars or brackets around a whole
formula may stay.
"""

from __future__ import annotations

from typing import NamedTuple

from im2tex.latex.tokens import Kind, LatexError, Token, tokenize
from im2tex.render import allowed
from im2tex.render.markup_cursor import Effort, TokenCursor, as_length
from im2tex.render.rendering import Cause, Undrawable

MAX_CHARACTERS = 20_000
MAX_DEPTH = 100  # TeX's own limit is 255 levels, of which some constructs take several
MAX_WORK = 400_000  # tokens set, repetitions counted: about a second of TeX
MAX_COLUMNS = 50  # of `*{n}{…}`

_REPETITIONS = 5  # \mathchoice sets four times, \boldsymbol measures once more
_DELIMITERS = {("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")}


class Piece(NamedTuple):
    """A token of checked markup, or several that belong together, such as a length in braces.

    Attributes:
        text: as it is written anew; one space between words, where they would run together.
        start: index of the character in the source where what it was made of begins.
    """

    text: str
    start: int


def prepare(markup: str) -> str:
    """Checks a formula and writes it in one line.

    Args:
        markup: math markup without dollars around it.

    Returns:
        Printable markup without line ends or comments, that uses known commands only.

    Raises:
        Undrawable: with the reason, if it must not or cannot be set.
    """
    return "".join(piece.text for piece in pieces(markup)).lstrip(" ")


def pieces(markup: str) -> list[Piece]:
    """As `prepare`, in pieces that know where they come from.

    Raises:
        Undrawable: as `prepare`.
    """
    if len(markup) > MAX_CHARACTERS:
        raise Undrawable(
            Cause.LIMIT, f"{len(markup):,} characters; a formula may have {MAX_CHARACTERS:,}"
        )
    try:
        # Behind the formula comes a line end, which makes a space of a backslash at its end.
        tokens = tokenize(markup + "\n", spaces=True)
    except LatexError as error:
        raise Undrawable(
            Cause.UNREADABLE, f"{error.reason} at character {error.position}"
        ) from None
    checker = _Checker(_without_delimiters(tokens))
    if not checker.run():
        raise Undrawable(Cause.BLANK, "there is no markup")
    return [Piece(*piece) for piece in zip(checker.out, checker.starts, strict=False)]


class _Checker(TokenCursor):
    """One pass over the tokens, with a stack of what is open.

    Args:
        tokens: those of the formula, or of a part of it, spaces kept.
        depth: of what is open around the part.
        effort: see `TokenCursor`.
    """

    def __init__(self, tokens: list[Token], depth: int = 0, effort: Effort | None = None) -> None:
        super().__init__(tokens, effort)
        self.depth = depth
        self.out: list[str] = []
        self.starts: list[int] = []  # of each piece, where it comes from; may outlast the pieces
        self.start = 0
        self.open: list[str] = []  # what closes each open group
        # For each level: how often its content is set, and how many of the groups to come on it
        # are arguments of a command that repeats them.
        self.levels: list[tuple[int, int]] = [(1, 0)]
        self.work = 0

    def run(self) -> str:
        """The formula, written anew."""
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            self.start = token.start
            self.work += self.levels[-1][0]
            if self.work > MAX_WORK:
                raise Undrawable(Cause.LIMIT, "nested so that it would be set millions of times")
            self._token(token)
        if self.open:
            raise Undrawable(Cause.UNREADABLE, f"ends before {_shown(self.open[-1])}")
        while self.out and self.out[-1] == " ":
            self.out.pop()
        return "".join(self.out).lstrip(" ")

    def _token(self, token: Token) -> None:
        text, kind = token.text, token.kind
        if kind is Kind.WORD:
            self._word(text)
        elif kind is Kind.SYMBOL:
            if text in ("\\(", "\\)") and self.open:
                text = "$"  # math inside of text
            elif text not in allowed.CONTROL_SYMBOLS:
                raise _refused(text)
            self._put(text)
            if text in allowed.BRACKETED:
                self._bracket(length=True)
        elif kind is Kind.OPEN:
            if self.open and self.open[-1].startswith("\\end{"):
                self._rules()
            self._enter("}")
            self._put("{")
        elif kind is Kind.CLOSE:
            self._leave("}", "a }")
            self._put("}")
        elif kind is Kind.SHIFT and not self.open:
            raise Undrawable(Cause.UNREADABLE, "a $ outside of text ends the formula")
        elif kind is Kind.PARAMETER:
            raise Undrawable(Cause.UNREADABLE, "a bare #")
        elif kind is Kind.SUPERSCRIPT and self.out and self.out[-1].endswith("^"):
            # TeX reads ^^ as a way to spell any character.
            raise Undrawable(Cause.UNREADABLE, "^ directly behind ^")
        elif not (kind is Kind.SPACE and self._between_primes()):
            self._put(text)

    def _word(self, text: str) -> None:
        # The tokenizer counts @ among the letters, as inside of a package.
        text, at, rest = text.partition("@")
        text = allowed.RENAMED.get(text, text)
        if text in ("\\begin", "\\end") and not at:
            self._environment(text)
        elif text in allowed.DROPPED or text in allowed.REFERENCES:
            for _ in range(allowed.DROPPED.get(text, 1)):
                self.skip_argument(text)
            if text in allowed.REFERENCES:
                self._put("\\imreference")
        elif text not in allowed.WORDS:
            raise _refused(text)
        else:
            self._command(text)
        if at:
            self._put(at + rest)

    def _command(self, text: str) -> None:
        if text == "\\left":
            self._enter("\\right")
        elif text == "\\right":
            self._leave("\\right", "a \\right")
        elif text in allowed.REPEATING:
            self.levels[-1] = (self.levels[-1][0], allowed.REPEATING[text])
        self._put(text)
        if text in allowed.BRACKETED:
            self._bracket(length=text in allowed.LENGTHS or text == "\\makebox")
        for _ in range(allowed.LENGTHS.get(text, 0)):
            self._length()
        if text in allowed.BARE_LENGTHS:
            self._bare_length()

    def _environment(self, text: str) -> None:
        name = "".join(token.text for token in self.group(text) if token.kind is not Kind.SPACE)
        if name not in allowed.ENVIRONMENTS:
            raise Undrawable(
                Cause.REFUSED, f"{text}{{{name[:40]}}} is no environment of a formula's inside"
            )
        if text == "\\end":
            self._leave(f"\\end{{{name}}}", f"an \\end{{{name}}}")
            self._put(f"\\end{{{name}}}")
            return
        self._enter(f"\\end{{{name}}}")
        self._put(f"\\begin{{{name}}}")
        if name in allowed.COLUMNED:
            self.take_spaces()
            if self.peek() == "[":
                end = self.closing("]", "[")
                place = "".join(token.text for token in self.tokens[self.at + 1 : end]).strip()
                if place not in ("t", "c", "b", ""):
                    raise Undrawable(Cause.REFUSED, f"[{place[:40]}] behind \\begin{{{name}}}")
                self._put(f"[{place}]")
                self.at = end + 1
            columns = self._columns(self.group(f"\\begin{{{name}}}"))
            # Columns that no row uses take no place.
            self._put("{" + (columns or f"*{{{MAX_COLUMNS}}}{{c}}") + "}")

    def _columns(self, tokens: list[Token]) -> str:
        """A column specification: l, c, r, |, @{…}, p{…} and *{n}{…}."""
        checker = _Checker(tokens, effort=self.effort)
        repeated = False
        while checker.at < len(tokens):
            token = tokens[checker.at]
            checker.at += 1
            if token.text in ("@", "p"):
                part = checker.group(token.text)
                inside = _Checker(part, self.depth + len(self.open), self.effort)
                checker._put(token.text + "{" + inside.run() + "}")
                self.work += inside.work * self.levels[-1][0]
            elif token.text == "*" and not repeated:
                repeated = True
                count = checker.number("* in a column specification")
                if count > MAX_COLUMNS:
                    raise Undrawable(Cause.LIMIT, f"{count} columns; {MAX_COLUMNS} are the most")
                checker._put(f"*{{{count}}}")
            elif token.text in ("l", "c", "r", "|", "{", "}"):
                checker._put(token.text)
            elif token.kind is not Kind.SPACE:
                raise Undrawable(Cause.REFUSED, f"{token.text!r} in a column specification")
        return "".join(checker.out)

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

    def _enter(self, end: str) -> None:
        if self.depth + len(self.open) >= MAX_DEPTH:
            raise Undrawable(Cause.LIMIT, f"nested more than {MAX_DEPTH} deep")
        times, arguments = self.levels[-1]
        if end == "}" and arguments:
            self.levels[-1] = (times, arguments - 1)
            times *= _REPETITIONS
        self.open.append(end)
        self.levels.append((times, 0))

    def _leave(self, end: str, shown: str) -> None:
        if not self.open:
            raise Undrawable(Cause.UNREADABLE, f"{shown} that nothing opened")
        if self.open[-1] != end:
            raise Undrawable(Cause.UNREADABLE, f"{shown} where {_shown(self.open[-1])} should be")
        self.open.pop()
        self.levels.pop()

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


def _without_delimiters(tokens: list[Token]) -> list[Token]:
    """A formula's tokens without the dollars or brackets around all of it."""
    for _ in range(2):
        inked = [i for i, token in enumerate(tokens) if token.kind is not Kind.SPACE]
        if len(inked) < 2 or (tokens[inked[0]].text, tokens[inked[-1]].text) not in _DELIMITERS:
            break
        tokens = tokens[inked[0] + 1 : inked[-1]]
    return tokens


def _refused(text: str) -> Undrawable:
    return Undrawable(Cause.REFUSED, f"{text[:40]} is not among the commands of formulas")


def _shown(end: str) -> str:
    return f"the {end}" if end != "}" else "the closing brace"
