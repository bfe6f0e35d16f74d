"""Nodes of the symbol tree, and the symbols that a word alone makes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum, auto
from typing import Final, NamedTuple

from im2tex.latex.label_graph import names


class NodeKind(StrEnum):
    """Kinds of nodes; the comments name a node's parts, in order."""

    LETTER = auto()
    NUMBER = auto()
    SYMBOL = auto()
    RELATION = auto()
    NAME = auto()  # of a function: one symbol
    SPACE = auto()
    TEXT = auto()
    ROW = auto()  # from braces: any parts
    FENCED = auto()  # from delimiters, the delimiters included: any parts
    SUB = auto()  # base, script
    SUP = auto()  # base, script
    SUBSUP = auto()  # base, subscript, superscript
    UNDER = auto()  # base, limit or accent
    OVER = auto()  # base, limit or accent
    UNDEROVER = auto()  # base, below, above
    FRACTION = auto()  # numerator, denominator
    SQRT = auto()  # body
    ROOT = auto()  # body, index
    TABLE = auto()  # rows
    TABLE_ROW = auto()  # cells
    CELL = auto()  # any parts
    STYLED = auto()  # any parts; text is the font, empty for upright
    BOXED = auto()  # body
    PHANTOM = auto()  # body


class SymbolNode(NamedTuple):
    """A node of the symbol tree.

    Attributes:
        kind: its kind.
        text: the character or name of a symbol, the font of a `STYLED` node.
        parts: its children; see `NodeKind`.
    """

    kind: NodeKind
    text: str = ""
    parts: tuple[SymbolNode, ...] = ()


EMPTY: Final = SymbolNode(NodeKind.LETTER)
SPACE: Final = SymbolNode(NodeKind.SPACE)
DIGITS: Final = "0123456789"


def compound(kind: NodeKind, *parts: SymbolNode, text: str = "") -> SymbolNode:
    """A node with parts."""
    return SymbolNode(kind, text, parts)


def join(nodes: Sequence[SymbolNode]) -> SymbolNode:
    """The nodes as a row; a single node is returned as it is."""
    return nodes[0] if len(nodes) == 1 else compound(NodeKind.ROW, *nodes)


def members(node: SymbolNode) -> tuple[SymbolNode, ...]:
    """The nodes of a row; any other node alone."""
    return node.parts if node.kind is NodeKind.ROW else (node,)


def fenced(opening: str, nodes: Sequence[SymbolNode], closing: str) -> SymbolNode:
    """The nodes between two delimiters, either of which may be empty."""
    left, right = (
        [SymbolNode(NodeKind.SYMBOL, delimiter)] if delimiter else []
        for delimiter in (opening, closing)
    )
    return compound(NodeKind.FENCED, *left, *nodes, *right)


def _read_leaves() -> dict[str, SymbolNode]:
    leaves = {c: SymbolNode(NodeKind.LETTER, c) for c in map(chr, range(128)) if c.isalpha()}
    for table in (names.NEGATABLE, names.RELATION_OPERATORS):
        for word, drawn in table.items():
            kind = NodeKind.LETTER if drawn.isalpha() else NodeKind.RELATION
            leaves[word] = SymbolNode(kind, drawn)
    for table in (names.OTHERS, names.OPERATORS, names.DELIMITERS):
        leaves |= {word: SymbolNode(NodeKind.SYMBOL, drawn) for word, drawn in table.items()}
    leaves |= {word: SymbolNode(NodeKind.NAME, name) for word, name in names.FUNCTIONS.items()}
    return leaves | dict.fromkeys(names.SPACES, SPACE)


_ALL_LEAVES = _read_leaves()
LEAVES = {word: leaf for word, leaf in _ALL_LEAVES.items() if word not in (*"([|':.",)}
"""Expressions of one word that do not depend on the next word."""

ARGUMENTS = {
    **{
        word: leaf
        for word, leaf in _ALL_LEAVES.items()
        if word not in (*"()[]|':", *names.NEVER_ARGUMENT)
    },
    **{word: SymbolNode(NodeKind.SYMBOL, drawn) for word, drawn in names.AS_ARGUMENT.items()},
    **{digit: SymbolNode(NodeKind.NUMBER, digit) for digit in DIGITS},
}
"""Arguments of one word, without braces."""
