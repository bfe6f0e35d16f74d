r"""CROHME's canonical form, printed from a parsed formula.

`crohme.canonical` defines the form, `crohme.symbols` the treatment of each command. A base has
braces only if they are needed: in `{x'}_i` the scripts join, in `{x^a}^b` the braces stay.
"""

from __future__ import annotations

from im2tex.latex.crohme import symbols
from im2tex.latex.normal_form import commands, tree
from im2tex.latex.tokens import LatexError

_LARGE_NAMES = (
    "sum prod coprod int iint iiint oint bigcap bigcup bigvee bigwedge bigoplus bigotimes bigodot"
    " bigsqcup biguplus"
)
_ENVIRONMENTS = frozenset(["matrix", "aligned", "alignedat", "gathered", "split"])
# Operators that take a script behind an empty group as their own.
_LARGE = frozenset(f"\\{name}" for name in _LARGE_NAMES.split()) | frozenset(commands.OPERATORS)
_KNOWN = symbols.PLAIN_SYMBOLS | symbols.SYNONYMS.keys() | commands.OPERATORS.keys()
_MATH_ACCENTS = (commands.ACCENTS | commands.WIDE_ACCENTS) - {"\\dddot"}


def crohme_from_tree(formula: tree.ParsedFormula) -> list[str]:
    """A formula in CROHME's canonical tokens; read again, they give the same tokens.

    Args:
        formula: its tree.

    Returns:
        The tokens.

    Raises:
        LatexError: for markup that the form cannot represent.
    """
    return _print_nodes(formula.body)


def _print_nodes(nodes: list[tree.Node]) -> list[str]:
    out: list[str] = []
    _print_row(nodes, out)
    return out


def _print_row(nodes: list[tree.Node], out: list[str]) -> None:
    at = 0
    while at < len(nodes):
        node = nodes[at]
        at += 1
        if isinstance(node, tree.Scripts):
            _print_scripts(node, out)
        elif isinstance(node, tree.Group) and node.body == ["'"] and len(nodes) > 1:
            # Raised, unlike the sign \prime, which stands on the line.
            _print_scripts(tree.Scripts(None, [("'", tree.Group([]))]), out)
        elif not isinstance(node, str):
            _print_compound(node, out)
        elif node == "\\cal":
            inside = _print_nodes(nodes[at:])
            out += ["\\mathcal", "{", *inside, "}"] if inside else []
            return
        elif node == "\\middle":
            at += nodes[at : at + 1] == ["."]
        elif node in symbols.TEXT_ACCENTS:
            _print_text_accent(node, nodes[at] if at < len(nodes) else None, out)
            at += 1
        else:
            out += _print_symbol(node, _find_follower(nodes, at))


def _print_compound(node: tree.Node, out: list[str]) -> None:
    """A node that is neither a leaf nor has scripts."""
    if isinstance(node, tree.Group):
        _print_row(node.body, out)
    elif isinstance(node, tree.Command):
        _print_command(node, out)
    elif isinstance(node, tree.Operator):
        out.append(f"\\{node.name}")
    elif isinstance(node, tree.Fenced):
        out += _print_delimiter(node.left.removeprefix("\\left"))
        _print_row(node.body, out)
        out += _print_delimiter(node.right.removeprefix("\\right"))
    elif isinstance(node, tree.Array):
        _print_array(node, out)
    elif (
        isinstance(node, tree.Verbatim)
        and node.tokens[0] not in symbols.VANISHING | symbols.DROPPED
    ):
        raise _refused_error(f"a label cannot contain {node.tokens[0]}")


def _print_symbol(token: str, follower: tree.Node | None) -> list[str]:
    """The tokens of a leaf.

    Args:
        token: the leaf as written.
        follower: the node behind it, or behind the square brackets that follow it.
    """
    if token in symbols.DROPPED or token in ("~", "\\", "$"):
        return []
    if token[0] != "\\":
        return [symbols.SYNONYMS.get(sign, sign) for sign in token]  # a dash may be two
    if token in symbols.NOT_IN_LABELS:
        raise _refused_error(f"a label cannot contain {token}")
    if token in commands.ARGUMENTS and token not in commands.FONTS:
        raise _refused_error(f"an argument of {token} is missing")
    if token in symbols.VANISHING:
        return []
    if token in commands.FONTS:
        return [symbols.RENAMED.get(token, token), "{", "}"]  # or it would take what follows
    base = follower.base if isinstance(follower, tree.Scripts) else follower
    if isinstance(base, tree.Group) and token not in _KNOWN:
        raise _refused_error(
            f"{token} is not known, and may take the group behind it as its argument"
        )
    return [symbols.SYNONYMS.get(token, token)]


def _find_follower(nodes: list[tree.Node], at: int) -> tree.Node | None:
    """The node at an index; the node behind the square brackets if they begin there."""
    if at < len(nodes) and nodes[at] == "[" and "]" in nodes[at:]:
        at = nodes.index("]", at) + 1
    return nodes[at] if at < len(nodes) else None


def _print_delimiter(token: str) -> list[str]:
    return [] if token == "." else [symbols.SYNONYMS.get(token, token)]


def _print_text_accent(token: str, argument: tree.Node | None, out: list[str]) -> None:
    if isinstance(argument, tree.Scripts) and argument.base is not None:
        accented = tree.Command(symbols.RENAMED[token], [argument.base])
        _print_scripts(tree.Scripts(accented, argument.marks), out)
    elif argument is None or isinstance(argument, tree.Scripts):
        raise _refused_error(f"an argument of {token} is missing")
    else:
        out += [symbols.RENAMED[token], *_print_in_braces(argument)]


def _print_scripts(node: tree.Scripts, out: list[str]) -> None:
    base = [] if node.base is None else _print_nodes([node.base])
    lower: list[str] = []
    upper: list[str] = []
    for sign, script in node.marks:
        if sign != "'":
            (lower if sign == "_" else upper).extend(_print_argument(script))
        elif node.base == "'":
            base.append("\\prime")
        else:
            upper.append("\\prime")
    end, found = _find_scripts(base, len(base)) if lower or upper else (0, {})
    free = not (lower and "_" in found) and not (upper and "^" in found)
    if end and found and free and _find_last_script(base, end) < 0:
        base = base[:end]
        lower, upper = found.get("_", lower), found.get("^", upper)
    elif found:
        # To TeX an accent in braces is the bare accent: both pairs of scripts would meet.
        anchor = ["{", "}"] if _is_accented(base[:end]) else []
        base = ["{", *anchor, *base, "}"]
    elif lower and upper and not base and (not out or _is_second(node)):
        base, lower = ["{", "_", "{", *lower, "}", "}"], []
    tokens = [*base, *_print_script("_", lower), *_print_script("^", upper)]
    if out and tokens[:1] in (["_"], ["^"]):
        end, found = _find_scripts(out, len(out))
        if not (_is_second(node) and tokens[0] in found):
            # The scripts have no base; the symbol in front of them is not their base.
            out += ["{", "}"] if found or out[-1] in _LARGE else []
        else:
            last = _find_last_script(out, len(out))
            follows_second = out[last] in _find_scripts(out, last)[1]
            if end == 0 or follows_second:
                # The parser takes the script in front of this one as its base.
                start = last if follows_second else 0
                out[start:] = ["{", *out[start:], "}"]
    out += tokens


def _is_second(node: tree.Scripts) -> bool:
    """Whether a script is a second one of its kind on the base in front of it."""
    while isinstance(node.base, tree.Scripts):
        node = node.base
    return node.again


def _print_script(sign: str, inside: list[str]) -> list[str]:
    return [sign, "{", *inside, "}"] if inside else []


def _is_accented(tokens: list[str]) -> bool:
    """Whether the tokens are one accent with its base."""
    depth = 0
    for at, token in enumerate(tokens[1:], 1):
        depth += (token == "{") - (token == "}")
        if depth == 0:
            return tokens[0] in _MATH_ACCENTS and at == len(tokens) - 1
    return False


def _find_scripts(tokens: list[str], end: int) -> tuple[int, dict[str, list[str]]]:
    """The scripts in front of an index: the index of the first, and their contents by sign."""
    found: dict[str, list[str]] = {}
    while (at := _find_last_script(tokens, end)) >= 0 and tokens[at] not in found:
        found[tokens[at]] = tokens[at + 2 : end - 1]
        end = at
    return end, found


def _find_last_script(tokens: list[str], end: int) -> int:
    """The index of the sign of the script in front of an index; -1 if there is no script."""
    at, depth = end, 0
    while at and (depth or at == end):
        at -= 1
        depth += (tokens[at] == "}") - (tokens[at] == "{")
    return at - 1 if at and end - at > 1 and tokens[at - 1] in ("_", "^") else -1


def _print_command(node: tree.Command, out: list[str]) -> None:
    name = node.name.partition(" ")[0]
    if name in symbols.POINTERS:
        raise _refused_error(f"{name} refers to something outside the formula")
    if name in commands.KEPT_INFIXES:
        out += ["{", *_print_infix(node), "}"]
    elif name == "\\mathchoice":
        _print_row(node.arguments[:1], out)
    elif name in symbols.CONTENTS:
        _print_row(node.arguments[-1:], out)
    elif name == "\\stackrel" and node.option is not None:
        # From the package of that name: its option is set below.
        above = tree.Command(name, node.arguments)
        out += ["\\underset", "{", *_print_nodes(node.option), "}", *_print_in_braces(above)]
    elif name not in symbols.VANISHING:
        out.append(symbols.RENAMED.get(name, name))
        if node.option is not None and name not in symbols.RENAMED:
            inside = _print_nodes(node.option)
            out += ["[", "{", *inside, "}", "]"] if "]" in inside else ["[", *inside, "]"]
        for argument in node.arguments:
            out += _print_in_braces(argument)


def _print_infix(node: tree.Command) -> list[str]:
    above, below = node.arguments
    option = [token for token in node.option or [] if isinstance(token, str)]
    return [*_print_nodes([above]), node.name, *option, *_print_nodes([below])]


def _print_in_braces(node: tree.Node) -> list[str]:
    return ["{", *_print_argument(node), "}"]


def _print_argument(node: tree.Node) -> list[str]:
    """The tokens between the braces of an argument."""
    body = [node]
    while len(body) == 1 and isinstance(body[0], tree.Group):
        body = body[0].body
    tokens = _print_nodes(body)
    return tokens[1:-1] if _is_braced_infix(tokens) else tokens


def _is_braced_infix(tokens: list[str]) -> bool:
    r"""Whether the tokens are one pair of braces around an infix, such as `{ a \atop b }`."""
    depth, infix = 0, False
    for at, token in enumerate(tokens):
        depth += (token == "{") - (token == "}")
        infix |= depth == 1 and token in commands.KEPT_INFIXES
        if depth == 0:
            return infix and at == len(tokens) - 1
    return False


def _print_array(array: tree.Array, out: list[str]) -> None:
    """Prints an array as it is handwritten: with its delimiters and its lines."""
    left, name, right = commands.MATRIX_FENCES.get(array.name, ("", array.name, ""))
    if name in ("substack", "subarray"):
        out += ["\\substack", "{", *_print_rows(array), "}"]
        return
    columns = ["c" if letter != "|" else "|" for letter in array.columns or []]
    if name == "alignedat":
        columns = array.columns or []
    elif name in commands.COLUMNED and "|" in columns:
        name = "array"
    elif name in commands.COLUMNED or name in ("cases", "smallmatrix"):
        name, columns = "matrix", []
    elif name not in _ENVIRONMENTS:
        raise _refused_error(f"a label cannot contain the environment {name}")
    out += _print_delimiter(left.removeprefix("\\left")) if left else []
    out.append(f"\\begin{{{name}}}")
    out += ["{", *columns, "}"] if columns else []
    out += _print_rows(array)
    out.append(f"\\end{{{name}}}")
    out += _print_delimiter(right.removeprefix("\\right")) if right else []


def _print_rows(array: tree.Array) -> list[str]:
    out: list[str] = []
    for row in array.rows:
        cells = [_print_nodes(cell) for cell in row.cells]
        if cells == [[]] and not row.rules:
            continue  # a row of spacing
        if out:
            out.append("\\\\")
            if cells[0][:1] in (["["], ["*"]) and not row.rules:
                out += ["{", "}"]  # otherwise it is an argument of the line break
        out += ["\\hline"] * row.rules
        for i, cell in enumerate(cells):
            if i:
                out.append("&")
            out += cell
    return out


def _refused_error(reason: str) -> LatexError:
    return LatexError(reason, 0, "")
