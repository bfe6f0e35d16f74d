r"""Formulas of a document, in the way of the paper that made IM2LATEX-100K (section 4 of its text).

Taken are `equation` with and without star, `$$…$$` and `\[…\]` as displays, and `$…$` and `\(…\)`
as inline formulas, after the document's macros were expanded. What the paper does by patterns
alone, and loses formulas by, is read here as TeX reads it: escaped signs begin nothing, math in a
formula's text belongs to the formula, an opening sign without its partner ends with its paragraph,
and short-hands (`\be … \ee`) are known. Labels and equation numbers are no part of a formula.

Rows of `align` and its kin, which the paper does not take, are an option.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from im2tex.latex.document.expansion import expand, resolve
from im2tex.latex.document.macros import Table
from im2tex.latex.document.stream import Budget, Exhausted

LONGEST = 20_000
"""Characters of source beyond which nothing is a formula any more."""

DOCUMENT_BUDGET = 20_000_000
"""What the macros of a document may cost together, in characters read and written."""

_ALIGNED = "align|alignat|flalign|gather|eqnarray|multline"
_NAMES = {False: r"equation\*?", True: rf"(?:equation|displaymath|math|{_ALIGNED})\*?"}
_OPEN = {
    rows: re.compile(
        rf"[\\$](?:(?<=\$)\$?|(?<=\\)(?:begin[ \t]*\{{(?P<name>{names})\}}|[^A-Za-z@]))", re.DOTALL
    )
    for rows, names in _NAMES.items()
}
_INSIDE = re.compile(
    rf"\\begin[ \t]*\{{(?P<begin>{_NAMES[True]})\}}|\\end[ \t]*\{{(?P<end>{_NAMES[True]})\}}"
    r"|\\.|[{}]|\$\$?|\n[ \t\r]*\n",
    re.DOTALL,
)
_DOCUMENT = re.compile(r"\\begin[ \t]*\{document\}")
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n")
_OPEN_AGAIN = re.compile(rf"(?<!\\)\\[\[(]|\\begin[ \t]*\{{{_NAMES[True]}\}}")
_WORD = re.compile(r"\\[A-Za-z]+")
_CLOSE = {"\\[": "\\]", "\\(": "\\)", "$": "$", "$$": "$$"}
_INLINE = ("$", "\\(", "math")

Kind = Literal["d", "i"]


class Found(NamedTuple):
    """A formula.

    Attributes:
        kind: `d`, a display, or `i`, one in a line of text.
        latex: its markup on one line, macros expanded.
    """

    kind: Kind
    latex: str


@dataclass
class Extraction:
    """What `extract` found.

    Attributes:
        formulas: in the document's order.
        left_out: how many were not taken, by reason.
        private: how many of the formulas still hold macros of the paper that are more than a
            text with holes.
    """

    formulas: list[Found] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    private: int = 0


def extract(document: str, *, rows: bool = False) -> Extraction:
    r"""The formulas of a document.

    Args:
        document: its text without comments (`uncommented`), files that it reads in their places.
        rows: takes `displaymath` and `math` as well, and each row of `align`, `alignat`, `flalign`,
            `gather`, `eqnarray` and `multline`, without the signs of alignment.

    Returns:
        The formulas between `\begin{document}` and the end; all, if the document has no such sign.
    """
    budget = Budget(DOCUMENT_BUDGET)
    resolved = resolve(document, budget)
    result = Extraction()
    if resolved.exhausted:
        result.left_out["macros that begin formulas and never end"] += 1
    definitions = iter(resolved.definitions)
    following = next(definitions, None)
    table: Table = {}
    opaque: set[str] = set()
    for at, kind, body in _bodies(resolved.text, rows, result.left_out):
        while following is not None and following[0] <= at:
            name, value = following[1]
            table[name] = value
            (opaque.add if value is None else opaque.discard)(name)
            following = next(definitions, None)
        try:
            latex = " ".join(expand(body, table, budget).split())
        except Exhausted:
            result.left_out["macros that never end"] += 1
            continue
        if not latex:
            result.left_out["empty"] += 1
            continue
        result.formulas.append(Found(kind, latex))
        result.private += bool(opaque) and not opaque.isdisjoint(_WORD.findall(latex))
    return result


def _bodies(text: str, rows: bool, left_out: Counter[str]) -> Iterator[tuple[int, Kind, str]]:
    """Place, kind and source of each formula."""
    start = _DOCUMENT.search(text)
    at = start.end() if start else 0
    signs = _OPEN[rows]
    while found := signs.search(text, at):
        at = found.end()
        sign = found.group()
        name = found["name"]
        if name is None and sign not in _CLOSE:
            continue
        begin = at
        end, at = _fast_end(text, begin, sign, name)
        if end < 0:
            end, at = _end(text, begin, sign, name)
        if end < 0:
            left_out["signs without a partner"] += 1
            continue
        body = text[begin:end]
        kind: Kind = "i" if (name or sign) in _INLINE else "d"
        if name is not None and name.rstrip("*") in _ALIGNED.split("|"):
            for row in split_rows(body, name):
                yield begin, kind, row
        else:
            yield begin, kind, body


def _fast_end(text: str, at: int, sign: str, name: str | None) -> tuple[int, int]:
    """As `_end`, for a formula in which nothing has to be looked at closely; -1 for others."""
    close = _CLOSE[sign] if name is None else f"\\end{{{name}}}"
    end = text.find(close, at, at + LONGEST)
    if end < 0:
        return -1, at
    body = text[at:end]
    if body.endswith("\\") or ("\n" in body and _PARAGRAPH.search(body)):
        return -1, at
    if sign == "$$":
        if "$" in body:
            return -1, at
    elif sign != "$" and _OPEN_AGAIN.search(body):
        return -1, at
    if "\\{" in body or "\\}" in body:
        body = body.replace("\\{", "").replace("\\}", "")
    if body.count("{") != body.count("}"):
        return -1, at
    return end, end + len(close)


def _end(text: str, at: int, sign: str, name: str | None) -> tuple[int, int]:
    """Where the formula ends that begins at a place, and where the text goes on.

    The end is -1 if it has none: text then goes on where that was seen.
    """
    close = None if name is not None else _CLOSE[sign]
    dollars = close is not None and close.startswith("$")
    depth = 0
    for found in _INSIDE.finditer(text, at, at + LONGEST):
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
    return -1, min(at + LONGEST, len(text))


_ROW_SIGN = re.compile(
    r"\\\\[ \t]*(?:\*|\[[^\]\n]{0,20}\])?|\\(?:short)?intertext[ \t]*\{[^{}]*\}"
    r"|\\begin(?![A-Za-z])|\\end(?![A-Za-z])|\\.|[{}&]",
    re.DOTALL,
)
_COLUMNS = re.compile(r"\s*\{[^{}]*\}")


def split_rows(body: str, name: str) -> list[str]:
    """The rows of an aligned display, those of arrays inside left whole.

    Args:
        body: its source.
        name: its environment, with its star.

    Returns:
        The rows that are not blank, without the signs of alignment of the display itself.
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
