r"""Commands around letters: fonts, text, and the names of operators.

Each function that takes a reader begins at its own word and leaves the reader behind what it read.
"""

from __future__ import annotations

from collections.abc import Sequence

from im2tex.latex.label_graph.names import TABLES
from im2tex.latex.label_graph.nodes import NodeKind, SymbolNode, compound, join, members
from im2tex.latex.label_graph.reader import SymbolTreeReader

FONTS: dict[str, str] = TABLES["fonts"]
TEXT_FONTS: dict[str, str] = TABLES["text_fonts"]
CLASSES = dict.fromkeys(
    (r"\mathop", r"\mathbin", r"\mathord", r"\mathopen", r"\mathclose", r"\mathpunct"),
    NodeKind.SYMBOL,
) | {r"\mathrel": NodeKind.RELATION}
_TEXT_ESCAPES = {**{"\\" + c: c for c in "#$%&_{} "}, "~": " ", r"\ldots": "…"}
# How `\operatorname` spells its argument.
_SPELLED = {"−": "-", "′": "'", "″": "''", "‴": "'''", "⁗": "''''"}  # noqa: RUF001
_SPELLABLE = {NodeKind.LETTER, NodeKind.NUMBER, NodeKind.SYMBOL, NodeKind.RELATION}
_CLASSED = {NodeKind.LETTER, NodeKind.TEXT, NodeKind.SYMBOL, NodeKind.RELATION}


def read_styled(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\mathrm` and its kin, with an argument in math."""
    font = FONTS[reader.take()]
    return compound(NodeKind.STYLED, *members(reader.needed()), text=font)


def read_typewriter(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\texttt`, which is text before a brace and otherwise a font."""
    return read_text(reader) if reader.tokens[reader.at + 1] == "{" else read_styled(reader)


def read_text(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\text` and its kin, with text in braces."""
    font = TEXT_FONTS[reader.take()]
    reader.expect("{")
    node = join(_text_chunks(reader))
    if node.kind is NodeKind.ROW and not node.parts:
        node = SymbolNode(NodeKind.TEXT)
    # The CROHME tools drop the font of a text before they drop the text.
    visible = font and not reader.crohme_compatible
    return compound(NodeKind.STYLED, node, text=font) if visible else node


def _text_chunks(reader: SymbolTreeReader) -> list[SymbolNode]:
    """Reads text up to the closing brace and over it."""
    reader.enter()
    nodes: list[SymbolNode] = []
    written = " " if reader.spaced[reader.at - 1] else ""
    while True:
        space, word = reader.spaced[reader.at], reader.take()
        if word in {"{", "}"}:
            if written:
                nodes.append(SymbolNode(NodeKind.TEXT, written))
            if word == "}":
                reader.depth -= 1
                return nodes
            nodes.append(join(_text_chunks(reader)))
            written = " " if reader.spaced[reader.at - 1] else ""
        elif word in {"", "$"} or (word[0] == "\\" and word not in _TEXT_ESCAPES):
            raise reader.error(f"{word!r} in text")
        else:
            written += _TEXT_ESCAPES.get(word, word) + (" " if space else "")


def read_operator_name(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\operatorname`, starred or not: one symbol."""
    reader.at += 1
    reader.take_if("*")
    name = _spell(members(reader.needed()))
    if name is None:
        raise reader.error("not the name of an operator")
    return SymbolNode(NodeKind.NAME, name)


def _spell(nodes: Sequence[SymbolNode], styled: bool = False) -> str | None:
    r"""The characters of a name; None if the nodes are more than characters."""
    name = ""
    for kind, text, parts in nodes:
        part: str | None = None
        if kind is NodeKind.STYLED:
            part = _spell(parts, True)
        elif kind in _SPELLABLE:
            part = text if styled else _SPELLED.get(text, text)
        elif styled and kind in {NodeKind.NAME, NodeKind.TEXT, NodeKind.SPACE}:
            part = text or " "
        if part is None:
            return None
        name += part
    return name


def read_classed(reader: SymbolTreeReader) -> SymbolNode:
    r"""`\mathop` and its kin: one symbol, or for all but `\mathop` a group of several."""
    command = reader.take()
    nodes = members(reader.atom())
    if len(nodes) == 1 and nodes[0].kind in _CLASSED:
        return SymbolNode(CLASSES[command], nodes[0].text.strip())
    if command != r"\mathop":
        return join(nodes)
    return SymbolNode(NodeKind.NAME, "".join(_spell(members(part)) or "" for part in nodes))
