"""A place in a formula's tokens, and complaints about it."""

from __future__ import annotations

from im2tex.latex.normal_form.commands import END, OPENING
from im2tex.latex.normal_form.lexer import LexedFormula
from im2tex.latex.tokens import LatexError

DEPTH = 100
"""How many levels of braces, arguments, delimiters and arrays may lie in each other.

Formulas of papers reach about a dozen. The limit keeps a hostile one off the end of Python's stack.
"""

_GAP = 200  # characters that may lie between two tokens: a comment, a label


class Cursor:
    """The tokens, and how far they have been read.

    Args:
        source: the formula, for messages.
        lexed: its tokens.
    """

    __slots__ = ("at", "deepest", "depth", "printed", "source", "tokens")

    def __init__(self, source: str, lexed: LexedFormula) -> None:
        self.source = source
        self.tokens = [*lexed.tokens, END]
        self.printed = lexed.printed
        self.at = 0
        self.depth = 0
        self.deepest = 0

    def expect(self, token: str, complaint: str) -> None:
        """Reads a token that has to stand here.

        Raises:
            LatexError: with the complaint, if another one does.
        """
        if self.tokens[self.at] != token:
            raise self.error(complaint)
        self.at += 1

    def behind_group(self, at: int) -> int:
        """The place behind the group, or the single token, that begins at a place."""
        depth = 0
        while self.tokens[at] != END:
            depth += (self.tokens[at] in OPENING) - (self.tokens[at] == "}")
            at += 1
            if depth <= 0:
                break
        return at

    def deeper(self) -> None:
        """Counts one level more; whoever calls it takes it back.

        Raises:
            LatexError: beyond `DEPTH`.
        """
        self.depth += 1
        if self.depth > self.deepest:
            self.deepest = self.depth
            if self.depth > DEPTH:
                raise self.error(f"more than {DEPTH} levels inside each other")

    def error(self, reason: str) -> LatexError:
        """What is wrong, at the token where it was noticed."""
        position = 0
        for token in self.tokens[: self.at]:
            # Ties stand for spaces, and some tokens were rewritten; those are passed over.
            found = -1
            if token != "~":
                found = self.source.find(token, position, position + len(token) + _GAP)
            if found >= 0:
                position = found + len(token)
        return LatexError(reason, position, self.source)
