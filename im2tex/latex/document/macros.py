r"""Macros of a paper, and formulas with their macros replaced by their texts.

Macros are data: a macro's call is replaced by its text, and nothing else ever happens. A definition
that is more than a text with parameters (it looks at the next token, counts, or is built by other
macros) is opaque: its name is known, and its calls are left as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from im2tex.latex.document.stream import (
    COMMAND,
    ExpansionBudget,
    MacroStream,
    iter_commands,
    join_markup,
)

_PARAMETER = re.compile(r"#([1-9#])")
_OPAQUE = re.compile(
    r"\\(?:[A-Za-z]*@|if(?!mmode|thenelse|f(?![A-Za-z]))|IfNoValue|IfBoolean|IfValue|"
    r"(?:csname|expandafter|futurelet|noexpand|number|loop|read|write|input|catcode|advance|the)"
    r"(?![A-Za-z]))"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    r"""A parameter, which takes the next group or token unless it is optional or delimited.

    Attributes:
        default: the value of an optional parameter where its brackets are missing.
        delimiter: the sign up to which a parameter of `\def` reaches.
    """

    default: str | None = None
    delimiter: str = ""

    def read(self, stream: MacroStream) -> str | None:
        """Reads an argument; None if there is none."""
        if self.delimiter:
            return stream.until(self.delimiter)
        if self.default is None:
            return stream.argument()
        argument = stream.optional_argument()
        return self.default if argument is None else argument


@dataclass(frozen=True, slots=True)
class Macro:
    r"""The meaning of a name.

    Attributes:
        parts: its text, split at the parameters; a parameter is its index, from 0.
        parameters: the parameters.
        prefix: the text required between its name and its first parameter (`\def\p(#1){…}`).
        final: whether its text is not expanded again, because `\let` has saved an old meaning.
        starred: the meaning with a star behind its name, if that differs.
    """

    parts: tuple[str | int, ...]
    parameters: tuple[Parameter, ...] = ()
    prefix: str = ""
    final: bool = False
    starred: Macro | None = None

    @property
    def text(self) -> str:
        """Its text without parameters."""
        return " ".join(part for part in self.parts if isinstance(part, str))

    def call(self, stream: MacroStream) -> str | None:
        """Reads the arguments of a call and returns its expansion; None if they do not match.

        Raises:
            BudgetExceededError: if the stream's budget is spent.
        """
        start = stream.position()
        result = self._expand(stream)
        if result is None:
            stream.restore(start)
        return result

    def _expand(self, stream: MacroStream) -> str | None:
        if self.starred is not None and stream.accept("*"):
            return self.starred.call(stream)
        if self.prefix and not stream.accept(self.prefix):
            return None
        arguments: list[str] = []
        for parameter in self.parameters:
            argument = parameter.read(stream)
            if argument is None:
                return None
            arguments.append(argument)
        pieces = [part if isinstance(part, str) else arguments[part] for part in self.parts]
        if arguments:
            # Charged before joining: a text may use each argument many times.
            stream.budget.spend(sum(map(len, pieces)))
        return join_markup(pieces)


def macro(text: str, parameters: tuple[Parameter, ...] = (), prefix: str = "") -> Macro | None:
    """Makes a macro from its source; None if it is opaque or a parameter is not declared."""
    parts: list[str | int] = []
    at = 0
    for hole in _PARAMETER.finditer(text):
        parts.append(text[at : hole.start()])
        at = hole.end()
        if hole[1] == "#":
            parts[-1] = f"{parts[-1]}#"
        elif int(hole[1]) <= len(parameters):
            parts.append(int(hole[1]) - 1)
        else:
            return None
    parts.append(text[at:])
    result = Macro(tuple(part for part in parts if part != ""), parameters, prefix)
    return None if _OPAQUE.search(result.text) else result


MacroTable = dict[str, Macro | None]
r"""Macros by name, such as `\x`, or `\begin{x}` and `\end{x}`; None for an opaque macro."""


FORMULA_BUDGET = 100_000
"""Characters that the macros of one formula may read and write."""

_SPACES = re.compile(r"\s*")
# Commands without effect on a formula's symbols, with the number of their arguments; the
# contents of coloured parts stay.
_SILENT = {
    **dict.fromkeys(["\\label", "\\tag", "\\color", "\\textcolor"], 1),
    **dict.fromkeys(["\\nonumber", "\\notag", "\\ensuremath", "\\xspace", "\\relax"], 0),
    **dict.fromkeys(["\\protect", "\\fi", "\\global", "\\long"], 0),
}
_TEST = re.compile(r"\s*(\\not(?![A-Za-z])|\\NOT(?![A-Za-z]))?\s*\\(equal|isempty)(?![A-Za-z])")


def expand_macros(formula: str, table: MacroTable, budget: ExpansionBudget) -> str:
    r"""Expands all macros of a formula, and removes its number, label and colours.

    Args:
        formula: its markup.
        table: the current macros. Calls of opaque macros, and calls whose arguments do not match,
            are not changed.
        budget: the budget of all formulas together; a single formula has `FORMULA_BUDGET`.

    Raises:
        BudgetExceededError: if the expansion exceeds the budget.
    """
    words = set(COMMAND.findall(formula))
    if words.isdisjoint(_SPECIAL) and table.keys().isdisjoint(words) and "\\begin" not in words:
        return formula
    return expand_all(formula, table, ExpansionBudget(FORMULA_BUDGET, budget))


def expand_all(text: str, table: MacroTable, budget: ExpansionBudget) -> str:
    """Expands all macros of a text; see `expand_macros`."""
    stream = MacroStream(text, budget)
    out: list[str] = []
    while True:
        for word, start, end in iter_commands(stream.text, stream.at):
            value, special = table.get(word), _SPECIAL.get(word)
            if value is None and special is None:
                continue
            out.append(stream.text[stream.at : start])
            stream.at = end
            position = stream.position()
            replacement = None
            if value is not None:
                if word[-1].isalpha() and (spaces := _SPACES.match(stream.text, end)):
                    stream.at = spaces.end()  # as TeX skips them behind a word
                replacement = value.call(stream)
            elif special is not None:
                replacement = special(stream, word)
            if replacement is None:
                out.append(word)
                stream.restore(position)
            elif value is not None and value.final:
                out.append(replacement)
            else:
                stream.push(replacement)
            break
        else:
            return join_markup([*out, stream.text[stream.at :]])


def _expand_silent(stream: MacroStream, word: str) -> str | None:
    if word == "\\tag":
        stream.accept("*")
    elif word in ("\\color", "\\textcolor"):
        stream.optional_argument()
    missing = _SILENT[word] and stream.argument() is None
    return None if missing else ""


def _expand_number(stream: MacroStream, word: str) -> str:
    """Removes the number of a display, which reaches to the end of the formula."""
    stream.skip_rest()
    return ""


def _expand_ifmmode(stream: MacroStream, word: str) -> str | None:
    inside = stream.until("\\fi")
    return None if inside is None else inside.partition("\\else")[0]


def _expand_ifthenelse(stream: MacroStream, word: str) -> str | None:
    r"""Returns the branch that `\ifthenelse` selects, if its test compares two arguments."""
    test, yes, no = (stream.argument() for _ in range(3))
    kind = _TEST.match(test or "")
    if test is None or yes is None or no is None or kind is None:
        return None
    test_stream = MacroStream(test[kind.end() :], stream.budget)
    first = test_stream.argument()
    second = "" if kind[2] == "isempty" else test_stream.argument()
    test_stream.skip_spaces()
    if first is None or second is None or test_stream.at < len(test_stream.text):
        return None
    equal = first.strip() == second.strip()
    return yes if equal != bool(kind[1]) else no


_SPECIAL: dict[str, Callable[[MacroStream, str], str | None]] = {
    **dict.fromkeys(_SILENT, _expand_silent),
    **dict.fromkeys(["\\eqno", "\\leqno"], _expand_number),
    "\\ifmmode": _expand_ifmmode,
    "\\ifthenelse": _expand_ifthenelse,
}
