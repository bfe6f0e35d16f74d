"""What each command and character of a formula takes and makes; the rules are in `symbol_tree`.

Each function here begins at its own word and leaves the reader behind what it has read.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from im2tex.latex.label_graph import names
from im2tex.latex.label_graph.grids import environment, substack
from im2tex.latex.label_graph.nodes import DIGITS, EMPTY, SPACE, NodeKind, SymbolNode, fenced
from im2tex.latex.label_graph.reader import CLOSING, Constructs, SymbolTreeReader
from im2tex.latex.label_graph.text import (
    CLASSES,
    FONTS,
    TEXT_FONTS,
    classed,
    operator_name,
    styled,
    text,
    typewriter,
)

_SIZES = (
    *(r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\biggl", r"\Biggl"),
    *(r"\bigr", r"\Bigr", r"\biggr", r"\Biggr"),
)
_REFUSED_SIZES = (r"\Bigl", r"\bigm", r"\Bigm", r"\biggm", r"\Biggm")
_LENGTHS = {r"\hspace": re.compile(r"\d+(em|pt|in|cm)"), r"\mspace": re.compile(r"\d+mu")}


def _bare_script(reader: SymbolTreeReader) -> SymbolNode:
    return reader.scripted(EMPTY)


_DIGITS = {digit: SymbolNode(NodeKind.NUMBER, digit) for digit in DIGITS}
_POINT = SymbolNode(NodeKind.SYMBOL, ".")


def _number(reader: SymbolTreeReader) -> SymbolNode:
    start = reader.at
    first = reader.peek()
    reader.at += 1
    if reader.spaced[start]:
        return _DIGITS.get(first, _POINT)
    if first != ".":
        while reader.glued(DIGITS):
            reader.at += 1
    point = start if first == "." else reader.at
    if first == "." or reader.glued("."):
        reader.at = point + 1
        while reader.glued(DIGITS):
            reader.at += 1
        # A point without digits behind it is a symbol of its own.
        if reader.at == point + 1 and first != ".":
            reader.at = point
    if reader.at == start + 1:
        return _DIGITS.get(first, _POINT)
    return SymbolNode(NodeKind.NUMBER, "".join(reader.tokens[start : reader.at]))


def _primes(reader: SymbolTreeReader) -> SymbolNode:
    start = reader.at
    reader.at += 1
    while reader.at - start < 4 and reader.glued("'"):
        reader.at += 1
    return SymbolNode(NodeKind.SYMBOL, names.OPERATORS["'" * (reader.at - start)])


def _colon(reader: SymbolTreeReader) -> SymbolNode:
    reader.at += 1
    if not reader.glued("="):
        return SymbolNode(NodeKind.RELATION, ":")
    reader.at += 1
    return SymbolNode(NodeKind.RELATION, ":=")


def _maybe_fenced(reader: SymbolTreeReader) -> SymbolNode:
    opening = reader.peek()
    closing = CLOSING[opening]
    reader.at += 1
    nodes = reader.contents_if_closed(closing)
    return (
        SymbolNode(NodeKind.SYMBOL, opening) if nodes is None else fenced(opening, nodes, closing)
    )


def _left(reader: SymbolTreeReader) -> SymbolNode:
    reader.at += 1
    opening = reader.delimiter()
    nodes = reader.contents("")
    closing = ""
    if reader.peek() == r"\right":
        reader.at += 1
        closing = reader.delimiter()
    return fenced(opening, nodes, closing)


def _sized(reader: SymbolTreeReader) -> SymbolNode:
    reader.at += 1
    word = reader.peek()
    if word in {"'", ":"}:
        return CONSTRUCTS[word](reader)
    for table in (names.DELIMITERS, names.OPERATORS, names.RELATION_OPERATORS):
        if word in table:
            reader.at += 1
            return SymbolNode(NodeKind.SYMBOL, table[word])
    if word == "~":
        reader.at += 1
        return SPACE
    raise reader.error("a delimiter is missing")


def _refused_size(reader: SymbolTreeReader) -> SymbolNode:
    if reader.crohme_compatible:
        raise reader.error(f"unknown to the tools: {reader.peek()}")
    return _sized(reader)


def _fraction(reader: SymbolTreeReader) -> SymbolNode:
    size = reader.peek()
    reader.at += 1
    node = SymbolNode(NodeKind.FRACTION, "", (reader.needed(), reader.needed()))
    return node if size == r"\frac" else SymbolNode(NodeKind.STYLED, "", (node,))


def _binomial(reader: SymbolTreeReader) -> SymbolNode:
    return fenced("(", [_fraction(reader).parts[0]], ")")


def _stacked(reader: SymbolTreeReader) -> SymbolNode:
    kind = NodeKind.UNDER if reader.peek() == r"\underset" else NodeKind.OVER
    reader.at += 1
    limit = reader.needed()
    return SymbolNode(kind, "", (reader.needed(), limit))


def _arrow(reader: SymbolTreeReader) -> SymbolNode:
    shaft = SymbolNode(NodeKind.SYMBOL, "←" if reader.peek() == r"\xleftarrow" else "→")
    reader.at += 1
    if reader.peek() == "[":
        below = reader.bracketed()
        return SymbolNode(NodeKind.UNDEROVER, "", (shaft, below, reader.needed()))
    return SymbolNode(NodeKind.OVER, "", (shaft, reader.needed()))


def _root(reader: SymbolTreeReader) -> SymbolNode:
    command = reader.peek()
    reader.at += 1
    if reader.peek() == "[":
        index = reader.bracketed()
        return SymbolNode(NodeKind.ROOT, "", (reader.needed(), index))
    body = reader.argument()
    if body is not None:
        return SymbolNode(NodeKind.SQRT, "", (body,))
    if command == r"\surd":
        raise reader.error("an argument is missing")
    return SymbolNode(NodeKind.SYMBOL, names.AS_ARGUMENT[command])


def _accent(reader: SymbolTreeReader) -> SymbolNode:
    command = reader.peek()
    reader.at += 1
    below = names.ACCENTS_BELOW.get(command)
    if below is not None:
        return SymbolNode(NodeKind.UNDER, "", (reader.needed(), SymbolNode(NodeKind.SYMBOL, below)))
    drawn = names.ACCENTS_ABOVE.get(command, names.STROKE)
    return SymbolNode(NodeKind.OVER, "", (reader.needed(), SymbolNode(NodeKind.SYMBOL, drawn)))


def _negated(reader: SymbolTreeReader) -> SymbolNode:
    if reader.tokens[reader.at + 1] == "{":
        return _accent(reader)
    reader.at += 1
    kind, text, _ = reader.needed()
    if kind not in {NodeKind.RELATION, NodeKind.LETTER, NodeKind.NUMBER}:
        raise reader.error("this cannot be negated")
    return SymbolNode(kind, names.NEGATED.get(text, text + names.STROKE))


def _modulo(reader: SymbolTreeReader) -> SymbolNode:
    command = reader.peek()
    reader.at += 1
    name = () if command == r"\pod" else (SymbolNode(NodeKind.NAME, "mod"), SPACE)
    nodes = (*name, reader.expression())
    if command in {r"\pod", r"\pmod"}:
        nodes = (SymbolNode(NodeKind.SYMBOL, "("), *nodes, SymbolNode(NodeKind.SYMBOL, ")"))
    return SymbolNode(NodeKind.ROW, "", (SPACE, *nodes))


def _around(kind: NodeKind) -> Callable[[SymbolTreeReader], SymbolNode]:
    def read(reader: SymbolTreeReader) -> SymbolNode:
        reader.at += 1
        return SymbolNode(kind, "", (reader.needed(),))

    return read


def _length(reader: SymbolTreeReader) -> SymbolNode:
    pattern = _LENGTHS[reader.peek()]
    reader.at += 1
    if not pattern.fullmatch(reader.word_in_braces()):
        raise reader.error("not a length")
    return SPACE


def _ensured(reader: SymbolTreeReader) -> SymbolNode:
    reader.at += 1
    return reader.group()


_ACCENTS = dict.fromkeys((*names.ACCENTS_ABOVE, *names.ACCENTS_BELOW), _accent)
_MODULO = dict.fromkeys((r"\mod", r"\bmod", r"\pmod", r"\pod"), _modulo)

CONSTRUCTS: Constructs = {
    "{": SymbolTreeReader.group,
    "'": _primes,
    ":": _colon,
    **dict.fromkeys("^_", _bare_script),
    **dict.fromkeys((*DIGITS, "."), _number),
    **dict.fromkeys(CLOSING, _maybe_fenced),
    r"\left": _left,
    **dict.fromkeys(_SIZES, _sized),
    **dict.fromkeys(_REFUSED_SIZES, _refused_size),
    **dict.fromkeys((r"\frac", r"\dfrac", r"\tfrac"), _fraction),
    r"\binom": _binomial,
    **dict.fromkeys((r"\overset", r"\underset", r"\stackrel"), _stacked),
    **dict.fromkeys((r"\xleftarrow", r"\xrightarrow"), _arrow),
    **dict.fromkeys((r"\sqrt", r"\surd"), _root),
    **_ACCENTS,
    r"\not": _negated,
    **dict.fromkeys(FONTS, styled),
    **dict.fromkeys(TEXT_FONTS, text),
    r"\texttt": typewriter,
    r"\operatorname": operator_name,
    **dict.fromkeys(CLASSES, classed),
    **_MODULO,
    r"\phantom": _around(NodeKind.PHANTOM),
    r"\boxed": _around(NodeKind.BOXED),
    **dict.fromkeys(_LENGTHS, _length),
    r"\ensuremath": _ensured,
    r"\begin": environment,
    r"\substack": substack,
}
# As an argument `\not` is an accent.
ARGUMENT_CONSTRUCTS: Constructs = {
    "{": SymbolTreeReader.group,
    "'": _primes,
    ":": _colon,
    **_ACCENTS,
    r"\not": _accent,
    **_MODULO,
}
