r"""LaTeX into the tree of symbols that pandoc makes of it: what each command takes and makes.

The rules are in the docstring of the package. Each function that takes a reader begins at its own
word and leaves the reader behind what it read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from im2tex.latex.label_graph import names, text
from im2tex.latex.label_graph.nodes import (
    DIGITS,
    EMPTY,
    SPACE,
    NodeKind,
    SymbolNode,
    compound,
    fenced,
    members,
)
from im2tex.latex.label_graph.reader import CLOSING, MAX_DEPTH, SymbolTreeReader, TooDeepError
from im2tex.latex.tokens import LatexError


def parse_symbol_tree(tokens: Sequence[str], *, crohme_compatible: bool = True) -> SymbolNode:
    r"""Reads a formula.

    Args:
        tokens: its tokens; they are read as if joined by single spaces.
        crohme_compatible: reads exactly what pandoc reads. False also reads what pandoc refuses
            without need: spaces in a matrix column specification, the sizes `\Bigl` and `\bigm`.

    Returns:
        The tree; an empty row for a formula without symbols.

    Raises:
        LatexError: where the formula cannot be read, or is nested deeper than `MAX_DEPTH`.
    """
    reader = _SymbolTreeParser(" ".join(tokens), crohme_compatible)
    try:
        tree = reader.body()
        if reader.peek() not in {"", "%"}:
            raise reader.error(f"unexpected {reader.peek()!r}")
    except (TooDeepError, RecursionError):
        raise LatexError(f"nested deeper than {MAX_DEPTH}", 0, reader.source) from None
    finally:
        # Kept errors hold the frames that they passed, and these the reader.
        reader.known.clear()
    return tree


_SIZES = names.TABLES["words"]["sizes"].split()
_REFUSED_SIZES = names.TABLES["words"]["refused_sizes"].split()
_LENGTHS = {r"\hspace": re.compile(r"\d+(em|pt|in|cm)"), r"\mspace": re.compile(r"\d+mu")}
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d*")
_ACCENT_SIGNS = names.ACCENTS_ABOVE | names.ACCENTS_BELOW
_ARGUMENT_KINDS = {r"\phantom": NodeKind.PHANTOM, r"\boxed": NodeKind.BOXED}


def _read_bare_script(reader: SymbolTreeReader) -> SymbolNode:
    return reader.scripted(EMPTY)


def _read_number(reader: SymbolTreeReader) -> SymbolNode:
    start = reader.at
    number = reader.take()
    if reader.glued(*DIGITS, "."):
        while reader.glued(*DIGITS, "."):
            reader.at += 1
        found = _NUMBER.match("".join(reader.tokens[start : reader.at]))
        number = found[0] if found else ""
        reader.at = start + len(number)
    return SymbolNode(NodeKind.SYMBOL if number == "." else NodeKind.NUMBER, number)


def _read_primes(reader: SymbolTreeReader) -> SymbolNode:
    start = reader.at
    reader.at += 1
    while reader.at - start < 4 and reader.glued("'"):
        reader.at += 1
    return SymbolNode(NodeKind.SYMBOL, names.OPERATORS["'" * (reader.at - start)])


def _read_colon(reader: SymbolTreeReader) -> SymbolNode:
    reader.at += 1
    equals = reader.glued("=")
    reader.at += equals
    return SymbolNode(NodeKind.RELATION, ":=" if equals else ":")


def _read_maybe_fenced(reader: SymbolTreeReader) -> SymbolNode:
    opening = reader.take()
    closing = CLOSING[opening]
    nodes = reader.contents_if_closed(closing)
    if nodes is None:
        return SymbolNode(NodeKind.SYMBOL, opening)
    return fenced(opening, nodes, closing)


def _read_left(reader: SymbolTreeReader) -> SymbolNode:
    reader.at += 1
    opening = reader.delimiter()
    nodes = reader.contents("")
    return fenced(opening, nodes, reader.delimiter() if reader.take_if(r"\right") else "")


def _read_sized(reader: SymbolTreeReader) -> SymbolNode:
    reader.at += 1
    word = reader.peek()
    if word in {"'", ":"}:
        return CONSTRUCTS[word](reader)
    reader.at += 1
    for table in (names.DELIMITERS, names.OPERATORS, names.RELATION_OPERATORS):
        if word in table:
            return SymbolNode(NodeKind.SYMBOL, table[word])
    if word == "~":
        return SPACE
    raise reader.error("a delimiter is missing")


def _refuse_size(reader: SymbolTreeReader) -> SymbolNode:
    if reader.crohme_compatible:
        raise reader.error(f"unknown to pandoc: {reader.peek()}")
    return _read_sized(reader)


def _read_fraction(reader: SymbolTreeReader) -> SymbolNode:
    command = reader.take()
    fraction = compound(NodeKind.FRACTION, reader.needed(), reader.needed())
    if command == r"\binom":
        return fenced("(", [fraction], ")")
    return fraction if command == r"\frac" else compound(NodeKind.STYLED, fraction)


def _read_stacked(reader: SymbolTreeReader) -> SymbolNode:
    kind = NodeKind.UNDER if reader.take() == r"\underset" else NodeKind.OVER
    limit = reader.needed()
    return compound(kind, reader.needed(), limit)


def _read_arrow(reader: SymbolTreeReader) -> SymbolNode:
    shaft = SymbolNode(NodeKind.SYMBOL, "←" if reader.take() == r"\xleftarrow" else "→")
    if reader.peek() == "[":
        return compound(NodeKind.UNDEROVER, shaft, reader.bracketed(), reader.needed())
    return compound(NodeKind.OVER, shaft, reader.needed())


def _read_root(reader: SymbolTreeReader) -> SymbolNode:
    command = reader.take()
    if reader.peek() == "[":
        index = reader.bracketed()
        return compound(NodeKind.ROOT, reader.needed(), index)
    body = reader.argument()
    if body is not None:
        return compound(NodeKind.SQRT, body)
    if command == r"\surd":
        raise reader.error("an argument is missing")
    return SymbolNode(NodeKind.SYMBOL, names.AS_ARGUMENT[command])


def _read_accent(reader: SymbolTreeReader) -> SymbolNode:
    command = reader.take()
    kind = NodeKind.UNDER if command in names.ACCENTS_BELOW else NodeKind.OVER
    drawn = _ACCENT_SIGNS.get(command, names.STROKE)
    return compound(kind, reader.needed(), SymbolNode(NodeKind.SYMBOL, drawn))


def _read_negated(reader: SymbolTreeReader) -> SymbolNode:
    if reader.tokens[reader.at + 1] == "{":
        return _read_accent(reader)
    reader.at += 1
    kind, drawn, _ = reader.needed()
    if kind not in {NodeKind.RELATION, NodeKind.LETTER, NodeKind.NUMBER}:
        raise reader.error("this cannot be negated")
    return SymbolNode(kind, names.NEGATED.get(drawn, drawn + names.STROKE))


def _read_modulo(reader: SymbolTreeReader) -> SymbolNode:
    command = reader.take()
    name = () if command == r"\pod" else (SymbolNode(NodeKind.NAME, "mod"), SPACE)
    nodes = (*name, reader.expression())
    if command in {r"\pod", r"\pmod"}:
        nodes = fenced("(", nodes, ")").parts
    return compound(NodeKind.ROW, SPACE, *nodes)


def _read_argument(reader: SymbolTreeReader) -> SymbolNode:
    return compound(_ARGUMENT_KINDS[reader.take()], reader.needed())


def _read_length(reader: SymbolTreeReader) -> SymbolNode:
    if not _LENGTHS[reader.take()].fullmatch(reader.word_in_braces()):
        raise reader.error("not a length")
    return SPACE


def _read_ensuremath(reader: SymbolTreeReader) -> SymbolNode:
    reader.at += 1
    return reader.group()


# Environments that draw a grid, with their delimiters.
_GRIDS: dict[str, list[str]] = names.TABLES["grids"]
_NOT_AMS = frozenset({"array", "eqnarray"})
_MAY_BE_EMPTY = frozenset({"multline", "gather", "gathered"})
_HLINE = r"\hline"
_GRID_LEVELS = 2  # levels of nesting that a grid counts for, by the calls that reading it takes


def _read_substack(reader: SymbolTreeReader) -> SymbolNode:
    """Rows of one cell each."""
    reader.enter(_GRID_LEVELS)
    reader.at += 1
    reader.expect("{")
    rows = [_make_row([[reader.body()]])]
    while _read_line_end(reader, spaced=True):
        rows.append(_make_row([[reader.body()]]))
    reader.expect("}")
    return compound(NodeKind.TABLE, *rows)


def _read_environment(reader: SymbolTreeReader) -> SymbolNode:
    r"""From `\begin` to its `\end`."""
    reader.enter(_GRID_LEVELS)
    reader.at += 1
    name = reader.word_in_braces().removesuffix("*")
    if name == "equation":
        node = reader.body()
    elif name in _GRIDS:
        node = _read_grid(reader, name)
    else:
        raise reader.error(f"the environment {name!r} is unknown")
    reader.expect(r"\end")
    if reader.word_in_braces().removesuffix("*") != name:
        raise reader.error(f"\\begin{{{name}}} ended by another name")
    return node


def _read_grid(reader: SymbolTreeReader, name: str) -> SymbolNode:
    if name == "array":
        columns = reader.word_in_braces()
        if reader.crohme_compatible and not all(c.isalpha() or c == "|" for c in columns):
            raise reader.error(f"pandoc cannot read the columns {columns!r}")
    elif name in ("alignat", "alignedat"):
        reader.group()
    rows: list[SymbolNode] = []
    while reader.peek() != r"\end":
        cells = [_read_cell(reader)]
        while reader.take_if("&"):
            cells.append(_read_cell(reader))
        rows.append(_make_row(cells))
        if not _read_line_end(reader, spaced=name in _NOT_AMS):
            break
    if not rows and name not in _MAY_BE_EMPTY:
        raise reader.error("a grid without rows")
    opening, closing = _GRIDS[name]
    grid = compound(NodeKind.TABLE, *rows)
    return fenced(opening, [grid], closing) if opening else grid


def _make_row(cells: list[list[SymbolNode]]) -> SymbolNode:
    return compound(NodeKind.TABLE_ROW, *(compound(NodeKind.CELL, *nodes) for nodes in cells))


def _read_cell(reader: SymbolTreeReader) -> list[SymbolNode]:
    nodes: list[SymbolNode] = []
    while True:
        start = reader.at
        while reader.take_if(_HLINE):
            pass
        content = reader.at
        node = reader.body(_HLINE)
        if reader.at == content:
            # A rule beside an empty cell stays unread, and pandoc refuses the grid.
            reader.at = start if not nodes else reader.at
            return nodes
        nodes += members(node)


def _read_line_end(reader: SymbolTreeReader, *, spaced: bool) -> bool:
    r"""Reads `\\` and the extra height behind it, in any form that is a list of expressions."""
    if not reader.take_if(r"\\"):
        return False
    if reader.peek() == "[" and (spaced or reader.glued("[")):
        reader.bracketed()
    return True


_ACCENTS = dict.fromkeys(_ACCENT_SIGNS, _read_accent)
_MODULO = dict.fromkeys((r"\mod", r"\bmod", r"\pmod", r"\pod"), _read_modulo)

CONSTRUCTS = {
    "{": SymbolTreeReader.group,
    "'": _read_primes,
    ":": _read_colon,
    **dict.fromkeys("^_", _read_bare_script),
    **dict.fromkeys((*DIGITS, "."), _read_number),
    **dict.fromkeys(CLOSING, _read_maybe_fenced),
    r"\left": _read_left,
    **dict.fromkeys(_SIZES, _read_sized),
    **dict.fromkeys(_REFUSED_SIZES, _refuse_size),
    **dict.fromkeys((r"\frac", r"\dfrac", r"\tfrac", r"\binom"), _read_fraction),
    **dict.fromkeys((r"\overset", r"\underset", r"\stackrel"), _read_stacked),
    **dict.fromkeys((r"\xleftarrow", r"\xrightarrow"), _read_arrow),
    **dict.fromkeys((r"\sqrt", r"\surd"), _read_root),
    **_ACCENTS,
    r"\not": _read_negated,
    **dict.fromkeys(text.FONTS, text.read_styled),
    **dict.fromkeys(text.TEXT_FONTS, text.read_text),
    r"\texttt": text.read_typewriter,
    r"\operatorname": text.read_operator_name,
    **dict.fromkeys(text.CLASSES, text.read_classed),
    **_MODULO,
    **dict.fromkeys(_ARGUMENT_KINDS, _read_argument),
    **dict.fromkeys(_LENGTHS, _read_length),
    r"\ensuremath": _read_ensuremath,
    r"\begin": _read_environment,
    r"\substack": _read_substack,
}
"""Functions that read the expression that begins with a word, by word."""


ARGUMENT_CONSTRUCTS = {
    **{word: CONSTRUCTS[word] for word in ("{", "'", ":")},
    **_ACCENTS,
    r"\not": _read_accent,
    **_MODULO,
}
"""The same for an argument without braces."""


class _SymbolTreeParser(SymbolTreeReader):
    constructs = CONSTRUCTS
    argument_constructs = ARGUMENT_CONSTRUCTS
