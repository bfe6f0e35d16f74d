r"""LaTeX into a symbol layout tree: symbols, and the relation that ties each to another one.

This is what the CROHME 2019 tools make of a formula on the way to a label graph. They write the
tree of `symbol_tree` as MathML (pandoc), throw away the tags that they do not know
(`process_mml.py`), and link the symbols (`mml2lg.pl`, all in the CoMER repository). The rules:

* The symbols of a line hang on each other by `Right`. `Sub`, `Sup`, `Above` and `Below` lead to
  the first symbol of a script or limit, from the last symbol of its base: from `)` in `( a ) ^ 2`.
* `\frac` is a symbol `-`, `Above` it the numerator, `Below` it the denominator. `\binom` is the
  same between parentheses. A root is a symbol `\sqrt`, `Inside` it the body, `Above` it the index.
  From a root without index a second edge `Inside` leads to the second symbol of the body's own
  line, which still hangs on the first by `Right`.
* An accent is a symbol `Above` (or `Below`) the last symbol of what it stands on.
* Spaces, braces and sizes make no symbol. A script without base makes one with an empty label.
* An empty group, `{ }`, is nothing, but as the last of a line it is what a script of that line
  stands on. Such a script, having no symbol to hang on, is a root of its own, at the place of the
  formula's first symbol; so is what follows a script on nothing.
* A matrix is a symbol `*M`, and symbols `*R`, `*Cell`, `*C` stand for its rows, cells and columns:
  `Nrow`, `NcellR`, `NcellC` and `Ncol` lead to the next one. Nothing leads into a cell, so that
  the contents of every cell are roots at that same place.
* What is in a font or size of its own is lost with all its contents: `\mathrm`, `\mathbf`, `\text`,
  `\dfrac`, `\boxed`, `\phantom`. A script on it stands on the next symbol of its construct.
* Labels are LaTeX names for about forty symbols and the Unicode character for all others; `,` is
  `COMMA`. `\gamma` and `\Gamma` are both `\gamma`. Minus and fraction bar are both `-`.
* A formula that is nothing but one lost thing, and one with a symbol of Latin-1 beyond ASCII (the
  bar of `\overline`, `\neg`, `\cdotp`), crashes the tools and has no tree.

With `strict`, what the tools lose counts. Contents of fonts, text and boxes stay, those of a
visible font (bold, blackboard, script, fraktur, sans, typewriter) with the font in their labels;
each cell hangs on its matrix by its row and column and holds its contents `Inside`; `\gamma`
differs from `\Gamma`; nothing crashes; and matrix columns may be written with spaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from im2tex.latex.label_graph.names import NEGATABLE, OTHERS
from im2tex.latex.label_graph.nodes import NodeKind, SymbolNode
from im2tex.latex.label_graph.symbol_tree import parse_symbol_tree
from im2tex.latex.tokens import LatexError

NONE: Final = -1
RIGHT: Final = "Right"


class LayoutTree(NamedTuple):
    """Symbols in the order of the source, each behind the one that it hangs on.

    Attributes:
        labels: a label a symbol.
        parents: the index of the symbol that it hangs on, `NONE` for a root.
        relations: the relation to it, `Right`, `Sub`, `Sup`, `Above`, `Below`, `Inside` or one of
            those of matrices; empty for a root.
        extra: further edges (from, to, relation), which have no part in a symbol's place.
    """

    labels: list[str]
    parents: list[int]
    relations: list[str]
    extra: list[tuple[int, int, str]]


def layout_tree(tokens: Sequence[str], *, strict: bool = False) -> LayoutTree:
    """The layout of a formula.

    Args:
        tokens: the formula's tokens, read as if joined by single spaces.
        strict: by our rules instead of the tools'.

    Returns:
        Its layout; without symbols for an empty group.

    Raises:
        LatexError: where there is none: for an empty formula, for one that `symbol_tree` cannot
            read, and (the tools' rules only) for one that crashes the tools.
    """
    source = " ".join(tokens)
    # pandoc sees no formula where a dollar has a space on its inner side, or another dollar.
    if not source or source[0].isspace() or (source[-1].isspace() and source[-2:] != "\\ "):
        raise LatexError("no formula", 0, source)
    tree = parse_symbol_tree(tokens, crohme_compatible=not strict)
    if not strict and _is_dropped(tree):
        raise LatexError("the tools lose all of it and crash", 0, source)
    try:
        tree = _spelled_out(tree, "") if strict else tree
        builder = _LayoutTreeBuilder(tree, strict)
        builder.place(tree)
    except RecursionError:
        raise LatexError("nested too deep for this stack", 0, source) from None
    if builder.crashing:
        raise LatexError(f"the tools crash on {builder.crashing!r}", 0, source)
    return LayoutTree(builder.labels, builder.parents, builder.relations, builder.extra)


# Symbols whose label is their name; all others keep the character.
_NAMED = (
    *("div", "times", "pm", "sum", "pi", "int", "theta", "infty", "ldots", "beta", "rightarrow"),
    *("leq", "geq", "lt", "gt", "sigma", "phi", "prime", "gamma", "mu", "lambda", "Delta"),
    *("exists", "forall", "in", "partial", "neq", "alpha"),
)
# Names that get a backslash where they are written out, as by `\operatorname` or `\sin`.
_WRITTEN = (
    *("rightarrow", "sum", "int", "pi", "leq", "sin", "cos", "tan", "lim", "geq", "infty"),
    *("prime", "times", "alpha", "beta", "pm", "log", "{", "}"),
)
_LABELS: dict[str, str] = {
    **{(NEGATABLE | OTHERS)["\\" + name]: "\\" + name for name in _NAMED},
    **{name: "\\" + name for name in _WRITTEN},
    ",": "COMMA",
    NEGATABLE[r"\Gamma"]: r"\gamma",
    OTHERS[r"\minus"]: "-",
}
_STRICT_LABELS = {**_LABELS, NEGATABLE[r"\Gamma"]: r"\Gamma"}

_SYMBOLS = frozenset(
    {NodeKind.LETTER, NodeKind.NUMBER, NodeKind.SYMBOL, NodeKind.RELATION, NodeKind.NAME}
)
_ROWS = frozenset({NodeKind.ROW, NodeKind.FENCED})
_LOST = frozenset(
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


def _padded(node: SymbolNode) -> bool:
    """Whether pandoc wraps a text in a row, for the space at its end; the row is not lost."""
    return node.kind is NodeKind.TEXT and node.text != node.text.strip()


def _is_dropped(node: SymbolNode) -> bool:
    return node.kind in _LOST and not _padded(node)


def _drop_lost(parts: Iterable[SymbolNode]) -> list[SymbolNode]:
    return [part for part in parts if part.kind not in _LOST or _padded(part)]


def _spelled_out(node: SymbolNode, font: str) -> SymbolNode:
    """The node with the contents of fonts, texts and boxes in their place, as rows."""
    kind, text, parts = node
    if kind is NodeKind.TEXT:
        characters = [character for character in text if not character.isspace()]
        return SymbolNode(
            NodeKind.ROW, "", tuple(_in_font(NodeKind.LETTER, c, font) for c in characters)
        )
    if kind is NodeKind.STYLED or kind is NodeKind.BOXED:
        return SymbolNode(
            NodeKind.ROW, "", tuple(_spelled_out(part, text or font) for part in parts)
        )
    if parts:
        return SymbolNode(kind, text, tuple(_spelled_out(part, font) for part in parts))
    return _in_font(kind, text, font) if font and text else node


def _in_font(kind: NodeKind, text: str, font: str) -> SymbolNode:
    return SymbolNode(kind, f"{font} {text}" if font else text)


def _on_row(node: SymbolNode) -> bool:
    """Whether a single script has a row as its base."""
    parts = _drop_lost(node.parts)
    return len(parts) == 2 and parts[0].kind in _ROWS and parts[0] is not _NOTHING


class _LayoutTreeBuilder:
    """Gives each symbol of a tree its index, parent and relation.

    Methods return two indices: of the first symbol in the order of the source, to which a relation
    leads, and of the main one, from which scripts and the next symbol hang. Either may be `NONE`.
    """

    def __init__(self, tree: SymbolNode, strict: bool) -> None:
        self.tree = tree
        self.strict = strict
        self.names = _STRICT_LABELS if strict else _LABELS
        self.labels: list[str] = []
        self.parents: list[int] = []
        self.relations: list[str] = []
        self.extra: list[tuple[int, int, str]] = []
        self.crashing = ""
        self.numbers: dict[int, int] = {}

    def add(self, label: str) -> int:
        self.labels.append(label)
        self.parents.append(NONE)
        self.relations.append("")
        return len(self.labels) - 1

    def link(self, start: int, end: int, relation: str) -> None:
        if start >= 0 and end >= 0:
            self.parents[end] = start
            self.relations[end] = relation

    def place(self, node: SymbolNode) -> tuple[int, int]:
        return _PLACES[node.kind](self, node)

    def symbol(self, node: SymbolNode) -> tuple[int, int]:
        index = self.add(self.names.get(node.text) or self.label(node.text))
        return index, index

    def line(self, node: SymbolNode) -> tuple[int, int]:
        return self.row(self.flat((node,)))

    def fraction(self, node: SymbolNode) -> tuple[int, int]:
        return self.attach_children("-", node, ("Above", "Below"))

    def indexed_root(self, node: SymbolNode) -> tuple[int, int]:
        return self.attach_children(r"\sqrt", node, ("Inside", "Above"))

    def scripts(self, node: SymbolNode) -> tuple[int, int]:
        return self.attached(_drop_lost(node.parts), _SCRIPTS[node.kind])

    def label(self, text: str) -> str:
        if not self.strict and not text.isascii() and max(text) < "\u0100":
            self.crashing = text
        return text.replace(",", "COMMA", 1)

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
            elif part.kind in _SINGLE_SCRIPTS and _on_row(part):
                base, script = _drop_lost(part.parts)
                *before, last = self.flat((base,))
                nodes += (*before, SymbolNode(part.kind, "", (last, script)))
            else:
                nodes.append(part)
        return nodes

    def row(self, nodes: list[SymbolNode]) -> tuple[int, int]:
        start = end = main = NONE
        for node in nodes:
            first, main = self.place(node) if node is not _NOTHING else (NONE, NONE)
            if first != NONE:
                if start == NONE:
                    start = first
                else:
                    self.link(end, first, RIGHT)
                end = main
        return start, main

    def script(self, node: SymbolNode) -> tuple[int, int]:
        return self.line(node) if _on_row(node) else self.scripts(node)

    def attached(self, parts: list[SymbolNode], relations: tuple[str, ...]) -> tuple[int, int]:
        if not parts:
            return NONE, NONE
        start, main = (NONE, NONE) if parts[0] is _NOTHING else self.place(parts[0])
        for part, relation in zip(parts[1:], relations, strict=False):
            first, _ = self.place(part)
            self.link(main, first, relation)
            start = first if start == NONE else start
        return start, main

    def attach_children(
        self, label: str, node: SymbolNode, relations: tuple[str, str]
    ) -> tuple[int, int]:
        index = self.add(label)
        for part, relation in zip(_drop_lost(node.parts), relations, strict=False):
            first, _ = self.place(part)
            self.link(index, first, relation)
        return index, index

    def root(self, node: SymbolNode) -> tuple[int, int]:
        index = self.add(r"\sqrt")
        nodes = self.flat(node.parts)
        while len(nodes) > 1 and nodes[0] is _NOTHING:
            del nodes[0]
        first, main = self.row(nodes[:1])
        self.link(index, first, "Inside")
        second, _ = self.row(nodes[1:])
        if main == NONE:
            self.link(index, second, "Inside")
        elif second != NONE:
            self.link(main, second, RIGHT)
            self.extra.append((index, second, "Inside"))
        return index, index

    def table(self, node: SymbolNode) -> tuple[int, int]:
        return self.cells(node) if self.strict else self.grid(node)

    def cells(self, node: SymbolNode) -> tuple[int, int]:
        """A matrix as it should be: each cell by its row and column."""
        table = self.add("*M")
        for i, row in enumerate(node.parts):
            for j, cell in enumerate(row.parts):
                index = self.add("*Cell")
                self.link(table, index, f"Cell{i}.{j}")
                self.link(index, self.row(self.flat(cell.parts))[0], "Inside")
        return table, table

    def grid(self, node: SymbolNode) -> tuple[int, int]:
        """A matrix as the tools have it.

        A cell has two parents. Its place is by the edge that comes first in the order of their
        text, `[_9],[_12]` behind `[_10],[_12]`, where the numbers count the MathML's elements.
        """
        if not self.numbers:
            self.number()
        table = self.add("*M")
        row, above = NONE, list[tuple[int, int]]()
        for part in node.parts:
            next_row = self.add("*R")
            self.link(row, next_row, "Nrow")
            row, cells = next_row, list[tuple[int, int]]()
            for j, cell in enumerate(part.parts):
                index = self.add("*Cell")
                edges = [(above[j], "NcellC")] if j < len(above) else []
                edges += [(cells[-1], "NcellR")] if cells else []
                edges.sort(key=lambda edge: f"{edge[0][1]}]")
                for k, ((parent, _), relation) in enumerate(edges):
                    if k:
                        self.extra.append((parent, index, relation))
                    else:
                        self.link(parent, index, relation)
                cells.append((index, self.numbers[id(cell)]))
                self.row(self.flat(cell.parts))
            above = cells
        column = NONE
        for _ in range(max((len(part.parts) for part in node.parts), default=1) or 1):
            next_column = self.add("*C")
            self.link(column, next_column, "Ncol")
            column = next_column
        return table, table

    def number(self) -> None:
        """Counts the elements of the MathML as the tools do: those kept, the outermost is 1."""
        todo, count = [self.tree], 0
        while todo:
            node = todo.pop()
            count += 1
            self.numbers[id(node)] = count
            todo += reversed(_drop_lost(node.parts))


_PLACES = {
    **dict.fromkeys(NodeKind, _LayoutTreeBuilder.line),
    **dict.fromkeys(_SYMBOLS, _LayoutTreeBuilder.symbol),
    **dict.fromkeys(_SCRIPTS, _LayoutTreeBuilder.scripts),
    **dict.fromkeys(_SINGLE_SCRIPTS, _LayoutTreeBuilder.script),
    NodeKind.FRACTION: _LayoutTreeBuilder.fraction,
    NodeKind.ROOT: _LayoutTreeBuilder.indexed_root,
    NodeKind.SQRT: _LayoutTreeBuilder.root,
    NodeKind.TABLE: _LayoutTreeBuilder.table,
}
