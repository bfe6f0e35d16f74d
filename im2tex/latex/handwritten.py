r"""CROHME's canonical form, from the tree.

`im2tex.latex.crohme` says what the form is and brings markup to it. From the tree it can be had
for normal forms as well, whose function names are letters (`\operatorname { l o g }`) and whose
cells have braces.
"""

from __future__ import annotations

from im2tex.latex.crohme import canonical
from im2tex.latex.roles import COLUMNED, MATRIX_FENCES, STARRED
from im2tex.latex.tokens import LatexError
from im2tex.latex.tree import Array, Command, Fenced, Formula, Group, Node, Operator, Scripts

_PASSES = 10


def handwritten(formula: Formula) -> list[str]:
    r"""A formula in CROHME's canonical tokens.

    Args:
        formula: its tree.

    Returns:
        The tokens: those that `im2tex.latex.crohme.canonical` gives for markup with one command
        for each function name and `matrix` as its only array.
    """
    out: list[str] = []
    _write(formula.body, out)
    return _stable(canonical(" ".join(out)))


def _stable(tokens: list[str]) -> list[str]:
    """Canonical tokens that reading again does not change.

    The form has no braces around a base, so that `{x'}_i` loses its own: then scripts stand in an
    order that the form does not know, or two superscripts behind each other.

    Args:
        tokens: canonical tokens.

    Returns:
        The same, put in order as often as needed.

    Raises:
        LatexError: if they cannot be read, or never come to rest.
    """
    if not _scripts_collide(tokens):
        return tokens
    for _ in range(_PASSES):
        again = canonical(" ".join(tokens))
        if again == tokens:
            return tokens
        tokens = again
    raise LatexError(f"scripts in disorder after {_PASSES} passes", 0, " ".join(tokens))


def _scripts_collide(tokens: list[str]) -> bool:
    """Whether a script follows another one, other than an upper one a lower one."""
    opened: list[str] = []
    before = ""
    closed = ""  # the sign of the script that ended with the token before
    for token in tokens:
        if closed and token in ("_", "^") and (closed, token) != ("_", "^"):
            return True
        closed = ""
        if token == "{":
            opened.append(before if before in ("_", "^") else "")
        elif token == "}" and opened:
            closed = opened.pop()
        before = token
    return False


def _write(nodes: list[Node], out: list[str]) -> None:
    """Markup as plain as possible: each argument in braces, nothing spelled out."""
    for node in nodes:
        if isinstance(node, str):
            out.append("~" if node == "\\" else node)  # a control space
        elif isinstance(node, Group):
            _braced(node, out)
        elif isinstance(node, Scripts):
            _scripts(node, out)
        elif isinstance(node, Command):
            _command(node, out)
        elif isinstance(node, Operator):
            out.append(f"\\{node.name}")
        elif isinstance(node, Fenced):
            out.append(node.left)
            _write(node.body, out)
            out.append(node.right)
        else:
            _array(node, out)


def _scripts(node: Scripts, out: list[str]) -> None:
    if node.base is not None:
        _write([node.base], out)
    for sign, script in node.marks:
        out.append(sign)
        if sign != "'":
            _braced(script, out)


def _command(node: Command, out: list[str]) -> None:
    out.append("\\operatorname" if node.name == STARRED else node.name)
    if node.option is not None:
        out.append("[")
        _write(node.option, out)
        out.append("]")
    for argument in node.arguments:
        _braced(argument, out)


def _braced(node: Node, out: list[str]) -> None:
    out.append("{")
    _write(node.body if isinstance(node, Group) else [node], out)
    out.append("}")


def _array(array: Array, out: list[str]) -> None:
    """An array as it is written by hand: with its delimiters, without a column specification."""
    left, name, right = MATRIX_FENCES.get(array.name, ("", array.name, ""))
    name = "matrix" if name in COLUMNED or name == "cases" else name
    out += [left] * bool(left)
    out.append(f"\\begin{{{name}}}")
    for number, row in enumerate(array.rows):
        if number:
            out.append("\\\\")
        out += ["\\hline"] * row.rules
        for i, cell in enumerate(row.cells):
            if i:
                out.append("&")
            _write(cell, out)
    out.append(f"\\end{{{name}}}")
    out += [right] * bool(right)
