r"""LaTeX into a symbol layout tree: symbols, and the relation of each to its parent.

The rules are in the docstring of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from im2tex.latex.label_graph.names import NEGATABLE, OTHERS, TABLES
from im2tex.latex.label_graph.nodes import NodeKind, SymbolNode, compound
from im2tex.latex.label_graph.symbol_tree import parse_symbol_tree
from im2tex.latex.tokens import LatexError

NONE: Final = -1
RIGHT: Final = "Right"


class LayoutTree(NamedTuple):
    """Symbols in the order of the source, each behind its parent.

    Attributes:
        labels: a label a symbol.
        parents: the index of the symbol that it hangs on, `NONE` for a root.
        relations: the relation to it, `Right`, `Sub`, `Sup`, `Above`, `Below`, `Inside` or one of
            those of matrices; empty for a root.
        extra: further edges (from, to, relation), which have no part in a symbol's position.
    """

    labels: list[str]
    parents: list[int]
    relations: list[str]
    extra: list[tuple[int, int, str]]


def layout_tree(tokens: Sequence[str], *, strict: bool = False) -> LayoutTree:
    """The layout of a formula.

    Args:
        tokens: the formula's tokens, read as if joined by single spaces.
        strict: by the strict rules instead of those of the CROHME 2019 tools.

    Returns:
        Its layout; without symbols for an empty group.

    Raises:
        LatexError: for an empty formula, a formula that pandoc cannot read, and (without `strict`)
            a formula that crashes the CROHME tools.
    """
    source = " ".join(tokens)
    # pandoc sees no formula where a dollar has a space on its inner side, or another dollar.
    if not source or source[0].isspace() or (source[-1].isspace() and source[-2:] != "\\ "):
        raise LatexError("no formula", 0, source)
    tree = parse_symbol_tree(tokens, crohme_compatible=not strict)
    if not strict and _is_dropped(tree):
        raise LatexError("the CROHME 2019 tools drop all of it and crash", 0, source)
    try:
        tree = _with_styled_contents(tree, "") if strict else tree
        builder = _LayoutTreeBuilder(tree, strict)
        builder.place(tree)
    except RecursionError:
        raise LatexError("nested too deep for this stack", 0, source) from None
    if builder.crashing:
        raise LatexError(f"the CROHME 2019 tools crash on {builder.crashing!r}", 0, source)
    return LayoutTree(builder.labels, builder.parents, builder.relations, builder.extra)


_LABELS: dict[str, str] = {
    **{(NEGATABLE | OTHERS)[name]: name for name in TABLES["words"]["named"].split()},
    **{name: "\\" + name for name in TABLES["words"]["written"].split()},
    ",": "COMMA",
    NEGATABLE[r"\Gamma"]: r"\gamma",
    OTHERS[r"\minus"]: "-",
}
_STRICT_LABELS = {**_LABELS, NEGATABLE[r"\Gamma"]: r"\Gamma"}

_ROWS = frozenset({NodeKind.ROW, NodeKind.FENCED})
_DROPPED = frozenset(
    {NodeKind.SPACE, NodeKind.TEXT, NodeKind.STYLED, NodeKind.BOXED, NodeKind.PHANTOM}
)
_NOTHING = SymbolNode(NodeKind.ROW)
_SINGLE_SCRIPTS = frozenset({NodeKind.SUB, NodeKind.SUP})
# Relations of the second part and the third to the first.
_SCRIPTS = {
    NodeKind.SUB: ("Sub",),
    NodeKind.SUP: ("Sup",),
    NodeKind.SUBSUP: ("Sub", "Sup"),
    NodeKind.UNDER: ("Below",),
    NodeKind.OVER: ("Above",),
    NodeKind.UNDEROVER: ("Below", "Above"),
}


def _is_dropped(node: SymbolNode) -> bool:
    # pandoc wraps a text with a space at its end in a row, which is not dropped.
    return node.kind in _DROPPED and not (
        node.kind is NodeKind.TEXT and node.text != node.text.strip()
    )


def _drop_lost(parts: Iterable[SymbolNode]) -> list[SymbolNode]:
    return [part for part in parts if part.kind not in _DROPPED or not _is_dropped(part)]


def _with_styled_contents(node: SymbolNode, font: str) -> SymbolNode:
    """The node with fonts, texts and boxes replaced by rows of their contents."""
    kind, text, parts = node
    if kind is NodeKind.TEXT:
        letters = (_in_font(NodeKind.LETTER, c, font) for c in text if not c.isspace())
        return compound(NodeKind.ROW, *letters)
    if kind is NodeKind.STYLED or kind is NodeKind.BOXED:
        contents = (_with_styled_contents(part, text or font) for part in parts)
        return compound(NodeKind.ROW, *contents)
    if parts:
        return SymbolNode(kind, text, tuple(_with_styled_contents(part, font) for part in parts))
    return _in_font(kind, text, font) if font and text else node


def _in_font(kind: NodeKind, text: str, font: str) -> SymbolNode:
    return SymbolNode(kind, f"{font} {text}" if font else text)


def _is_on_row(node: SymbolNode) -> bool:
    """Whether a single script has a row as its base."""
    parts = _drop_lost(node.parts)
    return len(parts) == 2 and parts[0].kind in _ROWS and parts[0] is not _NOTHING


class _LayoutTreeBuilder:
    """Gives each symbol of a tree its index, parent and relation.

    The methods that place nodes return the index of the symbol that the node's scripts and the next
    symbol hang on, or `NONE`.

    Args:
        tree: the formula.
        strict: by the strict rules.

    Attributes:
        parent: what the next symbol hangs on, and by which relation.
    """

    def __init__(self, tree: SymbolNode, strict: bool) -> None:
        self.tree = tree
        self.strict = strict
        self.names = _STRICT_LABELS if strict else _LABELS
        self.labels: list[str] = []
        self.parents: list[int] = []
        self.relations: list[str] = []
        self.extra: list[tuple[int, int, str]] = []
        self.parent: tuple[int, str] = NONE, ""
        self.crashing = ""
        self.element_numbers: dict[int, int] = {}

    def add(self, label: str) -> int:
        """Adds a symbol, which hangs on `parent`; the next one hangs on nothing."""
        parent, relation = self.parent
        self.labels.append(label)
        self.parents.append(parent)
        self.relations.append(relation)
        self.parent = NONE, ""
        return len(self.labels) - 1

    def place(self, node: SymbolNode) -> int:
        return _PLACES[node.kind](self, node)

    def place_on(self, parent: int, relation: str, node: SymbolNode) -> None:
        """Places a node whose first symbol hangs on a symbol; on `self.parent` if that is none."""
        if parent == NONE:
            self.place(node)
        else:
            self.parent = parent, relation
            self.place(node)
            self.parent = NONE, ""

    def symbol(self, node: SymbolNode) -> int:
        return self.add(self.names.get(node.text) or self.label(node.text))

    def label(self, text: str) -> str:
        if not self.strict and not text.isascii() and max(text) < "\u0100":
            self.crashing = text
        return text.replace(",", "COMMA", 1)

    def line(self, node: SymbolNode) -> int:
        return self.row(self.flat((node,)))

    def fraction(self, node: SymbolNode) -> int:
        return self.attach_children("-", node, ("Above", "Below"))

    def indexed_root(self, node: SymbolNode) -> int:
        return self.attach_children(r"\sqrt", node, ("Inside", "Above"))

    def attach_children(self, label: str, node: SymbolNode, relations: tuple[str, str]) -> int:
        index = self.add(label)
        for part, relation in zip(_drop_lost(node.parts), relations, strict=False):
            self.place_on(index, relation, part)
        return index

    def flat(self, parts: Iterable[SymbolNode]) -> list[SymbolNode]:
        """The parts of a line, rows within rows opened, an empty one left as `_NOTHING`.

        A script on a row goes to the row's last part, even to an empty group.
        """
        nodes: list[SymbolNode] = []
        for part in _drop_lost(parts):
            if part.kind in _ROWS:
                nodes += self.flat(part.parts) or (_NOTHING,)
            elif part.kind is NodeKind.TEXT:
                nodes.append(_NOTHING)
            elif part.kind in _SINGLE_SCRIPTS and _is_on_row(part):
                base, script = _drop_lost(part.parts)
                *before, last = self.flat((base,))
                nodes += (*before, compound(part.kind, last, script))
            else:
                nodes.append(part)
        return nodes

    def row(self, nodes: Iterable[SymbolNode]) -> int:
        start = len(self.labels)
        end = main = NONE
        for node in nodes:
            if node is _NOTHING:
                main = NONE
                continue
            count = len(self.labels)
            if count > start:
                self.parent = (end, RIGHT) if end != NONE else (NONE, "")
            main = _PLACES[node.kind](self, node)
            end = main if len(self.labels) > count else end
        if len(self.labels) > start:
            self.parent = NONE, ""
        return main

    def script(self, node: SymbolNode) -> int:
        return self.line(node) if _is_on_row(node) else self.scripts(node)

    def scripts(self, node: SymbolNode) -> int:
        parts = _drop_lost(node.parts)
        main = NONE if not parts or parts[0] is _NOTHING else self.place(parts[0])
        for part, relation in zip(parts[1:], _SCRIPTS[node.kind], strict=False):
            self.place_on(main, relation, part)
        return main

    def root(self, node: SymbolNode) -> int:
        index = self.add(r"\sqrt")
        nodes = self.flat(node.parts)
        while len(nodes) > 1 and nodes[0] is _NOTHING:
            del nodes[0]
        self.parent = index, "Inside"
        main = self.row(nodes[:1])
        second = len(self.labels)
        self.parent = (index, "Inside") if main == NONE else (main, RIGHT)
        self.row(nodes[1:])
        if main != NONE and len(self.labels) > second:
            self.extra.append((index, second, "Inside"))
        self.parent = NONE, ""
        return index

    def table(self, node: SymbolNode) -> int:
        table = self.add("*M")
        if self.strict:
            self.strict_cells(table, node)
        else:
            self.grid(node)
        return table

    def strict_cells(self, table: int, node: SymbolNode) -> None:
        """Cells that hang on their matrix by row and column."""
        for i, row in enumerate(node.parts):
            for j, cell in enumerate(row.parts):
                self.parent = table, f"Cell{i}.{j}"
                self.parent = self.add("*Cell"), "Inside"
                self.row(self.flat(cell.parts))
                self.parent = NONE, ""

    def grid(self, node: SymbolNode) -> None:
        """Rows, cells and columns as mml2lg has them.

        A cell has two parents. Its position is by the edge that comes first in the order of their
        text, `[_9],[_12]` behind `[_10],[_12]`, where the numbers count the MathML's elements.
        """
        numbers = self.element_numbers or self.number_elements()
        row, above = NONE, list[tuple[int, int]]()
        for part in node.parts:
            self.parent = (row, "Nrow") if row != NONE else (NONE, "")
            row, cells = self.add("*R"), list[tuple[int, int]]()
            for j, cell in enumerate(part.parts):
                edges = [(*above[j], "NcellC")] if j < len(above) else []
                edges += [(*cells[-1], "NcellR")] if cells else []
                edges.sort(key=lambda edge: f"{edge[1]}]")
                if edges:
                    self.parent = edges[0][0], edges[0][2]
                index = self.add("*Cell")
                self.extra += [(start, index, relation) for start, _, relation in edges[1:]]
                cells.append((index, numbers[id(cell)]))
                self.row(self.flat(cell.parts))
            above = cells
        column = NONE
        for _ in range(max((len(part.parts) for part in node.parts), default=1) or 1):
            self.parent = (column, "Ncol") if column != NONE else (NONE, "")
            column = self.add("*C")

    def number_elements(self) -> dict[int, int]:
        """Numbers the MathML elements as mml2lg does: those not dropped, the outermost is 1."""
        todo = [self.tree]
        while todo:
            node = todo.pop()
            self.element_numbers[id(node)] = len(self.element_numbers) + 1
            todo += reversed(_drop_lost(node.parts))
        return self.element_numbers


_PLACES: dict[NodeKind, Callable[[_LayoutTreeBuilder, SymbolNode], int]] = {
    **dict.fromkeys(NodeKind, _LayoutTreeBuilder.line),
    **dict.fromkeys(
        (NodeKind.LETTER, NodeKind.NUMBER, NodeKind.SYMBOL, NodeKind.RELATION, NodeKind.NAME),
        _LayoutTreeBuilder.symbol,
    ),
    **dict.fromkeys(_SCRIPTS, _LayoutTreeBuilder.scripts),
    **dict.fromkeys(_SINGLE_SCRIPTS, _LayoutTreeBuilder.script),
    NodeKind.FRACTION: _LayoutTreeBuilder.fraction,
    NodeKind.ROOT: _LayoutTreeBuilder.indexed_root,
    NodeKind.SQRT: _LayoutTreeBuilder.root,
    NodeKind.TABLE: _LayoutTreeBuilder.table,
}
