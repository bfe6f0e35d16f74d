r"""Constructs with their own syntax: `\atop`, `\genfrac`, `\buildrel`, `\root`, `\kern`."""

from __future__ import annotations

import re
from abc import abstractmethod

from im2tex.latex.normal_form.arrays import ArrayReader
from im2tex.latex.normal_form.commands import DELIMITERS, INFIXES, KEPT_INFIXES, SPELLINGS
from im2tex.latex.normal_form.tree import Command, Fenced, Group, Node, Verbatim
from im2tex.latex.tokens import END

_UNITS = frozenset(["pt", "mm", "cm", "in", "ex", "em", "bp", "pc", "dd", "cc", "sp", "mu"])
_LONGEST = 20  # tokens of a number
_ZERO = re.compile(r"0*(\.0*)?[a-z]*")
_BINOMIALS = {"()": "\\binom", "\\{\\}": "\\brace", "\\lbrace\\rbrace": "\\brace", "[]": "\\brack"}


class ConstructReader(ArrayReader):
    """Reads these constructs; the parser reads their parts."""

    __slots__ = ()

    @abstractmethod
    def items(self, until: str) -> list[Node]:
        r"""Reads nodes up to a token that ends them or to `\over`."""

    def infix(self, left: list[Node], until: str) -> Node:
        r"""Reads the command of a fraction and its second part.

        Args:
            left: the first part.
            until: a token that ends the second part, besides those that end every row.
        """
        name = self.take()
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
        return Command(SPELLINGS[name], [as_group(left), as_group(right)])

    def delimiter(self, name: str) -> str:
        """Reads a delimiter, which must be there."""
        token = self.tokens[self.at]
        if token not in DELIMITERS:
            raise self.error(f"a delimiter behind {name} is missing")
        self.at += 1
        return token

    def length(self, token: str) -> Node:
        r"""Reads a command with the length behind it; without length it is a symbol."""
        self.at += 1
        length = self.length_here()
        for word in ("plus", "minus"):
            end = self.at + len(word)
            if length and "".join(self.tokens[self.at : end]) == word:
                self.at = end
                length += [*word, *self.length_here()]
        return Verbatim([token, *length]) if length else token

    def length_here(self) -> list[str]:
        """Reads a length; returns its tokens, none if the next token begins no length."""
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
        r"""Reads the arguments of `\genfrac`; returns the plainer command that draws the same."""
        what = "an argument of \\genfrac"
        parts = [self.argument(what) for _ in range(6)]
        left, right, thickness = (_join_tokens(part) for part in parts[:3])
        for delimiter in (left, right):
            if delimiter not in ("", *DELIMITERS):
                raise self.error(f"\\genfrac needs delimiters, got {delimiter!r}")
        above, below = (as_group([part]) for part in parts[4:])
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
        r"""Reads the arguments of `\buildrel … \over …`."""
        above = self.items(END)
        self.expect("\\over", "\\buildrel without its \\over")
        return Command(SPELLINGS["\\buildrel"], [as_group(above), self.argument("its base")])

    def plain_root(self) -> Node:
        r"""Reads the arguments of `\root … \of …`."""
        index = self.items("\\of")
        self.expect("\\of", "\\root without its \\of")
        return Command(SPELLINGS["\\root"], [self.argument("an argument of \\root")], index)


def as_group(nodes: list[Node]) -> Group:
    """Nodes as one group; a single group is returned as it is."""
    return nodes[0] if len(nodes) == 1 and isinstance(nodes[0], Group) else Group(nodes)


def _join_tokens(node: Node) -> str:
    """The tokens of a node, with `?` for each node that is more than a token."""
    if isinstance(node, Group):
        return "".join(map(_join_tokens, node.body))
    return node if isinstance(node, str) else "?"
