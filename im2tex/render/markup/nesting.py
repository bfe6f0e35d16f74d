r"""The open groups at a position in a formula, and how often TeX typesets their content.

Commands such as `\text`, `\phantom` or `\overset` typeset their arguments several times, up to
`REPETITIONS`: nested, the work grows exponentially with the depth. The work is bounded from above
before TeX runs. A command may hide its argument from a simple count of groups: behind an optional
argument (`\sqrt[{}]{…}`), or behind a word that ends the previous argument (`\root{}{}\of{…}`).
"""

from __future__ import annotations

from dataclasses import dataclass

from im2tex.render.rendering import Cause, RenderError

MAX_DEPTH = 100  # TeX's own limit is 255 levels, of which some constructs take several
MAX_WORK = 200_000  # tokens typeset, repetitions counted: about a second of TeX
REPETITIONS = 6  # \boldsymbol measures, then typesets each of four styles: measured, 5.8


@dataclass(slots=True)
class _Level:
    """An open group, environment or bracket.

    Attributes:
        end: text of the token or environment that closes it.
        times: how often its content is typeset.
        arguments: how many of its next groups are arguments of a command that repeats them.
        delimited: whether all its groups are, up to a word that ends the argument.
        until: of a bracket, the index of the token that closes it.
    """

    end: str
    times: int
    arguments: int = 0
    delimited: bool = False
    until: int = -1


class Nesting:
    """The stack of open levels.

    Args:
        depth: of the part of the formula that is checked.
        times: how often that part is typeset.

    Attributes:
        work: tokens typeset so far, repetitions counted.
    """

    def __init__(self, depth: int = 0, times: int = 1) -> None:
        self._depth = depth
        self._levels = [_Level("", times)]
        self.work = 0

    @property
    def depth(self) -> int:
        """Number of open levels."""
        return self._depth + len(self._levels) - 1

    @property
    def end(self) -> str:
        """Text that closes the innermost level; empty if nothing is open."""
        return self._levels[-1].end

    @property
    def times(self) -> int:
        """How often TeX typesets the content of the innermost level."""
        return self._levels[-1].times

    def add_work(self, tokens: int) -> None:
        """Counts tokens at this position.

        Raises:
            RenderError: if the formula is too much work.
        """
        self.work += tokens * self.times
        if self.work > MAX_WORK:
            raise RenderError(Cause.LIMIT, "nested so that it would be set millions of times")

    def repeat_arguments(self, count: int) -> None:
        """Marks the next groups as arguments of a command that repeats them."""
        level = self._levels[-1]
        level.arguments = max(level.arguments, count)

    def delimit(self, *, ends: bool) -> None:
        r"""Handles plain TeX's `\root`, or its `\of`, which ends the first of two arguments."""
        self._levels[-1].delimited = not ends
        if ends:
            self.repeat_arguments(1)

    def enter(self, end: str) -> None:
        """Opens a level.

        Args:
            end: text of the token or environment that closes it.

        Raises:
            RenderError: if it is too deep.
        """
        level = self._levels[-1]
        times = level.times
        if end == "}" and (level.arguments or level.delimited):
            level.arguments = max(0, level.arguments - 1)
            times *= REPETITIONS
        self._push(_Level(end, times))

    def enter_bracket(self, until: int) -> None:
        """Opens an optional argument, which does not count among a command's arguments.

        Args:
            until: index of the token that closes it.

        Raises:
            RenderError: if it is too deep.
        """
        self._push(_Level("]", self.times * REPETITIONS, until=until))

    def leave_brackets(self, at: int) -> None:
        """Closes the optional arguments that end at a token.

        Args:
            at: index of the token.

        Raises:
            RenderError: if something else is still open inside.
        """
        while any(level.until == at for level in self._levels):
            if self._levels[-1].until != at:
                raise self._unexpected("a ]")
            self._levels.pop()

    def leave(self, end: str, closer: str) -> None:
        """Closes the innermost level.

        Args:
            end: the `end` of the level.
            closer: its description for the message.

        Raises:
            RenderError: if something else is open, or nothing.
        """
        if not self.end:
            raise RenderError(Cause.UNREADABLE, f"{closer} that nothing opened")
        if self.end != end:
            raise self._unexpected(closer)
        self._levels.pop()

    def require_closed(self) -> None:
        """Raises an error if something is open.

        Raises:
            RenderError: if so.
        """
        if self.end:
            raise RenderError(Cause.UNREADABLE, f"ends before {self._expected_end()}")

    def _push(self, level: _Level) -> None:
        if self.depth >= MAX_DEPTH:
            raise RenderError(Cause.LIMIT, f"nested more than {MAX_DEPTH} deep")
        self._levels.append(level)

    def _unexpected(self, closer: str) -> RenderError:
        return RenderError(Cause.UNREADABLE, f"{closer} where {self._expected_end()} should be")

    def _expected_end(self) -> str:
        return f"the {self.end}" if self.end != "}" else "the closing brace"
