r"""Text that macros are expanded in, and the arguments they take from it, by TeX's rules.

What a macro stands for is pushed in front of what is still to be read. All work is paid for from a
`ExpansionBudget`, so that no macro bomb costs more than a moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LONGEST_ARGUMENT = 20_000
"""Characters of the longest argument or definition that is read."""

COMMAND = re.compile(r"\\(?:[A-Za-z@]+|.)", re.DOTALL)
"""A control sequence."""

_TOKEN = re.compile(r"\\(?:[A-Za-z@]+|.)|[^\\{}]", re.DOTALL)
_ENVIRONMENT = re.compile(r"[ \t]*\{([A-Za-z@]+\*?)\}")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_BRACKET = re.compile(r"\\.|[{}\]]", re.DOTALL)
_FLAT_GROUP = re.compile(r"\{([^{}\\]*)\}")
_SPACE = re.compile(r"\s*")
_WORD_AT_END = re.compile(r"\\[A-Za-z@]+\Z")
_LONGEST_WORD = 64
_STEP = 50  # what an expansion costs beside its characters


class BudgetExceededError(Exception):
    """The budget is spent: the macros do not come to an end in reasonable time."""


class ExpansionBudget:
    """How much work may still be done.

    Args:
        characters: read or written by macros, with a fixed price for each expansion.
        parent: another budget, of which this one is a part.
    """

    __slots__ = ("left", "parent")

    def __init__(self, characters: int, parent: ExpansionBudget | None = None) -> None:
        self.left = characters
        self.parent = parent

    def spend(self, characters: int) -> None:
        """Pays for a step.

        Raises:
            BudgetExceededError: if that is more than there is.
        """
        self.left -= characters + _STEP
        if self.left < 0:
            raise BudgetExceededError
        if self.parent is not None:
            self.parent.spend(characters)


class StreamPosition(NamedTuple):
    """A place in a text, and the one where reading goes on behind the text.

    Attributes:
        text: a text.
        at: how far it was read.
        below: the place behind it, if there is one.
    """

    text: str
    at: int
    below: StreamPosition | None


class MacroStream:
    """Text, how far it was read, and what comes behind it.

    Args:
        text: what is read first.
        budget: what pays for it.
    """

    __slots__ = ("at", "below", "budget", "text")

    def __init__(self, text: str, budget: ExpansionBudget) -> None:
        self.text = text
        self.at = 0
        self.below: StreamPosition | None = None
        self.budget = budget

    def push(self, text: str) -> None:
        """Puts text in front of the rest."""
        self.budget.spend(len(text))
        if self.at < len(self.text):
            self.below = self.position()
        self.text = text
        self.at = 0

    def position(self) -> StreamPosition:
        """Where the reading stands, for `back`."""
        return StreamPosition(self.text, self.at, self.below)

    def back(self, position: StreamPosition) -> None:
        """Reads again from a place."""
        self.text, self.at, self.below = position

    def pop(self) -> bool:
        """Goes on behind a text that was read to its end; False if nothing is there."""
        if self.below is None:
            return False
        self.back(self.below)
        return True

    def end(self) -> None:
        """Leaves out all that is still to be read."""
        self.at = len(self.text)
        self.below = None

    def spaces(self) -> None:
        """Passes white space over."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text) or not self.pop():
                return

    def follows(self, sign: str) -> bool:
        """Whether the rest, behind white space, begins with a sign, which is read if so."""
        self.spaces()
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def argument(self) -> str | None:
        """The group or the single token that comes next, without its braces; None if none does."""
        self.spaces()
        if self.text.startswith("{", self.at):
            return self._balanced(_BRACE, "}")
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found.group()

    def bracket(self) -> str | None:
        """An optional argument, without its brackets; None if there is none."""
        self.spaces()
        if self.text.startswith("[", self.at):
            return self._balanced(_BRACKET, "]")
        return None

    def until(self, delimiter: str) -> str | None:
        """What stands before a delimiter outside of braces, which is read too; None without one."""
        words = r"\s+".join(re.escape(part) for part in delimiter.split()) or r"\s"
        signs = re.compile(rf"(?P<delimiter>{words})|\\(?:[A-Za-z@]+|.)|[{{}}]", re.DOTALL)
        while True:
            depth = 0
            limit = self.at + LONGEST_ARGUMENT
            for found in signs.finditer(self.text, self.at, limit):
                if found["delimiter"] and depth == 0:
                    result = self.text[self.at : found.start()]
                    self.budget.spend(len(result))
                    self.at = found.end()
                    return _unbraced(result)
                depth += {"{": 1, "}": -1}.get(found.group(), 0)
                if depth < 0:
                    break
            self.budget.spend(min(len(self.text), limit) - self.at)
            if len(self.text) >= limit or depth < 0 or not self._merge():
                return None

    def _balanced(self, signs: re.Pattern[str], close: str) -> str | None:
        """What lies between the sign here and the one that closes it."""
        if close == "}" and (flat := _FLAT_GROUP.match(self.text, self.at)):
            self.at = flat.end()
            return flat[1]
        while True:
            depth = 0
            limit = self.at + LONGEST_ARGUMENT
            for found in signs.finditer(self.text, self.at + (close == "]"), limit):
                sign = found.group()
                if sign == "{":
                    depth += 1
                elif sign == "}":
                    depth -= 1
                if (sign == close and depth == 0) or depth < 0:
                    break
            else:
                found = None
            end = found.end() if found else min(len(self.text), limit)
            self.budget.spend(end - self.at)
            if found is not None:
                if depth < 0:
                    return None
                result = self.text[self.at + 1 : end - 1]
                self.at = end
                return result
            if len(self.text) >= limit or not self._merge():
                return None

    def _merge(self) -> bool:
        """Makes one text of this one and the one below it; False if there is none."""
        if self.below is None:
            return False
        text, at, self.below = self.below
        self.budget.spend(len(text) - at)
        self.text = self.text[self.at :] + text[at:]
        self.at = 0
        return True


def iter_commands(text: str, at: int = 0) -> Iterator[tuple[str, int, int]]:
    r"""Control sequences with their start and end; `\begin` and `\end` together with the name."""
    for sign in COMMAND.finditer(text, at):
        word, end = sign.group(), sign.end()
        if word in ("\\begin", "\\end") and (name := _ENVIRONMENT.match(text, end)):
            word, end = f"{word}{{{name[1]}}}", name.end()
        yield word, sign.start(), end


def glue(pieces: Iterable[str]) -> str:
    """Pieces of markup as one, a space where a word would run into the letter behind it."""
    result: list[str] = []
    last = ""
    for piece in pieces:
        if not piece:
            continue
        if piece[0].isalpha() and _WORD_AT_END.search(last, max(0, len(last) - _LONGEST_WORD)):
            result.append(" ")
        result.append(piece)
        last = piece
    return "".join(result)


def _unbraced(text: str) -> str:
    """A delimited argument loses the braces around it, if one pair holds it whole."""
    if not (text.startswith("{") and text.endswith("}")):
        return text
    depth = 0
    for found in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth == 0:
            return text[1:-1] if found.end() == len(text) else text
    return text
