r"""Commands around letters: fonts, text, and the names of operators.

Each function that takes a reader begins at its own word and leaves the reader behind what it read.
"""

from __future__ import annotations

from collections.abc import Sequence

from im2tex.latex.label_graph.nodes import NodeKind, SymbolNode, join
from im2tex.latex.label_graph.reader import SymbolTreeReader

FONTS = {
    **dict.fromkeys((r"\mathrm", r"\mathup", r"\mathit"), ""),
    **dict.fromkeys((r"\mathtt", r"\texttt"), "typewriter"),
    **dict.fromkeys((r"\mathsf", r"\mathsfup", r"\mathsfit"), "sans"),
    **dict.fromkeys((r"\mathbb", r"\mathds"), "blackboard"),
    **dict.fromkeys((r"\mathcal", r"\mathscr"), "script"),
    **dict.fromkeys((r"\mathbfscr", r"\mathbfcal"), "bold script"),
    r"\mathfrak": "fraktur",
    r"\mathbffrak": "bold fraktur",
    **dict.fromkeys([r"\mathbf", r"\boldsymbol", r"\bm", r"\symbf", r"\mathbold", r"\pmb"], "bold"),
    **dict.fromkeys([r"\mathbfup", r"\mathbfit", r"\mathbfsfup", r"\mathbfsfit"], "bold"),
}
TEXT_FONTS = {
    **dict.fromkeys((r"\text", r"\textrm", r"\mbox", r"\textit"), ""),
    r"\textbf": "bold",
    r"\texttt": "typewriter",
    r"\textsf": "sans",
}
CLASSES = {
    r"\mathop": NodeKind.SYMBOL,
    r"\mathrel": NodeKind.RELATION,
    **dict.fromkeys(
        (r"\mathbin", r"\mathord", r"\mathopen", r"\mathclose", r"\mathpunct"), NodeKind.SYMBOL
    ),
}
_TEXT_ESCAPES = {**{"\\" + c: c for c in "#$%&_{} "}, "~": " ", r"\ldots": "…"}
# How `\operatorname` spells what it is given.
_SPELLED = {"−": "-", "′": "'", "″": "''", "‴": "'''", "⁗": "''''"}  # noqa: RUF001


def _members(node: SymbolNode) -> tuple[SymbolNode, ...]:
    return node.parts if node.kind is NodeKind.ROW else (node,)


def styled(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\mathrm` and its kin, with an argument in math."""
    font = FONTS[reader.peek()]
    reader.at += 1
    return SymbolNode(NodeKind.STYLED, font, _members(reader.needed()))


def typewriter(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\texttt`, which is text before a brace and else a font."""
    return text(reader) if reader.tokens[reader.at + 1] == "{" else styled(reader)


def text(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\text` and its kin, with text in braces."""
    font = TEXT_FONTS[reader.peek()]
    reader.at += 1
    reader.expect("{")
    node = join(_text_chunks(reader))
    if node.kind is NodeKind.ROW and not node.parts:
        node = SymbolNode(NodeKind.TEXT)
    # The tools forget the font of a text before they lose the text.
    return (
        SymbolNode(NodeKind.STYLED, font, (node,))
        if font and not reader.crohme_compatible
        else node
    )


def _text_chunks(reader: SymbolTreeReader) -> list[SymbolNode]:
    """Text up to the closing brace, which is read too."""
    reader.enter()
    nodes: list[SymbolNode] = []
    written = " " if reader.spaced[reader.at - 1] else ""
    while True:
        word, space = reader.peek(), reader.spaced[reader.at]
        if word in {"{", "}"}:
            if written:
                nodes.append(SymbolNode(NodeKind.TEXT, written))
            reader.at += 1
            if word == "}":
                reader.depth -= 1
                return nodes
            nodes.append(join(_text_chunks(reader)))
            written = " " if reader.spaced[reader.at - 1] else ""
            continue
        if word in {"", "$"} or (word[0] == "\\" and word not in _TEXT_ESCAPES):
            raise reader.error(f"{word!r} in text")
        written += _TEXT_ESCAPES.get(word, word) + (" " if space else "")
        reader.at += 1


def operator_name(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\operatorname`, starred or not: one symbol."""
    reader.at += 1
    if reader.peek() == "*":
        reader.at += 1
    name = _spelled(_members(reader.needed()))
    if name is None:
        raise reader.error("not the name of an operator")
    return SymbolNode(NodeKind.NAME, name)


def _spelled(nodes: Sequence[SymbolNode], styled: bool = False) -> str | None:
    r"""The characters of a name; None where something else is among them."""
    name = ""
    for kind, text, parts in nodes:
        if kind is NodeKind.STYLED:
            inner = _spelled(parts, True)
            if inner is None:
                return None
            name += inner
        elif kind in {NodeKind.LETTER, NodeKind.NUMBER, NodeKind.SYMBOL, NodeKind.RELATION}:
            name += text if styled else _SPELLED.get(text, text)
        elif styled and kind in {NodeKind.NAME, NodeKind.TEXT, NodeKind.SPACE}:
            name += text or " "
        else:
            return None
    return name


def classed(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\mathop` and its kin: one symbol, or for all but `\mathop` a group of several."""
    command = reader.peek()
    reader.at += 1
    node = reader.atom()
    nodes = _members(node)
    if len(nodes) == 1 and nodes[0].kind in {
        NodeKind.SYMBOL,
        NodeKind.RELATION,
        NodeKind.LETTER,
        NodeKind.TEXT,
    }:
        return SymbolNode(CLASSES[command], nodes[0].text.strip())
    if command != r"\mathop":
        return join(list(nodes))
    return SymbolNode(NodeKind.NAME, "".join(_spelled(_members(part)) or "" for part in nodes))
