r"""Where a label in canonical tokens can be cut, and which of its tokens are written on the paper.

Canonical form: every argument braced (`x ^ { 2 }`, `\frac { a } { b }`, `\sqrt [ 3 ] { x }`), so
braces and script marks alone give the structure; no full parser is needed to cut a sub-formula.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.ink import Ink, Symbol

_ARGUMENTS = {"\\frac": 2, "\\sqrt": 1}
_PARTNER = {"(": ")", "[": "]", "\\{": "\\}"}
_MUTE = frozenset(["{", "}", "^", "_"])
# Where markup says more than rows, scripts, fractions and radicals, nothing is cut.
_FOREIGN = frozenset(["&", "\\\\", "\\begin", "\\end", "\\left", "\\right", "\\hline"])


@dataclass(frozen=True, slots=True)
class LabelStructure:
    """The structure of one label.

    Attributes:
        rows: each row (the formula itself and every group's content) as the (start, end) of its
            items; an item is a symbol or construct with its scripts.
        written: indices of the tokens that have ink of their own.
    """

    rows: tuple[tuple[tuple[int, int], ...], ...]
    written: tuple[int, ...]


class _CannotCut(Exception):
    pass


def parse_structure(tokens: Sequence[str]) -> LabelStructure | None:
    """Reads the structure of a label, or gives None where it is not in the plain canonical form."""
    if _FOREIGN.intersection(tokens):
        return None
    rows: list[tuple[tuple[int, int], ...]] = []
    written: list[int] = []

    def row(at: int, closing: str | None) -> int:
        """Reads items until `closing`; gives the index behind it."""
        items: list[tuple[int, int]] = []
        while True:
            if at == len(tokens):
                if closing is not None:
                    raise _CannotCut
                break
            token = tokens[at]
            if token == closing:
                at += 1
                break
            if token in _MUTE:
                raise _CannotCut
            start, at = at, item(at)
            while at < len(tokens) and tokens[at] in ("^", "_"):
                at = group(at + 1)
            items.append((start, at))
        rows.append(tuple(items))
        return at

    def item(at: int) -> int:
        token = tokens[at]
        written.append(at)
        at += 1
        if token == "\\sqrt" and tokens[at : at + 1] == ["["]:
            at = row(at + 1, "]")
        for _ in range(_ARGUMENTS.get(token, 0)):
            at = group(at)
        return at

    def group(at: int) -> int:
        if tokens[at : at + 1] != ["{"]:
            raise _CannotCut
        return row(at + 1, "}")

    tokens = list(tokens)
    try:
        row(0, None)
    except (_CannotCut, RecursionError):
        return None
    return LabelStructure(tuple(rows), tuple(written))


def is_balanced(tokens: Sequence[str]) -> bool:
    """Whether every bracket in the tokens has its partner there, and bars come in pairs."""
    open_: list[str] = []
    for token in tokens:
        if token in _PARTNER:
            open_.append(_PARTNER[token])
        elif token in _PARTNER.values() and (not open_ or open_.pop() != token):
            return False
    return not open_ and tokens.count("|") % 2 == 0


def aligned_structure(ink: Ink, tokens: Sequence[str]) -> LabelStructure | None:
    """The label's structure, where ink and label say the same throughout.

    Args:
        ink: with symbols aligned to the tokens.
        tokens: canonical.

    Returns:
        None if a written token has no symbol, a symbol no token, or a stroke two symbols.
    """
    structure = parse_structure(tokens)
    if structure is None or not ink.symbols:
        return None
    if {symbol.position for symbol in ink.symbols} != set(structure.written):
        return None
    uses = Counter(i for symbol in ink.symbols for i in symbol.strokes)
    if not all(s.strokes for s in ink.symbols) or max(uses.values()) > 1:
        return None
    return structure


def symbol_box(ink: Ink, symbol: Symbol) -> NDArray[np.float32]:
    """Left, top, right and bottom of a symbol, (4,)."""
    points = np.concatenate([ink.strokes[i] for i in symbol.strokes])
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
