"""`ArgumentCursor`: reads the arguments of commands from the tokens of untrusted markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from im2tex.latex.tokens import Token, TokenCursor, TokenKind
from im2tex.render.rendering import Cause, RenderError

MAX_LENGTH = 24  # characters of a length without braces
MAX_LOOKAHEAD = 400_000  # tokens read ahead for closing brackets: nested brackets do so each

# Possessive, against quadratic time: nothing that was taken is given back.
_LENGTH = re.compile(r"[+-]*+\d*+[.,]?+\d*+(?:true)?+(?:pt|pc|in|bp|cm|mm|dd|cc|sp|em|ex|mu)")
_NUMBERS = re.compile(r"[0-9]{1,9}(?:-[0-9]{1,9})?")


@dataclass
class LookaheadBudget:
    """Counts the tokens that are read ahead in a formula and its parts."""

    used: int = 0

    def spend(self, tokens: int = 1) -> None:
        """Counts tokens.

        Raises:
            RenderError: if they are too many.
        """
        self.used += tokens
        if self.used > MAX_LOOKAHEAD:
            raise RenderError(Cause.LIMIT, "too many arguments within arguments")


class ArgumentCursor(TokenCursor):
    """A position in a formula.

    Args:
        source: tokens of the formula, or of a part of it, spaces kept.
        budget: of the whole formula; a new one by default.
    """

    def __init__(self, source: Sequence[Token], budget: LookaheadBudget | None = None) -> None:
        super().__init__(token.text for token in source)
        self.source = source
        self.budget = budget or LookaheadBudget()

    def group(self, owner: str) -> Sequence[Token]:
        """Reads a group in braces and returns the tokens inside.

        Args:
            owner: the command that takes it, for the message.

        Raises:
            RenderError: if there is no group.
        """
        self.skip_spaces()
        if self.peek() != "{":
            raise RenderError(Cause.UNREADABLE, f"no {{…}} behind {owner}")
        end = self.closing("}", owner)
        tokens = self.source[self.at + 1 : end]
        self.at = end + 1
        return tokens

    def argument(self, owner: str) -> Sequence[Token]:
        """Reads an argument and returns its tokens: of a group, or a single token.

        Raises:
            RenderError: if there is none.
        """
        self.skip_spaces()
        if self.peek() in ("{", "}", ""):
            return self.group(owner)
        self.at += 1
        return self.source[self.at - 1 : self.at]

    def numbers(self, owner: str) -> list[int]:
        """Reads a number, or a range of two with a dash between them.

        Raises:
            RenderError: if there is none.
        """
        joined = join_solid(self.argument(owner))
        if not _NUMBERS.fullmatch(joined):
            raise RenderError(Cause.UNREADABLE, f"no number behind {owner}")
        return [int(digits) for digits in joined.split("-")]

    def closing(self, closing: str, owner: str) -> int:
        """Returns the index at which the group or bracket that comes next closes.

        Raises:
            RenderError: if it does not close.
        """
        depth = 0
        for index in range(self.at + 1, len(self.source)):
            text = self.tokens[index]
            self.budget.spend()
            if depth == 0 and text == closing:
                return index
            depth += (text == "{") - (text == "}")
            if depth < 0:
                break
        raise RenderError(Cause.UNREADABLE, f"no {closing} for the argument of {owner}")

    def bare_length(self) -> str:
        """Reads a length without braces; returns it joined, or "" if there is none."""
        joined, ends = "", [self.at]
        for index in range(self.at, len(self.source)):
            token = self.source[index]
            if token.kind is TokenKind.CHARACTER and len(joined) < MAX_LENGTH:
                joined += token.text
                ends.append(index + 1)
            elif token.kind is not TokenKind.SPACE:
                break
        match = _LENGTH.match(joined)
        self.at = ends[match.end()] if match else ends[0]
        return match[0] if match else ""


def join_solid(tokens: Iterable[Token]) -> str:
    """Joins tokens without spaces."""
    return "".join(token.text for token in tokens if token.kind is not TokenKind.SPACE)


def as_length(tokens: Iterable[Token]) -> str:
    """Joins the tokens of a length; returns "" if they are none."""
    joined = join_solid(tokens)
    return joined if _LENGTH.fullmatch(joined) else ""
