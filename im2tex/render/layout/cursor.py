"""A place in the pieces of a formula, and how to read on from there."""

from __future__ import annotations

from collections.abc import Sequence

from im2tex.render.markup.sanitizer import MarkupPiece


class Cursor:
    """A place in a formula.

    Args:
        pieces: of a checked formula.

    Attributes:
        pieces: the same.
        at: the number of the piece that comes next.
    """

    def __init__(self, pieces: Sequence[MarkupPiece]) -> None:
        self.pieces = pieces
        self.at = 0

    def peek(self) -> str:
        """The piece that stands here; empty at the end."""
        return self.pieces[self.at].text if self.at < len(self.pieces) else ""

    def next_solid(self) -> str:
        """The next piece that is no space."""
        at = self.at
        while at < len(self.pieces) and self.pieces[at].text == " ":
            at += 1
        return self.pieces[at].text if at < len(self.pieces) else ""

    def take(self) -> str:
        """The piece that stands here, read."""
        piece = self.peek()
        self.at += 1
        return piece

    def take_solid(self) -> str:
        """The next piece that is no space, read."""
        self.take_spaces()
        return self.take()

    def take_spaces(self) -> None:
        """Passes over spaces."""
        while self.peek() == " ":
            self.at += 1

    def verbatim(self) -> list[str]:
        """Lengths and column specifications: pieces that were put together already."""
        out = []
        while len(self.peek()) > 1 and self.peek()[0] in "{[":
            out.append(self.take())
        return out

    def untouched(self) -> list[str]:
        """An argument that draws nothing, or that no mark must stand in."""
        out = [self.take_solid()]
        depth = int(out[0] == "{")
        while depth and (piece := self.take()):
            out.append(piece)
            depth += (piece == "{") - (piece == "}")
        return out
