"""A place in the tokens of a formula that is being checked, and how to read on from there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from im2tex.latex.tokens import Token, TokenKind
from im2tex.render.rendering import Cause, RenderError

MAX_LENGTH = 24  # characters of a length that has no braces
MAX_LOOKED = 400_000  # tokens looked at for what closes: a bracket in a bracket looks for its own

# Possessive: nothing that was taken is given back, or long numbers would take their square in time.
_LENGTH = re.compile(r"[+-]*+\d*+[.,]?+\d*+(?:true)?+(?:pt|pc|in|bp|cm|mm|dd|cc|sp|em|ex|mu)")
_NUMBERS = re.compile(r"[0-9]{1,9}(?:-[0-9]{1,9})?")


@dataclass
class LookaheadBudget:
    """How many tokens were looked at for what closes, in a formula and in the parts within it."""

    looked: int = 0

    def look(self, tokens: int = 1) -> None:
        """Counts tokens that are looked at.

        Raises:
            RenderError: if they are too many.
        """
        self.looked += tokens
        if self.looked > MAX_LOOKED:
            raise RenderError(Cause.LIMIT, "too many arguments within arguments")


class TokenCursor:
    """A place in a formula.

    Args:
        tokens: those of the formula, or of a part of it, spaces kept.
        effort: of the whole formula so far; none yet if not given.

    Attributes:
        tokens: the same.
        effort: likewise.
        at: the number of the token that comes next.
    """

    def __init__(self, tokens: list[Token], effort: LookaheadBudget | None = None) -> None:
        self.tokens = tokens
        self.effort = effort or LookaheadBudget()
        self.at = 0

    def peek(self) -> str:
        """The token that stands here; empty at the end."""
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def take_spaces(self) -> None:
        """Passes over spaces."""
        while self.peek() == " ":
            self.at += 1

    def group(self, owner: str) -> list[Token]:
        """Takes the tokens of a group in braces, which must come next.

        Args:
            owner: whose argument it is, for the message.

        Raises:
            RenderError: if there is none.
        """
        self.take_spaces()
        if self.peek() != "{":
            raise RenderError(Cause.UNREADABLE, f"no {{…}} behind {owner}")
        end = self.closing("}", owner)
        tokens = self.tokens[self.at + 1 : end]
        self.at = end + 1
        return tokens

    def skip_argument(self, owner: str) -> None:
        """Leaves out what a command takes: a group, or a single token.

        Raises:
            RenderError: as `group`.
        """
        self.operand(owner)

    def operand(self, owner: str) -> list[Token]:
        """Takes an argument: the tokens of a group, or a single token.

        Raises:
            RenderError: as `group`.
        """
        self.take_spaces()
        if self.peek() in ("{", "}", ""):
            return self.group(owner)
        self.at += 1
        return self.tokens[self.at - 1 : self.at]

    def number(self, owner: str) -> int:
        """Takes a number, in braces or of one digit.

        Raises:
            RenderError: if there is none.
        """
        return self.numbers(owner)[0]

    def numbers(self, owner: str) -> list[int]:
        """Takes a number, or a range of two with a dash between them.

        Raises:
            RenderError: if there is none.
        """
        tokens = self.operand(owner)
        joined = "".join(token.text for token in tokens if token.kind is not TokenKind.SPACE)
        if not _NUMBERS.fullmatch(joined):
            raise RenderError(Cause.UNREADABLE, f"no number behind {owner}")
        return [int(digits) for digits in joined.split("-")]

    def closing(self, closing: str, owner: str) -> int:
        """Where the group or bracket that opens here closes.

        Raises:
            RenderError: if nowhere.
        """
        depth = 0
        for index in range(self.at + 1, len(self.tokens)):
            kind, text = self.tokens[index].kind, self.tokens[index].text
            self.effort.look()
            if depth == 0 and text == closing:
                return index
            depth += (kind is TokenKind.OPEN) - (kind is TokenKind.CLOSE)
            if depth < 0:
                break
        raise RenderError(Cause.UNREADABLE, f"no {closing} for the argument of {owner}")

    def bare_length(self) -> str:
        """Takes a length without braces, put together; gives nothing where there is none."""
        joined, ends = "", [self.at]
        while len(joined) < MAX_LENGTH and self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind not in (TokenKind.SPACE, TokenKind.CHARACTER):
                break
            self.at += 1
            if token.kind is TokenKind.CHARACTER:
                joined += token.text
                ends.append(self.at)
        match = _LENGTH.match(joined)
        self.at = ends[match.end()] if match else ends[0]
        return match[0] if match else ""


def as_length(tokens: list[Token]) -> str:
    """A length put together from its tokens; nothing if they are none."""
    joined = "".join(token.text for token in tokens if token.kind is not TokenKind.SPACE)
    return joined if _LENGTH.fullmatch(joined) else ""
