r"""The core of the symbol tree's reader: expressions, scripts, groups and arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from im2tex.latex.label_graph import names
from im2tex.latex.label_graph.nodes import (
    ARGUMENTS,
    LEAVES,
    NodeKind,
    SymbolNode,
    compound,
    fenced,
    join,
    members,
)
from im2tex.latex.tokens import LatexError, TokenCursor

MAX_DEPTH: Final = 100
"""Levels of nesting read; handwritten formulas have about six."""


class TooDeepError(Exception):
    """Nested too deep: not a LatexError, from which an unclosed parenthesis recovers."""


_PIECE = re.compile(r"(\\[A-Za-z]+|\\.|\S)(\s?)", re.DOTALL)
_IGNORED = re.compile(r"(?<!\{ )(?<!\{)\\(?:nonumber(?![A-Za-z])|(?:label|tag\*?)\s*\{[^}]*\})")
_STYLES = frozenset({r"\displaystyle", r"\textstyle", r"\scriptstyle", r"\scriptscriptstyle"})
# Infix commands and the delimiters around their fraction.
_INFIX = {r"\choose": "()", r"\brack": "[]", r"\brace": "{}", r"\bangle": "⟨⟩"}
_LIMITS = frozenset({r"\limits", r"\nolimits"})
_SCRIPTS = frozenset({"^", "_", *_LIMITS})
# Words that cannot begin an expression and may follow one.
_STOPS = frozenset({"", "%", "}", "&", r"\\", r"\right", r"\middle", r"\end", *_LIMITS, *_INFIX})
CLOSING = {"(": ")", "[": "]", "|": "|"}
_FENCES = {**names.DELIMITERS, ".": "", "<": "⟨", ">": "⟩"}


class SymbolTreeReader(TokenCursor):
    """A recursive descent over the words of a formula, each a TeX token.

    Args:
        source: the formula.
        crohme_compatible: whether to refuse all that pandoc refuses.

    Attributes:
        spaced: the white space behind each word, empty or one character.
    """

    constructs: ClassVar[Mapping[str, Callable[[SymbolTreeReader], SymbolNode]]]
    """Functions that read the expression that begins with a word, by word."""

    argument_constructs: ClassVar[Mapping[str, Callable[[SymbolTreeReader], SymbolNode]]]
    """The same for an argument without braces."""

    def __init__(self, source: str, crohme_compatible: bool) -> None:
        if r"\nonumber" in source or r"\label" in source or r"\tag" in source:
            source = _IGNORED.sub(" ", source)
        pieces = _PIECE.findall(source)
        super().__init__([word for word, _ in pieces], MAX_DEPTH)
        self.source = source
        self.crohme_compatible = crohme_compatible
        self.spaced: list[str] = [*(space for _, space in pieces), ""]
        # The expression at a position is the same in every attempt to close a parenthesis: without
        # these results each unclosed one would double the time.
        self.known: dict[int, tuple[SymbolNode, int] | LatexError] = {}
        # Positions from which no sequence reaches the given closing delimiter.
        self.unclosed: set[tuple[int, str]] = set()

    def error(self, reason: str) -> LatexError:
        """An error at the next token's position in the source."""
        before = zip(self.tokens[: self.at], self.spaced, strict=False)
        position = sum(len(word) + len(space) for word, space in before)
        return LatexError(reason, position, self.source)

    def too_deep(self) -> TooDeepError:
        """The error of a formula that is nested too deep."""
        return TooDeepError()

    def sequence(self, closing: str = "") -> list[SymbolNode]:
        """Reads expressions up to `closing` or a word that cannot begin an expression."""
        nodes: list[SymbolNode] = []
        while (word := self.tokens[self.at]) != closing and word not in _STOPS:
            if closing and (self.at, closing) in self.unclosed:
                raise LatexError(f"no {closing!r}", 0, self.source)
            leaf = LEAVES.get(word)
            if leaf is not None and self.tokens[self.at + 1] not in _SCRIPTS:
                self.at += 1
                nodes.append(leaf)
            else:
                nodes.append(self.expression())
        return nodes

    def body(self, closing: str = "") -> SymbolNode:
        r"""Reads a sequence as one node; `\choose` makes it a fraction of all before and behind."""
        nodes = self.sequence(closing)
        if (fences := _INFIX.get(self.tokens[self.at])) is None:
            return join(nodes)
        self.at += 1
        fraction = compound(NodeKind.FRACTION, join(nodes), join(self.sequence(closing)))
        return fenced(fences[0], [fraction], fences[1])

    def group(self) -> SymbolNode:
        """Reads a body in braces."""
        self.expect("{")
        node = self.body()
        self.expect("}")
        return node

    def bracketed(self) -> SymbolNode:
        """Reads a body in brackets."""
        self.expect("[")
        node = self.body("]")
        self.expect("]")
        return node

    def contents(self, closing: str) -> list[SymbolNode]:
        r"""Reads what stands between delimiters, `\middle` ones included."""
        nodes: list[SymbolNode] = []
        while True:
            if self.take_if(r"\middle"):
                nodes.append(SymbolNode(NodeKind.SYMBOL, self.delimiter()))
            elif self.tokens[self.at] == closing or self.tokens[self.at] in _STOPS:
                return nodes
            else:
                nodes += members(self.body(closing))

    def contents_if_closed(self, closing: str) -> list[SymbolNode] | None:
        """Reads up to a closing delimiter and over it; None, and nothing read, if there is none."""
        start = self.at
        unclosed = True
        try:
            nodes = self.contents(closing)
            if self.take_if(closing):
                return nodes
            # An infix command with nothing before it has something before it in the line around.
            unclosed = self.tokens[self.at] not in _INFIX
        except LatexError:
            pass
        if unclosed:
            self.unclosed.add((start, closing))
        self.at = start
        return None

    def expression(self) -> SymbolNode:
        """Reads an atom with its scripts."""
        start = self.at
        known = self.known.get(start)
        if isinstance(known, LatexError):
            raise known.with_traceback(None)
        if known is not None:
            node, self.at = known
            return node
        depth = self.depth
        self.enter()
        try:
            if self.tokens[start] in _STYLES:
                self.at += 1
            node = self.scripted(self.atom())
        except LatexError as error:
            self.known[start] = error
            raise
        finally:
            self.depth = depth
        self.known[start] = node, self.at
        return node

    def scripted(self, base: SymbolNode) -> SymbolNode:
        r"""Reads the `\limits` and the scripts behind a base."""
        word = self.tokens[self.at]
        if word not in _SCRIPTS:
            return base
        limits = base.kind in (NodeKind.OVER, NodeKind.UNDER) and base.parts[1].text in names.BRACES
        if word in _LIMITS:
            limits = self.take() == r"\limits"
            word = self.tokens[self.at]
        if word not in {"^", "_"}:
            return base
        self.enter()
        self.at += 1
        other = None
        if self._takes_scripts(self.at):
            script = self.expression()
        else:
            script = self.atom()
            second = self.tokens[self.at] == ("_" if word == "^" else "^")
            if second and not self._takes_scripts(self.at + 1):
                self.at += 1
                other = self.atom()
            else:
                script = self.scripted(script)
        self.depth -= 1
        if other is not None:
            scripts = (script, other) if word == "_" else (other, script)
            return compound(NodeKind.UNDEROVER if limits else NodeKind.SUBSUP, base, *scripts)
        if word == "_":
            return compound(NodeKind.UNDER if limits else NodeKind.SUB, base, script)
        return compound(NodeKind.OVER if limits else NodeKind.SUP, base, script)

    def _takes_scripts(self, at: int) -> bool:
        """Whether the script that begins at an index takes the scripts behind it first."""
        return self.tokens[at] in _STYLES or self.tokens[at] == r"\operatorname"

    def atom(self) -> SymbolNode:
        """Reads one symbol, group or construct, without the scripts behind it."""
        word = self.tokens[self.at]
        leaf = LEAVES.get(word)
        if leaf is not None:
            self.at += 1
            return leaf
        construct = self.constructs.get(word)
        if construct is not None:
            return construct(self)
        if word.isascii() or len(word) > 1:
            raise self.error(f"unexpected {word!r}" if word else "something is missing")
        self.at += 1
        return SymbolNode(NodeKind.LETTER if word.isalpha() else NodeKind.SYMBOL, word)

    def argument(self) -> SymbolNode | None:
        """Reads a group, a symbol or any single character; None if the next word is no argument."""
        word = self.tokens[self.at]
        leaf = ARGUMENTS.get(word)
        if leaf is not None:
            self.at += 1
            return leaf
        construct = self.argument_constructs.get(word)
        if construct is not None:
            self.enter()
            node = construct(self)
            self.depth -= 1
            return node
        if word in {"", "}", "$"} or word[0] == "\\" or (word == "%" and self._at_comment()):
            return None
        self.at += 1
        return SymbolNode(NodeKind.LETTER, word)

    def _at_comment(self) -> bool:
        """Whether a `%` begins a comment; behind a bare argument pandoc reads a character."""
        last = self.tokens[self.at - 1]
        return (
            len(last) > 1
            or last in {"}", "]"}
            or last in names.OPERATORS
            or last in names.RELATION_OPERATORS
        )

    def needed(self) -> SymbolNode:
        """Reads an argument that must be there."""
        node = self.argument()
        if node is None:
            raise self.error("an argument is missing")
        return node

    def glued(self, *words: str) -> bool:
        """Whether the next word is one of these, with no space in front of it."""
        return not self.spaced[self.at - 1] and self.tokens[self.at] in words

    def delimiter(self) -> str:
        """Reads a delimiter; returns its character, or nothing for the invisible delimiter."""
        drawn = _FENCES.get(self.tokens[self.at])
        if drawn is None:
            raise self.error("a delimiter is missing")
        self.at += 1
        return drawn

    def word_in_braces(self) -> str:
        """Reads `{ word }`; returns its characters, inner spaces kept."""
        self.expect("{")
        start = self.at
        while self.tokens[self.at] not in {"}", ""}:
            self.at += 1
        pieces = zip(self.tokens[start : self.at], self.spaced[start : self.at], strict=True)
        self.expect("}")
        return "".join(word + space for word, space in pieces).strip()
