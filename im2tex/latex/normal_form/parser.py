r"""A formula into its tree, by recursive descent.

The parser accepts what LaTeX accepts, and also undefined macros, which are symbols, and `\\`
outside an array, which is a space. It refuses markup without meaning: braces, delimiters or
environments that do not match, two superscripts on one base, a missing argument. Nothing is
expanded or executed; `\input` and `\def` are symbols like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from im2tex.latex.normal_form import commands, tree
from im2tex.latex.normal_form.commands import INFIXES, ROLES, CommandRole
from im2tex.latex.normal_form.construct_reader import ConstructReader, as_group
from im2tex.latex.normal_form.lexer import LexedFormula, lex
from im2tex.latex.tokens import END

_AFTER_BASE = frozenset(["_", "^", "'", "\\limits", "\\nolimits"])
# With a delimiter or name behind it, the lexer would have made it one token.
_INCOMPLETE = re.compile(r"\\(?:left|right|begin|end)(?![A-Za-z])")
_ARGUMENT = frozenset([CommandRole.OPEN, CommandRole.COMMAND, CommandRole.OPERATOR])
_PRINTED_FENCE = ("\\left\\{", "\\begin{cases}")


def parse_formula(
    source: str, *, lenient: bool = False, dollars: bool = False
) -> tree.ParsedFormula:
    """Parses a formula.

    >>> parse_formula("x^2").body
    [Scripts(base='x', marks=[('^', '2')], literal=False, again=False)]

    Args:
        source: its markup, with or without dollars.
        lenient: accepts a second script of a kind, as a script without base. TeX refuses it, but
            labels of handwriting have it.
        dollars: keeps dollars inside text; otherwise each is a space.

    Returns:
        Its tree and its tokens.

    Raises:
        LatexError: if it cannot be parsed.
    """
    parser = _Parser(source, lex(source, dollars=dollars), lenient)
    body = parser.formula()
    return tree.ParsedFormula(parser.tokens[:-1], body)


class _Parser(ConstructReader):
    """The descent. Each method begins at the first token of what it reads."""

    __slots__ = ("again", "lenient", "prose", "text")

    def __init__(self, source: str, lexed: LexedFormula, lenient: bool) -> None:
        super().__init__(source, lexed)
        self.lenient = lenient
        self.again = False  # whether the next script is a second one of its kind
        self.text = False  # inside text, where a prime is an apostrophe
        self.prose = 0  # 1 inside text that stays text, 2 inside its dollars, 0 outside

    def formula(self) -> list[tree.Node]:
        body = self.row()
        if self.tokens[self.at] != END:
            raise self.error(f"{self.tokens[self.at]} closes nothing")
        return body

    def row(self, until: str = END) -> list[tree.Node]:
        r"""Reads nodes up to a token that ends them; `\over` makes them a fraction.

        Args:
            until: a token that ends the row, besides those that end every row.
        """
        items = self.items(until)
        return [self.infix(items, until)] if self.tokens[self.at] in INFIXES else items

    def items(self, until: str) -> list[tree.Node]:
        r"""Reads nodes up to a token that ends them or to `\over`."""
        self.enter()
        tokens = self.tokens
        items: list[tree.Node] = []
        while True:
            token = tokens[self.at]
            role = ROLES.get(token)
            node: tree.Node
            if role is None:
                if token == until or token[:5] == "\\end{":
                    break
                node = self.environment(token) if token[:7] == "\\begin{" else self.symbol(token)
            elif role is CommandRole.STOP or (role is CommandRole.CELL and self.cells):
                break
            elif role is CommandRole.SWITCH:
                items += self.switch(token, until)
                continue
            else:
                node = self.atom(token, role)
            if tokens[self.at] in _AFTER_BASE:
                node = self.scripts(node)
            items.append(node)
        self.depth -= 1
        return items

    def symbol(self, token: str) -> str:
        """Reads a token that is a leaf."""
        if token == "$" and self.prose:
            self.prose = 3 - self.prose
        if len(token) > 3 and _INCOMPLETE.match(token):
            raise self.error(f"{token} is not complete")
        self.at += 1
        return token

    def line_break(self, token: str) -> tree.Node:
        r"""Reads a `\\` outside an array: a space, as in the paper, with the length behind it."""
        if token == "&":
            raise self.error("& outside an array")
        start = self.at
        self.tokens[start] = "\\,"
        self.at += 1
        self._skip_length()
        return "\\," if self.at == start + 1 else tree.Verbatim(self.tokens[start : self.at])

    def switch(self, token: str, until: str) -> list[tree.Node]:
        r"""Reads a command that acts on the rest of its group, which is the argument of `\rm`."""
        self.at += 1
        if token in ("\\limits", "\\nolimits"):
            return []
        if token == "\\rm":
            return [tree.Command("\\mathrm", [tree.Group(self.items(until))])]
        return [token]

    def without_base(self, sign: str) -> tree.Node:
        """Reads a script without base, or an apostrophe."""
        self.at += 1
        again, self.again = self.again, False
        if sign == "'":
            return sign
        script = self.argument(f"the script behind {sign}")
        return tree.Scripts(None, [(sign, script)], literal=True, again=again)

    def scripts(self, base: tree.Node) -> tree.Node:
        """Reads the scripts behind a base."""
        marks: list[tuple[str, tree.Node]] = []
        seen = ""
        while (sign := self.tokens[self.at]) in _AFTER_BASE:
            if sign in ("\\limits", "\\nolimits"):
                self.at += 1
                if isinstance(base, tree.Operator):
                    base.limits = sign == "\\limits"
                continue
            if sign == "'" and self.text:
                break
            if sign in seen or (sign == "'" and "^" in seen):
                if self.lenient:
                    self.again = True
                    break
                raise self.error(f"{sign} on a base that has such a script")
            self.at += 1
            if sign == "'":
                marks.append((sign, tree.Group([])))
            else:
                seen += sign
                marks.append((sign, self.argument(f"the script behind {sign}")))
        return tree.Scripts(base, marks, self.text) if marks else base

    def argument(self, what: str) -> tree.Node:
        """Reads one token, group or command with its own arguments."""
        if not self.at_argument():
            raise self.error(f"{what} is missing")
        token = self.tokens[self.at]
        if token == commands.ROMAN_BRACE:
            self.tokens[self.at] = commands.ROMAN_ARGUMENT
        role = ROLES.get(token)
        return self.symbol(token) if role is None else self.atom(token, role)

    def at_argument(self) -> bool:
        """Whether the next token can begin an argument."""
        token = self.tokens[self.at]
        role = ROLES.get(token)
        return role in _ARGUMENT if role else token[:7] != "\\begin{" and token[:5] != "\\end{"

    def atom(self, token: str, role: CommandRole) -> tree.Node:
        """Reads the node that begins with a token that has a role."""
        if role is CommandRole.COMMAND:
            return self.command(token)
        if role is CommandRole.OPEN:
            return self.group()
        if role is CommandRole.OPERATOR:
            self.at += 1
            return tree.Operator(token[1:], commands.OPERATORS[token])
        readers = {
            CommandRole.SCRIPT: self.without_base,
            CommandRole.LEFT: self.fenced,
            CommandRole.MATRIX: self.plain_matrix,
            CommandRole.CELL: self.line_break,
            CommandRole.LENGTH: self.length,
        }
        return readers[role](token)

    def group(self) -> tree.Node:
        r"""Reads a group; `{\rm x}` is `\mathrm{x}`."""
        self.at += 1
        roman = self.tokens[self.at] == "\\rm"
        self.at += roman
        body = self.braced()
        return tree.Command("\\mathrm", [body]) if roman else body

    def braced(self) -> tree.Group:
        """Reads a group behind its opening brace."""
        cells, self.cells = self.cells, False
        body = self.row()
        self.expect("}", "a brace is never closed")
        self.cells = cells
        return tree.Group(body)

    def fenced(self, left: str) -> tree.Node:
        """Reads contents between growing delimiters."""
        self.at += 1
        printed = self.printed and (left, self.tokens[self.at]) == _PRINTED_FENCE
        cells, self.cells = self.cells, False
        body = self.row()
        right = self.tokens[self.at]
        if right[:6] != "\\right" or right not in ROLES:
            raise self.error(f"{left} without its \\right")
        self.at += 1
        self.cells = cells
        if printed and right == "\\right." and len(body) == 1 and isinstance(body[0], tree.Array):
            return body[0]  # the normal form of `cases` has this brace in front
        return tree.Fenced(left, body, right)

    def command(self, token: str) -> tree.Node:
        """Reads a command and its arguments."""
        self.enter()
        self.at += 1
        reader = _CONSTRUCTS.get(token)
        if reader is not None and (token not in commands.CONSTRUCTS or self.at_argument()):
            node = reader(self)
            self.depth -= 1
            return node
        name = commands.SPELLINGS.get(token, token)
        option = None
        text, prose = self.text, self.prose
        if token in commands.TEXT or token in commands.PROSE:
            self.prose = int(token in commands.PROSE or prose == 1)
        if token in commands.TEXT or (self.printed and token == "\\mathrm"):
            self.text = text or self.holds_spaces()
        elif token in commands.STARS and self.tokens[self.at] == "*":
            self.at += 1
            name = commands.STARRED if token == "\\operatorname" else f"{token} *"
        elif token in commands.BRACKETED and self.tokens[self.at] == "[":
            option = self.option(token)
        if token == commands.ROMAN_BRACE:
            arguments: list[tree.Node] = [self.braced()]
        elif (token in commands.FONTS or token in commands.CONSTRUCTS) and not self.at_argument():
            # Papers define \bm and its like as their own symbols; TeX takes a lone \rm.
            arguments = (
                [tree.Group([])]
                if token in commands.GROUPED and self.tokens[self.at] == "\\rm"
                else []
            )
        else:
            arguments = self.arguments(token)
        self.text, self.prose = text, prose
        self.depth -= 1
        if token in commands.TEXT and prose == 1:
            return as_group(arguments)
        if not arguments and (option is not None or name != token):
            raise self.error(f"an argument of {token} is missing")
        return self.complete(tree.Command(name, arguments, option), token)

    def complete(self, command: tree.Command, token: str) -> tree.Node:
        """The node of a command: its arguments as groups, known functions as operators."""
        name, arguments = command.name, command.arguments
        if not arguments:
            return name
        if token in commands.GROUPED:
            command.arguments = [as_group(arguments)]
        elif self.printed and name in commands.LINES:
            command.arguments = [_unwrap(arguments[0])]
        elif name in ("\\operatorname", "\\operatorname*"):
            word = _join_tokens(arguments[0])
            if f"\\{word}" in commands.OPERATORS:
                return tree.Operator(word, name != "\\operatorname")
        return command

    def index(self, token: str) -> list[tree.Node]:
        """Reads the index of a root, or another argument in square brackets."""
        self.at += 1
        cells, self.cells = self.cells, False
        option = self.row("]")
        what = "the index of a root" if token == "\\sqrt" else f"the bracket behind {token}"
        self.expect("]", f"{what} is never closed")
        self.cells = cells
        return option

    def option(self, token: str) -> list[tree.Node] | None:
        """Reads the argument in square brackets of a command; None for one without meaning."""
        option = self.index(token)
        if token in commands.BRACKETED_TWICE and self.tokens[self.at] == "[":
            option += ["]", "[", *self.index(token)]
        # That of a continued fraction is the alignment of its numerator.
        return None if commands.SPELLINGS.get(token) in commands.FRACTIONS else option

    def arguments(self, token: str) -> list[tree.Node]:
        """Reads the arguments of a command, with those in square brackets between them."""
        arguments: list[tree.Node] = []
        for _ in range(commands.ARGUMENTS[token]):
            arguments.append(self.argument(f"an argument of {token}"))
            if token in commands.BRACKETED_INSIDE and len(arguments) == 1:
                start = self.at
                while self.tokens[self.at] == "[":
                    self.index(token)
                arguments += [tree.Verbatim(self.tokens[start : self.at])] * (self.at > start)
        return arguments

    def holds_spaces(self) -> bool:
        r"""Whether the group ahead is printed text, as in `\mathrm { i f ~ n ' t }`."""
        ahead = self.tokens[self.at : self.group_end(self.at)]
        return "~" in ahead or "'" in ahead


def _unwrap(node: tree.Node) -> tree.Node:
    """The only node of a group, for groups that a printer added."""
    return node.body[0] if isinstance(node, tree.Group) and len(node.body) == 1 else node


def _join_tokens(node: tree.Node) -> str:
    """The tokens of a group; empty if it has other nodes than tokens."""
    body = node.body if isinstance(node, tree.Group) else []
    letters = [leaf for leaf in body if isinstance(leaf, str)]
    return "".join(letters) if len(letters) == len(body) else ""


_CONSTRUCTS: dict[str, Callable[[_Parser], tree.Node]] = {
    "\\buildrel": _Parser.built_relation,
    "\\root": _Parser.plain_root,
    "\\genfrac": _Parser.general_fraction,
    "\\substack": _Parser.substack,
}
