r"""Expands the macros of a formula."""

from __future__ import annotations

import re
from collections.abc import Callable

from im2tex.latex.document.macros import MacroTable
from im2tex.latex.document.stream import (
    COMMAND,
    ExpansionBudget,
    MacroStream,
    iter_commands,
    join_markup,
)

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
