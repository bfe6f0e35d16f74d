r"""Formulas of a document, in the way of the paper that made IM2LATEX-100K (section 4 of its text).

Taken are `equation` with and without star, `$$…$$` and `\[…\]` as displays, and `$…$` and `\(…\)`
as inline formulas, after the document's macros were expanded. What the paper does by patterns
alone, and loses formulas by, is read here as TeX reads it: escaped signs begin nothing, math in a
formula's text belongs to the formula, an opening sign without its partner ends with its paragraph,
and short-hands (`\be … \ee`) are known. Labels, equation numbers and
colours are no part of a formula.

Rows of `align` and its kin, which the paper does not take, are an option.
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
"""What the macros of a document may cost together, in characters read and written."""

CHARACTER_BUDGET = 20
"""What they may cost more for each character that the document has."""

LARGEST_BUDGET = 40_000_000
"""What they may cost at most: some seconds."""

_WORD = re.compile(r"\\[A-Za-z]+")


class ExtractedFormula(NamedTuple):
    """A formula.

    Attributes:
        kind: `d`, a display, or `i`, one in a line of text.
        latex: its markup on one line, macros expanded.
    """

    kind: FormulaKind
    latex: str


@dataclass
class Extraction:
    """What `extract_formulas` found.

    Attributes:
        formulas: in the document's order.
        skipped: how many were not taken, by reason.
        with_opaque_macros: how many of the formulas still hold a macro of the paper that cannot be
            expanded.
    """

    formulas: list[ExtractedFormula] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    with_opaque_macros: int = 0


def extract_formulas(document: str, *, rows: bool = False) -> Extraction:
    r"""The formulas of a document.

    Args:
        document: its text without comments (`strip_comments`), files that it reads in their places.
        rows: takes `displaymath` and `math` as well, and each row of `align`, `alignat`, `flalign`,
            `gather`, `eqnarray` and `multline`, without the signs of alignment.

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
