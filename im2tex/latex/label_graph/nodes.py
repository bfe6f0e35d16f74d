"""Nodes of the symbol tree, and the symbols that a word alone makes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from im2tex.latex.label_graph import names


class NodeKind(Enum):
    """What a node is; the comment tells its parts, in order."""

    LETTER = auto()
    NUMBER = auto()
    SYMBOL = auto()
    RELATION = auto()
    NAME = auto()  # a function's name, one symbol
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
    """A node of the tree.

    Attributes:
        kind: what it is.
        text: the character or name of a symbol.
        parts: its children, as `NodeKind` says.
    """

    kind: NodeKind
    text: str = ""
    parts: tuple[SymbolNode, ...] = ()


EMPTY: Final = SymbolNode(NodeKind.LETTER)
SPACE: Final = SymbolNode(NodeKind.SPACE)
DIGITS: Final = "0123456789"


def _leaves() -> dict[str, SymbolNode]:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    leaves = {letter: SymbolNode(NodeKind.LETTER, letter) for letter in letters}
    for table in (names.NEGATABLE, names.RELATION_OPERATORS):
        for word, drawn in table.items():
            leaves[word] = SymbolNode(
                NodeKind.LETTER if drawn.isalpha() else NodeKind.RELATION, drawn
            )
    for table in (names.OTHERS, names.OPERATORS, names.DELIMITERS):
        leaves.update({word: SymbolNode(NodeKind.SYMBOL, drawn) for word, drawn in table.items()})
    leaves.update({word: SymbolNode(NodeKind.NAME, name) for word, name in names.FUNCTIONS.items()})
    leaves.update(dict.fromkeys(names.SPACES, SPACE))
    return leaves


_ALL_LEAVES = _leaves()
# As an expression, without those words that need a look at what follows.
LEAVES = {word: leaf for word, leaf in _ALL_LEAVES.items() if word not in (*"([|':.",)}
# As an argument without braces.
ARGUMENTS = {
    **{word: leaf for word, leaf in _ALL_LEAVES.items() if word not in (*"()[]|':",)},
    **{word: SymbolNode(NodeKind.SYMBOL, drawn) for word, drawn in names.AS_ARGUMENT.items()},
    **{digit: SymbolNode(NodeKind.NUMBER, digit) for digit in DIGITS},
}
for _word in names.NEVER_ARGUMENT:
    del ARGUMENTS[_word]


def join(nodes: Sequence[SymbolNode]) -> SymbolNode:
    """The nodes as one: a row, or the node itself where it is alone."""
    return nodes[0] if len(nodes) == 1 else SymbolNode(NodeKind.ROW, "", tuple(nodes))


def fenced(opening: str, nodes: Sequence[SymbolNode], closing: str) -> SymbolNode:
    """The nodes between two delimiters, either of which may be empty."""
    before = (SymbolNode(NodeKind.SYMBOL, opening),) if opening else ()
    after = (SymbolNode(NodeKind.SYMBOL, closing),) if closing else ()
    return SymbolNode(NodeKind.FENCED, "", (*before, *nodes, *after))
