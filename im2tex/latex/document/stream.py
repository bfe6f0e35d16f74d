r"""`MacroStream`: a text in which macros are expanded, and their arguments by TeX's rules.

The expansion of a macro is inserted in front of the rest of the text. All work is charged to an
`ExpansionBudget`, so that a macro bomb takes seconds at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

LONGEST_ARGUMENT = 20_000
"""Maximum number of characters of an argument or definition."""

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
_STEP = 50  # cost of an expansion besides its characters
_COPIED = 400  # characters that are copied at the cost of reading one character


class BudgetExceededError(Exception):
    """Raised when the macros of a text cost more than the budget."""


class ExpansionBudget:
    """The work that expansions may still do.

    Args:
        characters: number of characters that macros read or write; an expansion costs `_STEP` more.
        parent: a budget that this budget is a part of.
    """

    __slots__ = ("left", "parent")

    def __init__(self, characters: int, parent: ExpansionBudget | None = None) -> None:
        self.left = characters
        self.parent = parent

    def spend(self, characters: int) -> None:
        """Charges a step.

        Raises:
            BudgetExceededError: if the step costs more than the rest of the budget.
        """
        self.left -= characters + _STEP
        if self.left < 0:
            raise BudgetExceededError
        if self.parent is not None:
            self.parent.spend(characters)


StreamPosition: TypeAlias = tuple[str, int]


class MacroStream:
    """A text and the position up to which it was read.

    Args:
        text: the text.
        budget: the budget that expansions are charged to.
    """

    __slots__ = ("at", "budget", "text")

    def __init__(self, text: str, budget: ExpansionBudget) -> None:
        self.text = text
        self.at = 0
        self.budget = budget

    def push(self, text: str) -> None:
        """Inserts a text in front of the rest."""
        self.budget.spend(len(text) + (len(self.text) - self.at) // _COPIED)
        self.text = join_markup((text, self.text[self.at :]))
        self.at = 0

    def position(self) -> StreamPosition:
        """Returns the current position, for `restore`."""
        return self.text, self.at

    def restore(self, position: StreamPosition) -> None:
        """Returns to a position."""
        self.text, self.at = position

    def skip_rest(self) -> None:
        """Skips the rest of the text."""
        self.at = len(self.text)

    def skip_spaces(self) -> None:
        """Skips white space."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def accept(self, sign: str) -> bool:
        """Skips white space, and a sign if it follows; returns whether it does."""
        self.skip_spaces()
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def argument(self) -> str | None:
        """Reads a group, returned without its braces, or a single token; None without either."""
        self.skip_spaces()
        if self.text.startswith("{", self.at):
            return self._read_balanced(_BRACE, "}")
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found.group()

    def optional_argument(self) -> str | None:
        """Reads an optional argument, returned without its brackets; None if it is missing."""
        self.skip_spaces()
        if self.text.startswith("[", self.at):
            return self._read_balanced(_BRACKET, "]")
        return None

    def until(self, delimiter: str) -> str | None:
        """Reads up to and including a delimiter outside of braces; None if it is missing."""
        words = r"\s+".join(re.escape(part) for part in delimiter.split()) or r"\s"
        signs = re.compile(rf"(?P<delimiter>{words})|\\(?:[A-Za-z@]+|.)|[{{}}]", re.DOTALL)
        depth = 0
        limit = min(self.at + LONGEST_ARGUMENT, len(self.text))
        for found in signs.finditer(self.text, self.at, limit):
            if found["delimiter"] and depth == 0:
                result = self.text[self.at : found.start()]
                self.budget.spend(len(result))
                self.at = found.end()
                return _strip_braces(result)
            depth += {"{": 1, "}": -1}.get(found.group(), 0)
            if depth < 0:
                break
        self.budget.spend(limit - self.at)
        return None

    def _read_balanced(self, signs: re.Pattern[str], close: str) -> str | None:
        """Reads from an opening sign to its closing sign; returns the text between them."""
        if close == "}" and (flat := _FLAT_GROUP.match(self.text, self.at)):
            self.at = flat.end()
            return flat[1]
        start = self.at
        limit = min(start + LONGEST_ARGUMENT, len(self.text))
        depth = 0
        for found in signs.finditer(self.text, start + (close == "]"), limit):
            sign = found.group()
            depth += (sign == "{") - (sign == "}")
            if (sign == close and depth == 0) or depth < 0:
                self.budget.spend(found.end() - start)
                if depth < 0:
                    return None
                self.at = found.end()
                return self.text[start + 1 : self.at - 1]
        self.budget.spend(limit - start)
        return None


def iter_commands(text: str, at: int = 0) -> Iterator[tuple[str, int, int]]:
    r"""Yields control sequences with start and end; `\begin` and `\end` include the name."""
    for sign in COMMAND.finditer(text, at):
        word, end = sign.group(), sign.end()
        if word in ("\\begin", "\\end") and (name := _ENVIRONMENT.match(text, end)):
            word, end = f"{word}{{{name[1]}}}", name.end()
        yield word, sign.start(), end


def join_markup(pieces: Iterable[str]) -> str:
    """Joins pieces of markup, with a space between a control word and a letter behind it."""
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


def _strip_braces(text: str) -> str:
    """Removes the braces around a delimited argument, if one pair encloses it."""
    if not (text.startswith("{") and text.endswith("}")):
        return text
    depth = 0
    for found in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth == 0:
            return text[1:-1] if found.end() == len(text) else text
    return text
