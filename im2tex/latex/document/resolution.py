r"""Resolves a document: afterwards each formula stands between its own signs.

Macros that begin or end formulas (`\be … \ee`) are expanded in the whole document; all others are
left to `expand_macros`, which expands single formulas. The text outside of formulas is not
expanded, which limits the effect of a macro bomb.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from im2tex.latex.document.definitions import COMMANDS, Definition, read_definitions
from im2tex.latex.document.macros import MacroTable
from im2tex.latex.document.stream import (
    BudgetExceededError,
    ExpansionBudget,
    MacroStream,
    iter_commands,
    join_markup,
)

_LINE_END = re.compile(r"[ \t]*\n?")
_DELIMITER = re.compile(
    r"(?<!\\)\$|(?<!\\)\\[\[\]()]"
    r"|\\(?:begin|end)\s*\{(?:equation|displaymath|math|align|alignat|flalign|gather|eqnarray|"
    r"multline)\*?\}"
)
_MAX_CHAIN = 30  # macros that call each other before a formula begins


@dataclass
class ResolvedDocument:
    """A document in which each formula stands between its own signs.

    Attributes:
        text: the document without its definitions.
        definitions: names and macros, each with the position in the text from which it holds.
        exhausted: whether macros were left unexpanded because the budget was spent.
    """

    text: str = ""
    definitions: list[tuple[int, Definition]] = field(default_factory=list)
    exhausted: bool = False


def resolve_document(document: str, budget: ExpansionBudget) -> ResolvedDocument:
    """Reads a document's definitions, and expands the macros that begin or end formulas.

    Args:
        document: the text without comments.
        budget: the budget of all expansions.
    """
    return _Resolver(document, budget).run()


class _Resolver:
    """Copies a document's text, with the macros that begin or end formulas expanded."""

    def __init__(self, document: str, budget: ExpansionBudget) -> None:
        self.stream = MacroStream(document, budget)
        self.table: MacroTable = {}
        self.delimiting: dict[str, bool] = {}
        self.out: list[str] = []
        self.length = 0
        self.result = ResolvedDocument()

    def run(self) -> ResolvedDocument:
        try:
            while self._step():
                pass
        except BudgetExceededError:
            self.result.exhausted = True
            self._append(self.stream.text[self.stream.at :])
        self.result.text = "".join(self.out)
        return self.result

    def _append(self, text: str) -> None:
        if text:
            joined = join_markup((self.out[-1], text))[len(self.out[-1]) :] if self.out else text
            self.out.append(joined)
            self.length += len(joined)

    def _step(self) -> bool:
        """Copies text up to the next definition or call, and reads it; False at the end."""
        stream = self.stream
        text, copied = stream.text, stream.at
        for word, start, end in iter_commands(text, copied):
            if word not in COMMANDS and not (word in self.table and self._delimits(word)):
                continue
            self._append(text[copied:start])
            stream.at = end
            if word in COMMANDS:
                self._define(word)
                return True
            value = self.table[word]
            replacement = None if value is None else value.call(stream)
            if replacement is None:
                self._append(text[start:end])
            else:
                stream.push(replacement)
            return True
        self._append(text[copied:])
        return False

    def _define(self, command: str) -> None:
        start = self.stream.position()
        found = read_definitions(command, self.stream, self.table)
        if not found:
            self.stream.restore(start)
        for name, value in found:
            self.table[name] = value
            self.result.definitions.append((self.length, (name, value)))
            self.delimiting.clear()
        line_end = _LINE_END.match(self.stream.text, self.stream.at)
        self.stream.at = line_end.end() if line_end else self.stream.at

    def _delimits(self, word: str, depth: int = 0) -> bool:
        """Returns whether a macro, or a macro that it calls, begins or ends a formula."""
        known = self.delimiting.get(word)
        if known is not None:
            return known
        value = self.table[word]
        result = False
        if value is not None and not value.final and depth < _MAX_CHAIN:
            text = value.text
            self.stream.budget.spend(len(text))
            self.delimiting[word] = False
            result = "\\ifmmode" not in text and (
                _DELIMITER.search(text) is not None
                or any(
                    inner in self.table and self._delimits(inner, depth + 1)
                    for inner, _, _ in iter_commands(text)
                )
            )
        self.delimiting[word] = result
        return result
