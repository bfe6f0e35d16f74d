r"""The two token forms of the IM2LATEX paper, printed from a parsed formula.

The normal form (section 3 of Deng et al. 2017) has one spelling for formulas that appear the same,
that of the authors' script: the subscript before the superscript, each in braces; primes as
superscripts; infix fractions as `\frac`; function names letter by letter; braces around every cell
of an array and an end behind every row; text as `\mathrm` with a `~` for each space.

Three properties serve agreement with the paper's labels only, and a renderer has to undo them:
lengths are in single letters (`\hspace { 3 m m }`), `cases` has a brace in front besides its own,
and a line break outside an array is a `\,`. Where the script changes the meaning of a formula (see
`benchmarks.im2markup_defects`), this form differs from it.

The token stream is the formula as written: nothing is reordered, braced or respelled, but labels,
comments and dollars are gone, `\left(` and `\begin{array}` are one token, and a space inside text
is a `~`. Its normal form is that of the source, up to distinctions that spacing alone had made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from im2tex.latex.normal_form import commands, tree


def normal_form(formula: tree.ParsedFormula) -> list[str]:
    r"""The tokens of a formula in normal form.

    >>> from im2tex.latex.normal_form.parser import parse_formula
    >>> " ".join(normal_form(parse_formula("x^2_1")))
    'x _ { 1 } ^ { 2 }'
    """
    out: list[str] = []
    _print_nodes(formula.body, out)
    return out


def token_stream(formula: tree.ParsedFormula) -> list[str]:
    """The tokens of a formula in the order written.

    Args:
        formula: the formula, parsed with `dollars=True`.
    """
    tokens = []
    for token in formula.tokens:
        if token in (commands.ROMAN_BRACE, commands.ROMAN_ARGUMENT):
            tokens += [token[:-1], "{"]
        else:
            tokens.append(token.replace(" ", ""))  # \begin{ array }
    return tokens


def _print_nodes(nodes: list[tree.Node], out: list[str]) -> None:
    for node in nodes:
        _print_node(node, out)


def _print_node(node: tree.Node, out: list[str]) -> None:
    if type(node) is str:
        out.append(node)
    else:
        _PRINTERS[type(node)](node, out)


def _print_in_braces(node: tree.Node, out: list[str]) -> None:
    """A node with braces around it, if it has none."""
    _print_group(node if type(node) is tree.Group else tree.Group([node]), out)


def _print_group(group: tree.Group, out: list[str]) -> None:
    out.append("{")
    _print_nodes(group.body, out)
    out.append("}")


def _print_scripts(node: tree.Scripts, out: list[str]) -> None:
    if node.base is not None:
        _print_node(node.base, out)
    if node.literal:
        for sign, script in node.marks:
            out.append(sign)
            if sign != "'":
                _print_node(script, out)
        return
    primes = 0
    upper: tree.Node | None = None
    for sign, script in node.marks:
        if sign == "_":
            out.append("_")
            _print_in_braces(script, out)
        elif sign == "^":
            upper = script
        else:
            primes += 1
    if primes:
        out += ["^", "{", *["\\prime"] * primes]
        if isinstance(upper, tree.Group) and not _begins_with_script(upper.body):
            _print_nodes(upper.body, out)
        elif upper is not None:
            _print_node(upper, out)
        out.append("}")
    elif upper is not None:
        out.append("^")
        _print_in_braces(upper, out)


def _begins_with_script(nodes: list[tree.Node]) -> bool:
    """Whether a script without base comes first, which would take what stands in front of it."""
    first = nodes[0] if nodes else None
    while isinstance(first, tree.Scripts) and first.base is not None:
        first = first.base
    return isinstance(first, tree.Scripts) or first == "'"


def _print_command(node: tree.Command, out: list[str]) -> None:
    name = node.name
    if name in commands.KEPT_INFIXES:
        _print_infix(node, out)
        return
    out += name.split(" ")
    if node.option is not None:
        out.append("[")
        _print_nodes(node.option, out)
        out.append("]")
    for argument in node.arguments:
        # `\frac\mathrm{d}{t}` is no LaTeX: the command would lose its own argument.
        loses_argument = name in commands.FRACTIONS and isinstance(argument, tree.Command)
        if name in commands.LINES:
            _print_group(tree.Group([argument]), out)
        elif name in commands.ACCENTS or loses_argument:
            _print_in_braces(argument, out)
        else:
            _print_node(argument, out)


def _print_infix(node: tree.Command, out: list[str]) -> None:
    above, below = node.arguments
    _print_nodes(above.body if isinstance(above, tree.Group) else [above], out)
    out.append(node.name)
    _print_nodes(node.option or [], out)
    _print_nodes(below.body if isinstance(below, tree.Group) else [below], out)


def _print_verbatim(node: tree.Verbatim, out: list[str]) -> None:
    out += node.tokens


def _print_operator(node: tree.Operator, out: list[str]) -> None:
    out += ["\\operatorname*" if node.limits else "\\operatorname", "{", *node.name, "}"]


def _print_fenced(node: tree.Fenced, out: list[str]) -> None:
    out.append(node.left)
    _print_nodes(node.body, out)
    out.append(node.right)


def _print_substack(node: tree.Array, out: list[str]) -> None:
    out += ["\\substack", "{"]
    for number, row in enumerate(node.rows):
        if number:
            out.append("\\\\")
        out += ["\\hline"] * row.rules
        _print_nodes(row.cells[0], out)
    out.append("}")


def _print_array(node: tree.Array, out: list[str]) -> None:
    if node.name == "substack":
        _print_substack(node, out)
        return
    left, name, right = commands.MATRIX_FENCES.get(node.name, ("", node.name, ""))
    if left:
        out.append(left)
    out.append(f"\\begin{{{name}}}")
    if node.columns is not None:
        out += ["{", *node.columns, "}"]
    paired = name in commands.PAIRED
    for row in node.rows:
        out += ["\\hline"] * row.rules
        for i, cell in enumerate(row.cells):
            if i:
                out.append("&")
            out.append("{")
            if i % 2 and paired:
                out += ["{", "}"]
            _print_nodes(cell, out)
            out.append("}")
        out.append("\\\\")
    out.append(f"\\end{{{name}}}")
    if right:
        out.append(right)


_PRINTERS: dict[type, Callable[[Any, list[str]], None]] = {
    tree.Group: _print_group,
    tree.Scripts: _print_scripts,
    tree.Command: _print_command,
    tree.Operator: _print_operator,
    tree.Fenced: _print_fenced,
    tree.Array: _print_array,
    tree.Verbatim: _print_verbatim,
}
