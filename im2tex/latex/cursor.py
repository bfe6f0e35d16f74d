r"""A position in the tokens of a formula, which every reader by recursive descent needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from im2tex.latex.tokens import LatexError

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
