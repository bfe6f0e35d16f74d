r"""LaTeX math markup into tokens, by TeX's rules.

A control word is a backslash and letters, a control symbol a backslash and one other character;
any other character is one token. Spaces separate tokens and are dropped, a comment ends with its
line. Nothing is interpreted: `\left(` is two tokens, and braces need not match.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple


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
