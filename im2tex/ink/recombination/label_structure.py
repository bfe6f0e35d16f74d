r"""Structure of a label in canonical tokens: the rows that can be cut, and the tokens with ink.

In canonical form every argument is in braces (`x ^ { 2 }`, `\frac { a } { b }`,
`\sqrt [ 3 ] { x }`), so braces and script marks determine the structure without a full parser.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from im2tex.ink.ink import Ink

_ARGUMENTS = {"\\frac": 2, "\\sqrt": 1}
_PARTNER = {"(": ")", "[": "]", "\\{": "\\}"}
_WITHOUT_INK = frozenset(["{", "}", "^", "_"])
# Labels with other constructs than rows, scripts, fractions and radicals are not parsed.
_UNSUPPORTED = frozenset(["&", "\\\\", "\\begin", "\\end", "\\left", "\\right", "\\hline"])

Row = tuple[tuple[int, int], ...]
"""(start, end) of each item of a row; an item is a symbol or construct with its scripts."""


@dataclass(frozen=True, slots=True)
class LabelStructure:
    """The structure of one label.

    Attributes:
        rows: the formula itself and the contents of every group.
        written: indices of the tokens that have ink of their own.
    """

    rows: tuple[Row, ...]
    written: tuple[int, ...]


class _NotCanonicalError(Exception):
    pass


class _Parser:
    """Parses one label; methods return the index after the tokens they used."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = list(tokens)
        self.rows: list[Row] = []
        self.written: list[int] = []

    def row(self, at: int, closing: str | None) -> int:
        """Items up to `closing`; None for the end of the label."""
        items: list[tuple[int, int]] = []
        while at < len(self.tokens) and self.tokens[at] != closing:
            if self.tokens[at] in _WITHOUT_INK:
                raise _NotCanonicalError
            start, at = at, self.item(at)
            while self.tokens[at : at + 1] in (["^"], ["_"]):
                at = self.group(at + 1)
            items.append((start, at))
        if closing is not None and at == len(self.tokens):
            raise _NotCanonicalError
        self.rows.append(tuple(items))
        return at + 1

    def item(self, at: int) -> int:
        token = self.tokens[at]
        self.written.append(at)
        at += 1
        if token == "\\sqrt" and self.tokens[at : at + 1] == ["["]:
            at = self.row(at + 1, "]")
        for _ in range(_ARGUMENTS.get(token, 0)):
            at = self.group(at)
        return at

    def group(self, at: int) -> int:
        if self.tokens[at : at + 1] != ["{"]:
            raise _NotCanonicalError
        return self.row(at + 1, "}")


def parse_structure(tokens: Sequence[str]) -> LabelStructure | None:
    """The structure of a label; None if it is not in plain canonical form."""
    if _UNSUPPORTED.intersection(tokens):
        return None
    parser = _Parser(tokens)
    try:
        parser.row(0, None)
    except (_NotCanonicalError, RecursionError):
        return None
    return LabelStructure(tuple(parser.rows), tuple(parser.written))


def is_balanced(tokens: Sequence[str]) -> bool:
    """Whether all brackets are in pairs and the number of `|` is even."""
    expected: list[str] = []
    for token in tokens:
        if token in _PARTNER:
            expected.append(_PARTNER[token])
        elif token in _PARTNER.values() and (not expected or expected.pop() != token):
            return False
    return not expected and tokens.count("|") % 2 == 0


def aligned_structure(ink: Ink, tokens: Sequence[str]) -> LabelStructure | None:
    """The label's structure, if ink and label are completely aligned.

    Args:
        ink: with symbols aligned to the tokens.
        tokens: in canonical form.

    Returns:
        None if a written token has no symbol, a symbol no token, or a stroke two symbols.
    """
    structure = parse_structure(tokens)
    if structure is None or not ink.symbols:
        return None
    if {symbol.position for symbol in ink.symbols} != set(structure.written):
        return None
    uses = Counter(i for symbol in ink.symbols for i in symbol.strokes)
    if not all(symbol.strokes for symbol in ink.symbols) or max(uses.values()) > 1:
        return None
    return structure
