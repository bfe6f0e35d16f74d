r"""LaTeX math markup into tokens, by TeX's rules.

A control word is a backslash and letters, a control symbol a backslash and one other character;
any other character is one token. Spaces separate tokens and are dropped, a comment ends with its
line. Nothing is interpreted: `\left(` is two tokens, and braces need not match.

`TokenCursor` is a position in the tokens, which every reader by recursive descent needs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import ClassVar, NamedTuple


class LatexError(ValueError):
    """Markup that cannot be parsed.

    Args:
        reason: what is wrong.
        position: index of the offending character in the source.
        source: the markup; empty if the position is unknown.
    """

    def __init__(self, reason: str, position: int, source: str) -> None:
        self.reason = reason
        self.position = position
        self.source = source
        start = max(0, position - 20)
        near = source[start : position + 20]
        where = f" at character {position}, near {near!r}" if source else ""
        super().__init__(f"{reason}{where}")


class TokenKind(Enum):
    """The kind of a token: TeX's category codes that matter in math."""

    WORD = "control word"
    SYMBOL = "control symbol"
    OPEN = "{"
    CLOSE = "}"
    SUPERSCRIPT = "^"
    SUBSCRIPT = "_"
    SHIFT = "$"
    ALIGN = "&"
    PARAMETER = "#"
    TIE = "~"
    SPACE = "space"
    CHARACTER = "character"


class Token(NamedTuple):
    """A token and its position.

    Attributes:
        text: the token as written, the backslash included; one space for a run of spaces.
        kind: its kind.
        start: index of its first character in the source.
        end: index behind its last character, without the spaces that TeX skips there.
    """

    text: str
    kind: TokenKind
    start: int
    end: int


_SPECIAL = {kind.value: kind for kind in TokenKind if len(kind.value) == 1}
# TeX skips the line end and the next line's indent with a comment.
_PATTERN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<comment>%[^\n]*(?:\n[ \t]*)?)"
    r"|(?P<word>\\[A-Za-z@]+)"
    r"|(?P<symbol>\\[^A-Za-z@])"
    r"|(?P<lone>\\)"
    r"|(?P<char>.)",
    re.DOTALL,
)


def tokenize(source: str, *, spaces: bool = False) -> list[Token]:
    r"""Splits math markup into tokens.

    >>> [token.text for token in tokenize(r"\alpha_1 + x")]
    ['\\alpha', '_', '1', '+', 'x']

    Args:
        source: the markup, with or without its dollars.
        spaces: keeps each run of spaces as one `SPACE` token (text inside `\mbox` needs them),
            except behind a control word, where TeX skips them.

    Returns:
        The tokens in order; joined by single spaces they are the same formula.

    Raises:
        LatexError: for a backslash with nothing behind it, or a control character.
    """
    tokens: list[Token] = []
    after_word = False
    for match in _PATTERN.finditer(source):
        group = match.lastgroup
        text = match.group()
        start, end = match.span()
        if group == "space":
            if spaces and not after_word:
                tokens.append(Token(" ", TokenKind.SPACE, start, end))
            continue
        if group == "comment":
            continue
        after_word = group == "word"
        if group == "word":
            tokens.append(Token(text, TokenKind.WORD, start, end))
        elif group == "symbol":
            # A backslash before a line end is a control space.
            text = "\\ " if text[1].isspace() else text
            tokens.append(Token(text, TokenKind.SYMBOL, start, end))
        elif group == "lone":
            raise LatexError("a backslash with nothing behind it", start, source)
        elif unicodedata.category(text) in ("Cc", "Cs"):
            raise LatexError(f"the control character {text!r}", start, source)
        else:
            tokens.append(Token(text, _SPECIAL.get(text, TokenKind.CHARACTER), start, end))
    return tokens


def token_texts(source: str) -> list[str]:
    """The texts of the tokens.

    Raises:
        LatexError: see `tokenize`.
    """
    return [token.text for token in tokenize(source)]


def join_tokens(tokens: Sequence[str]) -> str:
    r"""Joins tokens with the spaces that LaTeX needs: `\frac{a}{b}`, not `\frac { a } { b }`."""
    parts: list[str] = []
    for token in tokens:
        word = parts and parts[-1][:1] == "\\" and parts[-1][-1:].isalpha()
        parts.append(f" {token}" if word and token[:1].isalpha() else token)
    return "".join(parts)


END = ""
"""The text behind a formula's last token."""


class TokenCursor:
    r"""Reads the tokens of a formula one by one.

    >>> cursor = TokenCursor(["\\sqrt", "{", "x", "}", "+"])
    >>> cursor.take(), cursor.peek(), cursor.group_end()
    ('\\sqrt', '{', 4)

    Args:
        tokens: the texts of the tokens.
        max_depth: levels of nesting that `enter` allows.

    Attributes:
        tokens: the texts, with `END` behind the last one.
        at: index of the next token.
        depth: the current level of nesting.
    """

    __slots__ = ("at", "depth", "max_depth", "tokens")

    opening: ClassVar[frozenset[str]] = frozenset("{")
    """Tokens that open a group."""

    def __init__(self, tokens: Iterable[str], max_depth: int = 100) -> None:
        self.tokens = [*tokens, END]
        self.at = 0
        self.depth = 0
        self.max_depth = max_depth

    def peek(self) -> str:
        """The next token; `END` behind the last one."""
        return self.tokens[self.at]

    def take(self) -> str:
        """Reads the next token and returns it; `END` can be read any number of times."""
        token = self.tokens[self.at]
        self.at += token != END
        return token

    def take_if(self, token: str) -> bool:
        """Reads the next token if it is the given token; returns whether it was."""
        found = self.tokens[self.at] == token
        self.at += found
        return found

    def expect(self, token: str, reason: str = "") -> None:
        """Reads the next token, which must be the given token.

        Args:
            token: the token.
            reason: the message for another token.

        Raises:
            LatexError: for another token; see `error`.
        """
        if self.tokens[self.at] != token:
            raise self.error(reason or f"expected {token!r}")
        self.at += 1

    def skip_spaces(self) -> None:
        """Reads over spaces."""
        while self.tokens[self.at] == " ":
            self.at += 1

    def peek_solid(self) -> str:
        """The next token that is not a space; nothing is read."""
        at = self.at
        while self.tokens[at] == " ":
            at += 1
        return self.tokens[at]

    def take_solid(self) -> str:
        """Reads spaces and the token behind them, which is returned."""
        self.skip_spaces()
        return self.take()

    def group_end(self, at: int | None = None) -> int:
        """The index behind a group in braces, or behind a single token.

        Args:
            at: index of the brace or token; by default that of the next token.

        Returns:
            The index behind the closing brace; of `END` if the group is not closed.
        """
        at = self.at if at is None else at
        depth = 0
        while self.tokens[at] != END:
            depth += (self.tokens[at] in self.opening) - (self.tokens[at] == "}")
            at += 1
            if depth <= 0:
                break
        return at

    def enter(self, levels: int = 1) -> None:
        """Counts levels of nesting; the caller subtracts them from `depth` afterwards.

        Raises:
            LatexError: beyond `max_depth`; see `too_deep`.
        """
        self.depth += levels
        if self.depth > self.max_depth:
            raise self.too_deep()

    def too_deep(self) -> Exception:
        """The error of a formula that is nested too deep."""
        return self.error(f"nested more than {self.max_depth} levels deep")

    def error(self, reason: str) -> Exception:
        """An error at the next token, to be raised; a subclass may return one of its own class."""
        position = sum(len(token) + 1 for token in self.tokens[: self.at])
        return LatexError(reason, position, " ".join(self.tokens[:-1]))
