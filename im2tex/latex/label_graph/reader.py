r"""The core of the reader behind `symbol_tree`: pieces, expressions, scripts, groups, arguments.

What a single command takes is in `symbol_tree`, where the rules are written down too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from im2tex.latex.cursor import TokenCursor
from im2tex.latex.label_graph import names
from im2tex.latex.label_graph.nodes import ARGUMENTS, LEAVES, NodeKind, SymbolNode, fenced, join
from im2tex.latex.tokens import LatexError

# Levels of nesting read; deeper formulas are unreadable. Handwriting has about six.
MAX_DEPTH: Final = 100


class TooDeepError(Exception):
    """Nested too deep: not a LatexError, from which an unclosed parenthesis recovers."""


_PIECE = re.compile(r"(\\[A-Za-z]+|\\.|\S)(\s?)", re.DOTALL)
_IGNORED = re.compile(r"(?<!\{ )(?<!\{)\\(?:nonumber(?![A-Za-z])|(?:label|tag\*?)\s*\{[^}]*\})")
_MIDDLE, _RIGHT, _OPERATORNAME = r"\middle", r"\right", r"\operatorname"
_STYLES = frozenset({r"\displaystyle", r"\textstyle", r"\scriptstyle", r"\scriptscriptstyle"})
# Commands with all before them over all behind them, and their delimiters.
_INFIX = {r"\choose": "()", r"\brack": "[]", r"\brace": "{}", r"\bangle": "⟨⟩"}
_LIMITS = frozenset({r"\limits", r"\nolimits"})
# What no expression begins with, but what may well follow one.
_STOPS = frozenset({"", "%", "}", "&", r"\\", _RIGHT, _MIDDLE, r"\end", *_LIMITS, *_INFIX})
CLOSING = {"(": ")", "[": "]", "|": "|"}
_FENCES = {**names.DELIMITERS, ".": "", "<": "⟨", ">": "⟩"}


Constructs: TypeAlias = "Mapping[str, Callable[[SymbolTreeReader], SymbolNode]]"


class SymbolTreeReader(TokenCursor):
    """A recursive descent over the pieces of the source, each a TeX token.

    Args:
        source: the formula.
        crohme_compatible: whether to refuse all that the tools refuse; see `symbol_tree.parse`.
        constructs: what reads the expression that begins with a word, by word.
        argument_constructs: the same for an argument without braces.
    """

    def __init__(
        self,
        source: str,
        crohme_compatible: bool,
        constructs: Constructs,
        argument_constructs: Constructs,
    ) -> None:
        if r"\nonumber" in source or r"\label" in source or r"\tag" in source:
            source = _IGNORED.sub(" ", source)
        pieces = _PIECE.findall(source)
        super().__init__([word for word, _ in pieces], MAX_DEPTH)
        self.source = source
        self.crohme_compatible = crohme_compatible
        self.spaced: list[str] = [*(space for _, space in pieces), ""]
        self.constructs = constructs
        self.argument_constructs = argument_constructs
        # What was read at a place holds whoever asks. A parenthesis that finds no partner has its
        # contents read again, and again for each one around it.
        self.known: dict[int, tuple[SymbolNode, int] | LatexError] = {}
        # Places from which a line is known not to come to a closing delimiter.
        self.hopeless: set[tuple[int, str]] = set()

    def error(self, reason: str) -> LatexError:
        """An error at the next token's position in the source."""
        before = zip(self.tokens[: self.at], self.spaced, strict=False)
        return LatexError(
            reason, sum(len(word) + len(space) for word, space in before), self.source
        )

    def too_deep(self) -> TooDeepError:
        """The error of a formula that is nested too deep."""
        return TooDeepError()

    def sequence(self, closing: str = "") -> list[SymbolNode]:
        """Expressions up to `closing` or to what cannot begin one."""
        nodes: list[SymbolNode] = []
        while (word := self.tokens[self.at]) != closing and word not in _STOPS:
            if closing and (self.at, closing) in self.hopeless:
                raise LatexError(f"no {closing!r}", 0, self.source)
            nodes.append(self.expression())
        return nodes

    def body(self, closing: str = "") -> SymbolNode:
        r"""A sequence as one node; with `\choose` or its kin, all before it over all behind."""
        nodes = self.sequence(closing)
        if (fences := _INFIX.get(self.tokens[self.at])) is None:
            return join(nodes)
        self.at += 1
        parts = (join(nodes), join(self.sequence(closing)))
        return fenced(fences[0], [SymbolNode(NodeKind.FRACTION, "", parts)], fences[1])

    def group(self) -> SymbolNode:
        """A body in braces."""
        self.expect("{")
        node = self.body()
        self.expect("}")
        return node

    def bracketed(self) -> SymbolNode:
        """A body in brackets."""
        self.expect("[")
        node = self.body("]")
        self.expect("]")
        return node

    def contents(self, closing: str) -> list[SymbolNode]:
        r"""What stands between delimiters, `\middle` ones included."""
        nodes: list[SymbolNode] = []
        while True:
            if self.tokens[self.at] == _MIDDLE:
                self.at += 1
                nodes.append(SymbolNode(NodeKind.SYMBOL, self.delimiter()))
                continue
            if self.tokens[self.at] == closing or self.tokens[self.at] in _STOPS:
                return nodes
            part = self.body(closing)
            nodes += part.parts if part.kind is NodeKind.ROW else [part]

    def contents_if_closed(self, closing: str) -> list[SymbolNode] | None:
        """What stands before a closing delimiter, which is read too; None where there is none."""
        start = self.at
        hopeless = True
        try:
            nodes = self.contents(closing)
            if self.tokens[self.at] == closing:
                self.at += 1
                return nodes
            # An infix command with nothing before it has something before it in the line around.
            hopeless = self.tokens[self.at] not in _INFIX
        except LatexError:
            pass
        if hopeless:
            self.hopeless.add((start, closing))
        self.at = start
        return None

    def expression(self) -> SymbolNode:
        """An atom with its scripts."""
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
        r"""`base` with the `\limits` and the scripts behind it."""
        word = self.tokens[self.at]
        limits = None
        if word in _LIMITS:
            limits = word == r"\limits"
            self.at += 1
            word = self.tokens[self.at]
        if word not in {"^", "_"}:
            return base
        self.enter()
        self.at += 1
        other = None
        if self._needs_expression(self.at):
            script = self.expression()
        else:
            script = self.atom()
            if self.tokens[self.at] == ("_" if word == "^" else "^") and not (
                self._needs_expression(self.at + 1)
            ):
                self.at += 1
                other = self.atom()
            else:
                script = self.scripted(script)
        self.depth -= 1
        if limits is None:
            limits = (
                base.kind in (NodeKind.OVER, NodeKind.UNDER) and base.parts[1].text in names.BRACES
            )
        if other is not None:
            scripts = (script, other) if word == "_" else (other, script)
            return SymbolNode(
                NodeKind.UNDEROVER if limits else NodeKind.SUBSUP, "", (base, *scripts)
            )
        if word == "_":
            return SymbolNode(NodeKind.UNDER if limits else NodeKind.SUB, "", (base, script))
        return SymbolNode(NodeKind.OVER if limits else NodeKind.SUP, "", (base, script))

    def _needs_expression(self, at: int) -> bool:
        return self.tokens[at] in _STYLES or self.tokens[at] == _OPERATORNAME

    def atom(self) -> SymbolNode:
        """One symbol, group or construct, without scripts behind it."""
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
        """An argument: a group, a symbol or any single character; None where there is none."""
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
        if word in {"", "}", "$"} or word[0] == "\\" or (word == "%" and self.begins_comment()):
            return None
        self.at += 1
        return SymbolNode(NodeKind.LETTER, word)

    def begins_comment(self) -> bool:
        """Whether a `%` is one; the tools take it for a character behind a bare argument."""
        last = self.tokens[self.at - 1]
        return (
            len(last) > 1
            or last in names.OPERATORS
            or last in names.RELATION_OPERATORS
            or last in {"}", "]"}
        )

    def needed(self) -> SymbolNode:
        """An argument that must be there."""
        node = self.argument()
        if node is None:
            raise self.error("an argument is missing")
        return node

    def glued(self, characters: str) -> bool:
        """Whether the next piece follows the last one without space and is one of these."""
        return not self.spaced[self.at - 1] and self.tokens[self.at] in {*characters}

    def delimiter(self) -> str:
        """A delimiter's character; empty for the invisible one."""
        drawn = _FENCES.get(self.tokens[self.at])
        if drawn is None:
            raise self.error("a delimiter is missing")
        self.at += 1
        return drawn

    def word_in_braces(self) -> str:
        """The characters of `{ word }`, inner spaces kept."""
        self.expect("{")
        start = self.at
        while self.tokens[self.at] not in {"}", ""}:
            self.at += 1
        pieces = zip(self.tokens[start : self.at], self.spaced[start : self.at], strict=True)
        self.expect("}")
        return "".join(word + space for word, space in pieces).strip()
