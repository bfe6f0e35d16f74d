"""Rows of an aligned display: `align` and its kin, each row a formula."""

from __future__ import annotations

import re

ALIGNED = ("align", "alignat", "flalign", "gather", "eqnarray", "multline")
"""The environments, which all have a twin with a star."""

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
