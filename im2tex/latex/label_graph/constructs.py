"""What each command and character of a formula takes and makes; the rules are in `symbol_tree`.

Each function here begins at its own word and leaves the reader behind what it has read.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from im2tex.latex.label_graph import names
from im2tex.latex.label_graph.grids import environment, substack
from im2tex.latex.label_graph.nodes import DIGITS, EMPTY, SPACE, Kind, Node, fenced
from im2tex.latex.label_graph.reader import CLOSING, Constructs, Reader
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


def _bare_script(reader: Reader) -> Node:
    return reader.scripted(EMPTY)


_DIGITS = {digit: Node(Kind.NUMBER, digit) for digit in DIGITS}
_POINT = Node(Kind.SYMBOL, ".")


def _number(reader: Reader) -> Node:
    start = reader.at
    first = reader.word
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
    return Node(Kind.NUMBER, "".join(reader.words[start : reader.at]))


def _primes(reader: Reader) -> Node:
    start = reader.at
    reader.at += 1
    while reader.at - start < 4 and reader.glued("'"):
        reader.at += 1
    return Node(Kind.SYMBOL, names.OPERATORS["'" * (reader.at - start)])


def _colon(reader: Reader) -> Node:
    reader.at += 1
    if not reader.glued("="):
        return Node(Kind.RELATION, ":")
    reader.at += 1
    return Node(Kind.RELATION, ":=")


def _maybe_fenced(reader: Reader) -> Node:
    opening = reader.word
    closing = CLOSING[opening]
    reader.at += 1
    nodes = reader.contents_if_closed(closing)
    return Node(Kind.SYMBOL, opening) if nodes is None else fenced(opening, nodes, closing)


def _left(reader: Reader) -> Node:
    reader.at += 1
    opening = reader.delimiter()
    nodes = reader.contents("")
    closing = ""
    if reader.word == r"\right":
        reader.at += 1
        closing = reader.delimiter()
    return fenced(opening, nodes, closing)


def _sized(reader: Reader) -> Node:
    reader.at += 1
    word = reader.word
    if word in {"'", ":"}:
        return CONSTRUCTS[word](reader)
    for table in (names.DELIMITERS, names.OPERATORS, names.RELATION_OPERATORS):
        if word in table:
            reader.at += 1
            return Node(Kind.SYMBOL, table[word])
    if word == "~":
        reader.at += 1
        return SPACE
    raise reader.error("a delimiter is missing")


def _refused_size(reader: Reader) -> Node:
    if reader.tools:
        raise reader.error(f"unknown to the tools: {reader.word}")
    return _sized(reader)


def _fraction(reader: Reader) -> Node:
    size = reader.word
    reader.at += 1
    node = Node(Kind.FRACTION, "", (reader.needed(), reader.needed()))
    return node if size == r"\frac" else Node(Kind.STYLED, "", (node,))


def _binomial(reader: Reader) -> Node:
    return fenced("(", [_fraction(reader).parts[0]], ")")


def _stacked(reader: Reader) -> Node:
    kind = Kind.UNDER if reader.word == r"\underset" else Kind.OVER
    reader.at += 1
    limit = reader.needed()
    return Node(kind, "", (reader.needed(), limit))


def _arrow(reader: Reader) -> Node:
    shaft = Node(Kind.SYMBOL, "←" if reader.word == r"\xleftarrow" else "→")
    reader.at += 1
    if reader.word == "[":
        below = reader.bracketed()
        return Node(Kind.UNDEROVER, "", (shaft, below, reader.needed()))
    return Node(Kind.OVER, "", (shaft, reader.needed()))


def _root(reader: Reader) -> Node:
    command = reader.word
    reader.at += 1
    if reader.word == "[":
        index = reader.bracketed()
        return Node(Kind.ROOT, "", (reader.needed(), index))
    body = reader.argument()
    if body is not None:
        return Node(Kind.SQRT, "", (body,))
    if command == r"\surd":
        raise reader.error("an argument is missing")
    return Node(Kind.SYMBOL, names.AS_ARGUMENT[command])


def _accent(reader: Reader) -> Node:
    command = reader.word
    reader.at += 1
    below = names.ACCENTS_BELOW.get(command)
    if below is not None:
        return Node(Kind.UNDER, "", (reader.needed(), Node(Kind.SYMBOL, below)))
    drawn = names.ACCENTS_ABOVE.get(command, names.STROKE)
    return Node(Kind.OVER, "", (reader.needed(), Node(Kind.SYMBOL, drawn)))


def _negated(reader: Reader) -> Node:
    if reader.words[reader.at + 1] == "{":
        return _accent(reader)
    reader.at += 1
    kind, text, _ = reader.needed()
    if kind not in {Kind.RELATION, Kind.LETTER, Kind.NUMBER}:
        raise reader.error("this cannot be negated")
    return Node(kind, names.NEGATED.get(text, text + names.STROKE))


def _modulo(reader: Reader) -> Node:
    command = reader.word
    reader.at += 1
    name = () if command == r"\pod" else (Node(Kind.NAME, "mod"), SPACE)
    nodes = (*name, reader.expression())
    if command in {r"\pod", r"\pmod"}:
        nodes = (Node(Kind.SYMBOL, "("), *nodes, Node(Kind.SYMBOL, ")"))
    return Node(Kind.ROW, "", (SPACE, *nodes))


def _around(kind: Kind) -> Callable[[Reader], Node]:
    def read(reader: Reader) -> Node:
        reader.at += 1
        return Node(kind, "", (reader.needed(),))

    return read


def _length(reader: Reader) -> Node:
    pattern = _LENGTHS[reader.word]
    reader.at += 1
    if not pattern.fullmatch(reader.word_in_braces()):
        raise reader.error("not a length")
    return SPACE


def _ensured(reader: Reader) -> Node:
    reader.at += 1
    return reader.group()


_ACCENTS = dict.fromkeys((*names.ACCENTS_ABOVE, *names.ACCENTS_BELOW), _accent)
_MODULO = dict.fromkeys((r"\mod", r"\bmod", r"\pmod", r"\pod"), _modulo)

CONSTRUCTS: Constructs = {
    "{": Reader.group,
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
    r"\phantom": _around(Kind.PHANTOM),
    r"\boxed": _around(Kind.BOXED),
    **dict.fromkeys(_LENGTHS, _length),
    r"\ensuremath": _ensured,
    r"\begin": environment,
    r"\substack": substack,
}
# As an argument `\not` is an accent.
ARGUMENT_CONSTRUCTS: Constructs = {
    "{": Reader.group,
    "'": _primes,
    ":": _colon,
    **_ACCENTS,
    r"\not": _accent,
    **_MODULO,
}
