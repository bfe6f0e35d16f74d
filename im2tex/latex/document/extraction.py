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
from dataclasses import dataclass, field
from typing import NamedTuple

from im2tex.latex.document.boundaries import FormulaKind, iter_formulas
from im2tex.latex.document.expansion import expand_macros
from im2tex.latex.document.macros import MacroTable
from im2tex.latex.document.resolution import resolve_document
from im2tex.latex.document.stream import BudgetExceededError, ExpansionBudget

DOCUMENT_BUDGET = 2_000_000
"""Characters that the macros of a document may read and write."""

CHARACTER_BUDGET = 20
"""Further characters for each character of the document."""

LARGEST_BUDGET = 40_000_000
"""Maximum of the sum, which takes some seconds."""

_WORD = re.compile(r"\\[A-Za-z]+")


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
        with_opaque_macros: number of formulas with a macro of the document that cannot be expanded.
    """

    formulas: list[ExtractedFormula] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    with_opaque_macros: int = 0


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
    opaque = {"\\ifthenelse"}
    for body in iter_formulas(resolved.text, rows, result.skipped):
        while following is not None and following[0] <= body.end:
            name, value = following[1]
            table[name] = value
            (opaque.add if value is None else opaque.discard)(name)
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
        result.with_opaque_macros += bool(opaque) and not opaque.isdisjoint(_WORD.findall(latex))
    return result
