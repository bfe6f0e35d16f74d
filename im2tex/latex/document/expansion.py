r"""Macros replaced by what they stand for.

In the whole document those are replaced that begin or end formulas (`\be … \ee`), in a formula all.
Text outside of formulas stays as it is, which keeps what a macro bomb could reach small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from im2tex.latex.document.definitions import COMMANDS, Definition, read_definition
from im2tex.latex.document.macros import MacroTable
from im2tex.latex.document.stream import BudgetExceededError, ExpansionBudget, MacroStream, glue

FORMULA_BUDGET = 100_000
"""What the macros of one formula may cost, in characters read and written."""

_SIGN = re.compile(r"\\(?:[A-Za-z@]+|.)", re.DOTALL)
_ENVIRONMENT = re.compile(r"[ \t]*\{([A-Za-z@]+\*?)\}")
_GAP = re.compile(r"\s*")
_LINE_END = re.compile(r"[ \t]*\n?")
_DELIMITER = re.compile(
    r"(?<!\\)\$|(?<!\\)\\[\[\]()]"
    r"|\\(?:begin|end)\s*\{(?:equation|displaymath|math|align|alignat|flalign|gather|eqnarray|"
    r"multline)\*?\}"
)
_DEPTH = 30  # macros that lead to one another before a formula begins

# Commands that say nothing about a formula's signs, with the number of their arguments; what is
# coloured stays.
_SILENT = {
    "\\label": 1,
    "\\tag": 1,
    "\\color": 1,
    "\\textcolor": 1,
    "\\nonumber": 0,
    "\\notag": 0,
    "\\ensuremath": 0,
    "\\xspace": 0,
    "\\relax": 0,
    "\\protect": 0,
    "\\fi": 0,
    "\\global": 0,
    "\\long": 0,
}
_NUMBER = ("\\eqno", "\\leqno")
_MATH_MODE = "\\ifmmode"
_CHOICE = "\\ifthenelse"
_TEST = re.compile(r"\s*(\\not(?![A-Za-z])|\\NOT(?![A-Za-z]))?\s*\\(equal|isempty)(?![A-Za-z])")
_SPECIAL = frozenset((*_SILENT, *_NUMBER, _MATH_MODE, _CHOICE))


@dataclass
class ResolvedDocument:
    """A document in which each formula stands between its own signs.

    Attributes:
        text: the document; definitions are taken out of it.
        definitions: what they define, and the place in the text from where on it holds.
        exhausted: whether macros were left as they are because they cost too much.
    """

    text: str = ""
    definitions: list[tuple[int, Definition]] = field(default_factory=list)
    exhausted: bool = False


def resolve_document(document: str, budget: ExpansionBudget) -> ResolvedDocument:
    """Reads a document's definitions, and expands the macros that begin or end formulas.

    Args:
        document: the text without comments.
        budget: what all of the expansion may cost.
    """
    return _Resolver(document, budget).run()


class _Resolver:
    def __init__(self, document: str, budget: ExpansionBudget) -> None:
        self.stream = MacroStream(document, budget)
        self.table: MacroTable = {}
        self.hiding: dict[str, bool] = {}
        self.out: list[str] = []
        self.length = 0
        self.result = ResolvedDocument()

    def run(self) -> ResolvedDocument:
        try:
            while self._step():
                pass
        except BudgetExceededError:
            self.result.exhausted = True
            self._put(self.stream.text[self.stream.at :])
            while self.stream.pop():
                self._put(self.stream.text[self.stream.at :])
        self.result.text = "".join(self.out)
        return self.result

    def _put(self, text: str) -> None:
        if text:
            joined = glue((self.out[-1], text))[len(self.out[-1]) :] if self.out else text
            self.out.append(joined)
            self.length += len(joined)

    def _step(self) -> bool:
        """Copies up to the next definition or call, and reads that."""
        stream, table = self.stream, self.table
        text, start = stream.text, stream.at
        for sign in _SIGN.finditer(text, start):
            word = sign.group()
            if word in COMMANDS:
                self._put(text[start : sign.start()])
                stream.at = sign.end()
                self._define(word)
                return True
            after = sign.end()
            if word in ("\\begin", "\\end"):
                name = _ENVIRONMENT.match(text, after)
                if name is None:
                    continue
                word, after = f"{word}{{{name[1]}}}", name.end()
            if word in table and self._hides(word):
                self._put(text[start : sign.start()])
                stream.at = after
                value = table[word]
                replacement = None if value is None else value.call(stream)
                if replacement is None:
                    self._put(text[sign.start() : after])
                else:
                    stream.push(replacement)
                return True
        self._put(text[start:])
        stream.at = len(text)
        return stream.pop()

    def _define(self, command: str) -> None:
        place = self.stream.place()
        found = read_definition(command, self.stream, self.table)
        if not found:
            self.stream.back(place)
        for name, value in found:
            self.table[name] = value
            self.result.definitions.append((self.length, (name, value)))
            self.hiding.clear()
        line_end = _LINE_END.match(self.stream.text, self.stream.at)
        self.stream.at = line_end.end() if line_end else self.stream.at

    def _hides(self, word: str, depth: int = 0) -> bool:
        """Whether a macro, or one that it leads to, begins or ends a formula."""
        known = self.hiding.get(word)
        if known is not None:
            return known
        value = self.table[word]
        result = False
        if value is not None and not value.final and depth < _DEPTH:
            text = value.text
            self.stream.budget.spend(len(text))
            self.hiding[word] = False
            result = _MATH_MODE not in text and (
                _DELIMITER.search(text) is not None
                or any(
                    inner in self.table and self._hides(inner, depth + 1) for inner in _words(text)
                )
            )
        self.hiding[word] = result
        return result


def _words(text: str) -> Iterator[str]:
    for sign in _SIGN.finditer(text):
        word = sign.group()
        if word in ("\\begin", "\\end") and (name := _ENVIRONMENT.match(text, sign.end())):
            word = f"{word}{{{name[1]}}}"
        yield word


def expand_macros(formula: str, table: MacroTable, budget: ExpansionBudget) -> str:
    r"""A formula with all macros expanded, and without its number, label and colours.

    Args:
        formula: its markup.
        table: the macros that hold there. Opaque ones, and those whose arguments do not fit, are
            left as they are.
        budget: what is left for all formulas together; one alone has `FORMULA_BUDGET`.

    Raises:
        BudgetExceededError: if the macros do not come to an end.
    """
    if "\\" not in formula:
        return formula
    words = set(_SIGN.findall(formula))
    if words.isdisjoint(_SPECIAL) and table.keys().isdisjoint(words) and "\\begin" not in words:
        return formula
    return _Expansion(MacroStream(formula, ExpansionBudget(FORMULA_BUDGET, budget)), table).run()


class _Expansion:
    def __init__(self, stream: MacroStream, table: MacroTable) -> None:
        self.stream = stream
        self.table = table
        self.out: list[str] = []

    def run(self) -> str:
        while self._step():
            pass
        return glue(self.out)

    def _step(self) -> bool:
        stream = self.stream
        text, start = stream.text, stream.at
        for sign in _SIGN.finditer(text, start):
            word, after = sign.group(), sign.end()
            if word in ("\\begin", "\\end") and (name := _ENVIRONMENT.match(text, after)):
                word, after = f"{word}{{{name[1]}}}", name.end()
            if word not in self.table and word not in _SPECIAL:
                continue
            self.out.append(text[start : sign.start()])
            stream.at = after
            place = stream.place()
            value = self.table.get(word)
            if value is not None and word[-1].isalpha() and (gap := _GAP.match(text, after)):
                # TeX passes over the space behind a word.
                stream.at = gap.end()
            replacement = None
            if value is not None:
                replacement = value.call(stream)
            elif word in _SPECIAL:
                replacement = self._special(word)
            if replacement is None:
                self.out.append(word)
                stream.back(place)
            elif value is not None and value.final:
                self.out.append(replacement)
            else:
                stream.push(replacement)
            return True
        self.out.append(text[start:])
        stream.at = len(text)
        return stream.pop()

    def _special(self, word: str) -> str | None:
        if word in _NUMBER:
            # What follows is the number, to the end of the display.
            self.stream.end()
            return ""
        if word == _MATH_MODE:
            inside = self.stream.until("\\fi")
            return None if inside is None else inside.partition("\\else")[0]
        if word == _CHOICE:
            return self._choice()
        if word == "\\tag":
            self.stream.follows("*")
        elif word in ("\\color", "\\textcolor"):
            self.stream.bracket()
        for _ in range(_SILENT[word]):
            if self.stream.argument() is None:
                return None
        return ""

    def _choice(self) -> str | None:
        r"""What `\ifthenelse` chooses, if all it asks is whether its arguments are alike."""
        test, yes, no = (self.stream.argument() for _ in range(3))
        kind = _TEST.match(test or "")
        if test is None or yes is None or no is None or kind is None:
            return None
        asked = MacroStream(test[kind.end() :], self.stream.budget)
        first = asked.argument()
        second = "" if kind[2] == "isempty" else asked.argument()
        asked.spaces()
        if first is None or second is None or asked.at < len(asked.text):
            return None
        alike = first.strip() == second.strip()
        return yes if alike != bool(kind[1]) else no
