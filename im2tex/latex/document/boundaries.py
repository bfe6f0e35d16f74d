r"""Finds the beginnings and ends of a document's formulas, by TeX's rules.

A formula reaches from its opening sign to the matching closing sign; escaped signs and signs within
braces that were opened since do not match. An opening sign without partner, or with a blank
line before its partner, is counted and skipped; the search continues from there, so that the time
is linear in the length of the document.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

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
