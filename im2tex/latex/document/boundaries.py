r"""Where the formulas of a document begin and end, by TeX's rules.

A sign of the beginning ends at its own partner: not at an escaped one, and not within a brace that
was opened since. One without partner, or with a blank line before it, is counted and passed over;
the text goes on where that was seen, so that a document is read once, whatever is in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from im2tex.latex.document.rows import ALIGNED, split_rows

MAX_FORMULA_LENGTH = 20_000
"""Characters of source beyond which nothing is a formula any more."""

WITHOUT_PARTNER = "signs without a partner"
"""The reason under which those are counted."""

FormulaKind = Literal["d", "i"]

_ALIGNED = "|".join(ALIGNED)
_NAMES = {False: r"equation\*?", True: rf"(?:equation|displaymath|math|{_ALIGNED})\*?"}
# A set of characters at the front is what the search is fast by.
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
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_OPEN_AGAIN = re.compile(rf"(?<!\\)\\[\[(]|\\begin[ \t]*\{{{_NAMES[True]}\}}")
_CLOSE = {"\\[": "\\]", "\\(": "\\)", "$": "$", "$$": "$$"}
_INLINE = ("$", "\\(", "math")


class FormulaBody(NamedTuple):
    """What stands between the signs of a formula.

    Attributes:
        end: its end in the text.
        kind: `d` for a display, `i` for one within a line.
        source: its markup.
    """

    end: int
    kind: FormulaKind
    source: str


def iter_formulas(text: str, rows: bool, skipped: Counter[str]) -> Iterator[FormulaBody]:
    r"""The formulas of a text.

    Args:
        text: a document in which each formula stands between its own signs.
        rows: whether the rows of aligned displays are taken.
        skipped: where signs without a partner are counted.

    Yields:
        The formulas in order, from `\begin{document}` on, if there is one.
    """
    start = _DOCUMENT.search(text)
    at = start.end() if start else 0
    ends = _Ends(text)
    while found := _OPEN[rows].search(text, at):
        at = found.end()
        sign, name = found.group(), found["name"]
        if name is None and sign not in _CLOSE:
            continue
        begin = at
        end, at = ends.plain(begin, sign, name) or ends.nested(begin, sign, name)
        if end < 0:
            skipped[WITHOUT_PARTNER] += 1
            continue
        source = text[begin:end]
        if name is not None and name.rstrip("*") in ALIGNED:
            for row in split_rows(source, name):
                yield FormulaBody(end, "d", row)
        else:
            yield FormulaBody(end, "i" if (name or sign) in _INLINE else "d", source)


class _Ends:
    """Ends of formulas in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.following: dict[str, int] = {}

    def plain(self, at: int, sign: str, name: str | None) -> tuple[int, int] | None:
        """As `nested`, for a formula in which nothing has to be looked at closely; or None."""
        close = _CLOSE[sign] if name is None else f"\\end{{{name}}}"
        end = self.following.get(close, -1)
        if end < at:
            end = self.text.find(close, at)
            end = self.following[close] = (
                len(self.text) + MAX_FORMULA_LENGTH + 1 if end < 0 else end
            )
        if end > at + MAX_FORMULA_LENGTH:
            return None
        body = self.text[at:end]
        if body.endswith("\\") or ("\n" in body and _PARAGRAPH.search(body)):
            return None
        if (sign == "$$" and "$" in body) or (sign != "$" and _OPEN_AGAIN.search(body)):
            return None
        if "\\{" in body or "\\}" in body:
            body = body.replace("\\{", "").replace("\\}", "")
        if body.count("{") != body.count("}"):
            return None
        return end, end + len(close)

    def nested(self, at: int, sign: str, name: str | None) -> tuple[int, int]:
        """Where the formula ends that begins at a place, and where the text goes on.

        The end is -1 if it has none: text then goes on where that was seen.
        """
        close = None if name is not None else _CLOSE[sign]
        dollars = close is not None and close.startswith("$")
        depth = 0
        for found in _INSIDE.finditer(self.text, at, at + MAX_FORMULA_LENGTH):
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
        return -1, min(at + MAX_FORMULA_LENGTH, len(self.text))
