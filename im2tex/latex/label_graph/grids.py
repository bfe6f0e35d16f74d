r"""Grids of cells: `\begin{matrix}` and its kin, `\substack`.

A `\hline` is passed over where an expression stands beside it. Only `array` and `eqnarray` take the
extra height of `\\ [2pt]` behind a space.
"""

from __future__ import annotations

from im2tex.latex.label_graph.nodes import NodeKind, SymbolNode, fenced
from im2tex.latex.label_graph.reader import SymbolTreeReader

# Environments that draw a grid, with their delimiters.
_GRIDS = {
    **dict.fromkeys(
        ["array", "matrix", "smallmatrix", "split", "multline", "gather", "gathered"], ("", "")
    ),
    **dict.fromkeys(
        ["eqnarray", "align", "aligned", "alignat", "alignedat", "flalign", "flaligned"], ("", "")
    ),
    "cases": ("{", ""),
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": ("{", "}"),
    "vmatrix": ("∣", "∣"),  # noqa: RUF001  what pandoc writes, not the bar of the keyboard
    "Vmatrix": ("∥", "∥"),
}
_NOT_AMS = frozenset({"array", "eqnarray"})
_MAY_BE_EMPTY = frozenset({"multline", "gather", "gathered"})
_HLINE = r"\hline"
# Levels that a grid counts for more than other groups: it takes so many more calls to read.
_FRAMES = 2


def substack(reader: SymbolTreeReader) -> SymbolNode:
    """Rows of one cell each."""
    reader.enter(_FRAMES)
    reader.at += 1
    reader.expect("{")
    rows = [_row([[reader.body()]])]
    while _line_end(reader, spaced=True):
        rows.append(_row([[reader.body()]]))
    reader.expect("}")
    return SymbolNode(NodeKind.TABLE, "", tuple(rows))


def environment(reader: SymbolTreeReader) -> SymbolNode:
    r"""From `\begin` to its `\end`."""
    reader.enter(_FRAMES)
    reader.at += 1
    name = reader.word_in_braces().removesuffix("*")
    if name == "equation":
        node = reader.body()
    elif name in _GRIDS:
        node = _grid(reader, name)
    else:
        raise reader.error(f"the environment {name!r} is unknown")
    reader.expect(r"\end")
    if reader.word_in_braces().removesuffix("*") != name:
        raise reader.error(f"\\begin{{{name}}} ended by another name")
    return node


def _grid(reader: SymbolTreeReader, name: str) -> SymbolNode:
    if name == "array":
        columns = reader.word_in_braces()
        if reader.crohme_compatible and not all(c.isalpha() or c == "|" for c in columns):
            raise reader.error(f"the tools cannot read the columns {columns!r}")
    elif name.startswith("alignat") or name == "alignedat":
        reader.group()
    rows: list[SymbolNode] = []
    while reader.peek() != r"\end":
        rows.append(_row(_cells(reader)))
        if not _line_end(reader, spaced=name in _NOT_AMS):
            break
    if not rows and name not in _MAY_BE_EMPTY:
        raise reader.error("a grid without rows")
    opening, closing = _GRIDS[name]
    grid = SymbolNode(NodeKind.TABLE, "", tuple(rows))
    return fenced(opening, [grid], closing) if opening else grid


def _row(cells: list[list[SymbolNode]]) -> SymbolNode:
    return SymbolNode(
        NodeKind.TABLE_ROW,
        "",
        tuple(SymbolNode(NodeKind.CELL, "", tuple(content)) for content in cells),
    )


def _cells(reader: SymbolTreeReader) -> list[list[SymbolNode]]:
    cells = [_cell(reader)]
    while reader.peek() == "&":
        reader.at += 1
        cells.append(_cell(reader))
    return cells


def _cell(reader: SymbolTreeReader) -> list[SymbolNode]:
    nodes: list[SymbolNode] = []
    while True:
        start = reader.at
        while reader.peek() == _HLINE:
            reader.at += 1
        content = reader.at
        node = reader.body(_HLINE)
        if reader.at == content:
            # A rule beside an empty cell stays unread, and the tools refuse the grid.
            reader.at = start if not nodes else reader.at
            return nodes
        nodes += node.parts if node.kind is NodeKind.ROW else [node]


def _line_end(reader: SymbolTreeReader, *, spaced: bool) -> bool:
    r"""Reads `\\` and the extra height behind it, in any form that is a list of expressions."""
    if reader.peek() != r"\\":
        return False
    reader.at += 1
    if reader.peek() == "[" and (spaced or reader.glued("[")):
        reader.bracketed()
    return True
