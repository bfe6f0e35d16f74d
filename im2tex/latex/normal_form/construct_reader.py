r"""Constructs with a syntax of their own: `\atop`, `\genfrac`, `\buildrel`, `\root`, `\kern`."""

from __future__ import annotations

import re
from abc import abstractmethod

from im2tex.latex.cursor import END
from im2tex.latex.normal_form.arrays import ArrayReader
from im2tex.latex.normal_form.commands import DELIMITERS, INFIXES, KEPT_INFIXES, SPELLINGS
from im2tex.latex.normal_form.tree import Command, Fenced, Group, Node, Verbatim

_UNITS = frozenset(["pt", "mm", "cm", "in", "ex", "em", "bp", "pc", "dd", "cc", "sp", "mu"])
_LONGEST = 20  # tokens of a number
_ZERO = re.compile(r"0*(\.0*)?[a-z]*")
_BINOMIALS = {"()": "\\binom", "\\{\\}": "\\brace", "\\lbrace\\rbrace": "\\brace", "[]": "\\brack"}


class ConstructReader(ArrayReader):
    """Reads these constructs; what they are made of is the parser's part."""

    __slots__ = ()

    @abstractmethod
    def items(self, until: str) -> list[Node]:
        r"""Material up to what ends it, `\over` included."""

    def infix(self, left: list[Node], until: str) -> Node:
        r"""A fraction whose command stands here, behind its first part.

        Args:
            left: the first part.
            until: what ends the second one, besides what always does.
        """
        name = self.tokens[self.at]
        self.at += 1
        option: list[Node] = [self.delimiter(name) for _ in range(KEPT_INFIXES.get(name, 0))]
        if name in ("\\above", "\\abovewithdelims"):
            length = self.length_here()
            if not length:
                raise self.error(f"the length behind {name} is missing")
            option += length
        right = self.items(until)
        if self.tokens[self.at] in INFIXES:
            raise self.error(f"{self.tokens[self.at]} behind {name} in one group")
        if name in KEPT_INFIXES:
            return Command(name, [Group(left), Group(right)], option or None)
        return Command(SPELLINGS[name], [grouped(left), grouped(right)])

    def delimiter(self, name: str) -> str:
        """A delimiter that has to stand here."""
        token = self.tokens[self.at]
        if token not in DELIMITERS:
            raise self.error(f"a delimiter behind {name} is missing")
        self.at += 1
        return token

    def length(self, token: str) -> Node:
        r"""A command with a length behind it; with anything else there, a symbol."""
        self.at += 1
        length = self.length_here()
        for word in ("plus", "minus"):
            end = self.at + len(word)
            if length and "".join(self.tokens[self.at : end]) == word:
                self.at = end
                length += [*word, *self.length_here()]
        return Verbatim([token, *length]) if length else token

    def length_here(self) -> list[str]:
        """The tokens of the length that stands here, which are read; none where none does."""
        tokens, start = self.tokens, self.at
        at = start
        while tokens[at] in ("+", "-"):
            at += 1
        first = at
        while tokens[at] != END and tokens[at] in "0123456789.," and at < first + _LONGEST:
            at += 1
        if "".join(tokens[at : at + 4]) == "true":
            at += 4
        unit = "".join(tokens[at : at + 2])
        if at > first and (unit in _UNITS or unit == "fi"):
            at += 2
            while unit == "fi" and tokens[at] == "l":
                at += 1
        elif tokens[at][:1] == "\\" and tokens[at][-1:].isalpha() and tokens[at] not in INFIXES:
            at += 1
        else:
            return []
        self.at = at
        return tokens[start:at]

    def general_fraction(self) -> Node:
        r"""`\genfrac`, whose command is read already, as the plainer command that draws it."""
        what = "an argument of \\genfrac"
        parts = [self.argument(what) for _ in range(6)]
        left, right, thickness = (_letters(part) for part in parts[:3])
        for delimiter in (left, right):
            if delimiter not in ("", *DELIMITERS):
                raise self.error(f"{delimiter!r} is no delimiter of \\genfrac")
        above, below = (grouped([part]) for part in parts[4:])
        flat = bool(thickness) and _ZERO.fullmatch(thickness) is not None
        known = _BINOMIALS.get(left + right) if flat else None
        if known == "\\binom":
            return Command(known, [above, below])
        if flat:
            inner = [Group(list(part.body)) for part in (above, below)]
            fraction: Node = Group([Command(known or "\\atop", [*inner])])
        else:
            fraction = Command("\\frac", [above, below])
        if known or (left in ("", ".") and right in ("", ".")):
            return fraction
        return Fenced(f"\\left{left or '.'}", [fraction], f"\\right{right or '.'}")

    def built_relation(self) -> Node:
        r"""`\buildrel … \over …`, whose command is read already."""
        above = self.items(END)
        self.expect("\\over", "\\buildrel without its \\over")
        return Command(SPELLINGS["\\buildrel"], [grouped(above), self.argument("its base")])

    def plain_root(self) -> Node:
        r"""`\root … \of …`, whose command is read already."""
        index = self.items("\\of")
        self.expect("\\of", "\\root without its \\of")
        return Command(SPELLINGS["\\root"], [self.argument("an argument of \\root")], index)


def grouped(nodes: list[Node]) -> Group:
    """Nodes as one group: themselves, if they are one."""
    return nodes[0] if len(nodes) == 1 and isinstance(nodes[0], Group) else Group(nodes)


def _letters(node: Node) -> str:
    """The tokens of a node, as far as they are plain."""
    if isinstance(node, Group):
        return "".join(map(_letters, node.body))
    return node if isinstance(node, str) else "?"
