r"""Macros of a formula replaced by their texts."""

from __future__ import annotations

import re
from collections.abc import Callable

from im2tex.latex.document.macros import MacroTable
from im2tex.latex.document.stream import COMMAND, ExpansionBudget, MacroStream, glue, iter_commands

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
    r"""A formula with all macros expanded, and without its number, label and colours.

    Args:
        formula: its markup.
        table: the macros that hold there. Opaque ones, and those whose arguments do not fit, are
            left as they are.
        budget: the budget of all formulas together; a single formula has `FORMULA_BUDGET`.

    Raises:
        BudgetExceededError: if the macros do not come to an end.
    """
    words = set(COMMAND.findall(formula))
    if words.isdisjoint(_SPECIAL) and table.keys().isdisjoint(words) and "\\begin" not in words:
        return formula
    return expand_all(formula, table, ExpansionBudget(FORMULA_BUDGET, budget))


def expand_all(text: str, table: MacroTable, budget: ExpansionBudget) -> str:
    """A text with all macros expanded; see `expand_macros`."""
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
                stream.back(position)
            elif value is not None and value.final:
                out.append(replacement)
            else:
                stream.push(replacement)
            break
        else:
            return glue([*out, stream.text[stream.at :]])


def _silent(stream: MacroStream, word: str) -> str | None:
    if word == "\\tag":
        stream.follows("*")
    elif word in ("\\color", "\\textcolor"):
        stream.bracket()
    missing = _SILENT[word] and stream.argument() is None
    return None if missing else ""


def _number(stream: MacroStream, word: str) -> str:
    """The number of a display, which reaches to its end."""
    stream.end()
    return ""


def _math_mode(stream: MacroStream, word: str) -> str | None:
    inside = stream.until("\\fi")
    return None if inside is None else inside.partition("\\else")[0]


def _choice(stream: MacroStream, word: str) -> str | None:
    r"""What `\ifthenelse` chooses, if its test is whether two arguments are equal."""
    test, yes, no = (stream.argument() for _ in range(3))
    kind = _TEST.match(test or "")
    if test is None or yes is None or no is None or kind is None:
        return None
    asked = MacroStream(test[kind.end() :], stream.budget)
    first = asked.argument()
    second = "" if kind[2] == "isempty" else asked.argument()
    asked.spaces()
    if first is None or second is None or asked.at < len(asked.text):
        return None
    alike = first.strip() == second.strip()
    return yes if alike != bool(kind[1]) else no


_SPECIAL: dict[str, Callable[[MacroStream, str], str | None]] = {
    **dict.fromkeys(_SILENT, _silent),
    **dict.fromkeys(["\\eqno", "\\leqno"], _number),
    "\\ifmmode": _math_mode,
    "\\ifthenelse": _choice,
}
