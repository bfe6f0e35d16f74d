r"""Extracts a document's formulas, after section 4 of the IM2LATEX-100K paper.

Displays are `equation` with and without star, `$$…$$` and `\[…\]`, inline formulas `$…$` and
`\(…\)`, after expansion of the document's macros. The paper extracts with regular expressions and
loses formulas; this module follows TeX's rules: escaped signs do not begin a formula, math in a
formula's text belongs to the formula, an opening sign without its partner ends with its paragraph,
and short-hands (`\be … \ee`) are expanded. Labels, equation numbers and colours are removed.

Rows of `align` and similar environments, which the paper does not extract, are an option.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from im2tex.latex.document.macros import MacroTable, expand_macros
from im2tex.latex.document.resolution import resolve_document
from im2tex.latex.document.stream import BudgetExceededError, ExpansionBudget

MAX_FORMULA_LENGTH = 20_000
"""Maximum length of a formula's source, in characters."""

WITHOUT_PARTNER = "signs without a partner"
"""The reason under which opening signs without closing sign are counted."""

FormulaKind = Literal["d", "i"]

ALIGNED = ("align", "alignat", "flalign", "gather", "eqnarray", "multline")
"""Environments of several rows, each with a starred variant."""

_ALIGNED = "|".join(ALIGNED)
_NAMES = {False: r"equation\*?", True: rf"(?:equation|displaymath|math|{_ALIGNED})\*?"}
# A set of characters at the front makes the search fast.
_OPEN = {
    rows: re.compile(
        rf"[\\$](?:(?<=\$)\$?|(?<=\\)(?:begin[ \t]*\{{(?P<name>{names})\}}|[^A-Za-z@]))", re.DOTALL
    )
    for rows, names in _NAMES.items()
}
_INSIDE = re.compile(
    rf"\\begin[ \t]*\{{(?P<begin>{_NAMES[True]})\}}|\\end[ \t]*\{{(?P<end>{_NAMES[True]})\}}"
    r"|\\.|[{}]|\$\$?|\n[ \t]*\n",
    re.DOTALL,
)
_DOCUMENT = re.compile(r"\\begin[ \t]*\{document\}")
_CLOSE = {"\\[": "\\]", "\\(": "\\)", "$": "$", "$$": "$$"}
_INLINE = ("$", "\\(", "math")


_ROW_SIGN = re.compile(
    r"\\\\[ \t]*(?:\*|\[[^\]\n]{0,20}\])?|\\(?:short)?intertext[ \t]*\{[^{}]*\}"
    r"|\\begin(?![A-Za-z])|\\end(?![A-Za-z])|\\.|[{}&]",
    re.DOTALL,
)
_COLUMNS = re.compile(r"\s*\{[^{}]*\}")


class FormulaBody(NamedTuple):
    """The contents of a formula.

    Attributes:
        end: index of its end in the text.
        kind: `d` for a display, `i` for an inline formula.
        source: its markup.
    """

    end: int
    kind: FormulaKind
    source: str


def iter_formulas(text: str, rows: bool, skipped: Counter[str]) -> Iterator[FormulaBody]:
    r"""Finds the formulas of a text.

    Args:
        text: a document in which each formula stands between its own signs.
        rows: also finds the rows of aligned displays.
        skipped: counts signs without a partner.

    Yields:
        The formulas in order, from `\begin{document}` on, if the text has it.
    """
    start = _DOCUMENT.search(text)
    at = start.end() if start else 0
    while found := _OPEN[rows].search(text, at):
        at = found.end()
        sign, name = found.group(), found["name"]
        if name is None and sign not in _CLOSE:
            continue
        begin = at
        end, at = _formula_end(text, begin, sign, name)
        if end < 0:
            skipped[WITHOUT_PARTNER] += 1
            continue
        source = text[begin:end]
        if name is not None and name.rstrip("*") in ALIGNED:
            for row in split_rows(source, name):
                yield FormulaBody(end, "d", row)
        else:
            yield FormulaBody(end, "i" if (name or sign) in _INLINE else "d", source)


def _formula_end(text: str, at: int, sign: str, name: str | None) -> tuple[int, int]:
    """Returns the end of the formula that begins at `at`, and where to search for the next formula.

    The end is -1 for a formula without closing sign.
    """
    close = None if name is not None else _CLOSE[sign]
    dollars = close is not None and close.startswith("$")
    depth = 0
    for found in _INSIDE.finditer(text, at, at + MAX_FORMULA_LENGTH):
        inner = found.group()
        if inner == "{":
            depth += 1
        elif inner == "}":
            depth -= 1
            if depth < 0:
                return -1, found.end()
        elif inner[0] == "\n":
            return -1, found.end()
        elif depth > 0:
            continue
        elif inner == close or (name is not None and found["end"] == name):
            return found.start(), found.end()
        elif dollars and inner[0] == "$":
            # Two formulas side by side, or a single dollar in a display.
            return (found.start(), found.start() + 1) if close == "$" else (-1, found.end())
        elif found["begin"] or inner in ("\\[", "\\("):
            return -1, found.start()
    return -1, min(at + MAX_FORMULA_LENGTH, len(text))


def split_rows(body: str, name: str) -> list[str]:
    """Splits an aligned display into its rows; arrays inside stay whole.

    Args:
        body: its source.
        name: its environment, with its star.

    Returns:
        The rows that are not blank, without the display's own `&`.
    """
    at = 0
    if name.startswith("alignat") and (columns := _COLUMNS.match(body)):
        at = columns.end()
    rows: list[str] = []
    pieces: list[str] = []
    depth = 0
    for found in _ROW_SIGN.finditer(body, at):
        sign = found.group()
        if sign in ("{", "\\begin"):
            depth += 1
        elif sign in ("}", "\\end"):
            depth -= 1
        elif depth == 0 and (sign == "&" or "intertext" in sign):
            pieces += (body[at : found.start()], " ")
            at = found.end()
        elif depth == 0 and sign.startswith("\\\\"):
            rows.append("".join((*pieces, body[at : found.start()])))
            pieces = []
            at = found.end()
    rows.append("".join((*pieces, body[at:])))
    return [row for row in rows if row.strip()]


DOCUMENT_BUDGET = 2_000_000
"""Characters that the macros of a document may read and write."""

CHARACTER_BUDGET = 20
"""Further characters for each character of the document."""

LARGEST_BUDGET = 40_000_000
"""Maximum of the sum, which takes some seconds."""


class ExtractedFormula(NamedTuple):
    """An extracted formula.

    Attributes:
        kind: `d` for a display, `i` for an inline formula.
        latex: its markup on one line, macros expanded.
    """

    kind: FormulaKind
    latex: str


@dataclass
class Extraction:
    """The result of `extract_formulas`.

    Attributes:
        formulas: the formulas, in the document's order.
        skipped: number of skipped formulas, by reason.
    """

    formulas: list[ExtractedFormula] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def extract_formulas(document: str, *, rows: bool = False) -> Extraction:
    r"""Extracts the formulas of a document.

    >>> extract_formulas(r"\def\a{x} Let $\a^2$ be ...").formulas
    [ExtractedFormula(kind='i', latex='x^2')]

    Args:
        document: its text without comments (`strip_comments`), with input files inserted.
        rows: also extracts `displaymath` and `math`, and each row of `align`, `alignat`,
            `flalign`, `gather`, `eqnarray` and `multline`, without `&`.

    Returns:
        The formulas between `\begin{document}` and the end; all, if the document has no such sign.
    """
    budget = ExpansionBudget(
        min(DOCUMENT_BUDGET + CHARACTER_BUDGET * len(document), LARGEST_BUDGET)
    )
    resolved = resolve_document(document, budget)
    result = Extraction()
    if resolved.exhausted:
        result.skipped["macros that begin formulas and never end"] += 1
    definitions = iter(resolved.definitions)
    following = next(definitions, None)
    table: MacroTable = {}
    for body in iter_formulas(resolved.text, rows, result.skipped):
        while following is not None and following[0] <= body.end:
            table.update([following[1]])
            following = next(definitions, None)
        try:
            latex = " ".join(expand_macros(body.source, table, budget).split())
        except BudgetExceededError:
            result.skipped["macros that never end"] += 1
            continue
        if not latex:
            result.skipped["empty"] += 1
            continue
        result.formulas.append(ExtractedFormula(body.kind, latex))
    return result
