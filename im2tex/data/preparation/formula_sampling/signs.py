r"""A formula as signs: one for each written symbol, one where a part begins and one where it ends.

`\frac { a } { b ^ { 2 } }` is the signs `\frac{` `a` `}{` `b` `^{` `2` `}^` `}/`. Unlike a bare
brace, a sign says by itself what it opens or closes, so that pairs of neighbours are worth
counting; and a stretch that closes what it opens is a formula of its own. Brackets count as parts
where they have their partner in the same row: `open (`, `close )`; one without stays `(`.

The signs are CROHME's canonical form, like the tokens of `im2tex.latex.crohme.from_tree`. What that
form has no plain construct for (accents, arrays, scripts in disorder) becomes a foreign sign.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from im2tex.latex.crohme.symbols import DROPPED, SYNONYMS
from im2tex.latex.normal_form.tree import Array, Command, Fenced, Group, Node, Operator, Scripts

FRACTION, OVER, FRACTION_END = "\\frac{", "}{", "}/"
RADICAL, INDEXED, INDEX_END, RADICAL_END = "\\sqrt{", "\\sqrt[", "]{", "}\\sqrt"
SUB, SUB_END = "_{", "}_"
SUP, SUP_END = "^{", "}^"

FOREIGN = "?"
"""Begins the signs of what is no plain construct; no symbol is called so."""

_PAIRS = {"(": ")", "[": "]", "\\{": "\\}", "|": "|"}
_PARTNERS = {right: left for left, right in _PAIRS.items()}
BRACKETS = {f"open {left}": f"close {right}" for left, right in _PAIRS.items()}
"""Signs of brackets that have their partner: the closing one by the opening one."""

OPENS = frozenset([FRACTION, OVER, RADICAL, INDEXED, INDEX_END, SUB, SUP, *BRACKETS])
"""Signs behind which a row begins."""

CLOSES = frozenset(
    [OVER, FRACTION_END, INDEX_END, RADICAL_END, SUB_END, SUP_END, *BRACKETS.values()]
)
"""Signs at which a row ends; those in the middle of a construct are in both sets."""

_TOKENS: dict[str, tuple[str, ...]] = {
    FRACTION: ("\\frac", "{"),
    OVER: ("}", "{"),
    RADICAL: ("\\sqrt", "{"),
    INDEXED: ("\\sqrt", "["),
    INDEX_END: ("]", "{"),
    SUB: ("_", "{"),
    SUP: ("^", "{"),
    **dict.fromkeys([FRACTION_END, RADICAL_END, SUB_END, SUP_END], ("}",)),
    **{sign: (sign.split()[1],) for pair in BRACKETS.items() for sign in pair},
}


def tokens_of(sign: str) -> tuple[str, ...]:
    """The canonical tokens of a sign, foreign ones left aside."""
    return _TOKENS.get(sign, (sign,))


def signs(body: list[Node]) -> list[str]:
    """The signs of a formula.

    Args:
        body: its tree, from `im2tex.latex.normal_form.parser.parse_formula`.

    Returns:
        Signs; together their tokens are the canonical form, if none is foreign.
    """
    out: list[str] = []
    _write(body, out)
    return _paired(out)


def _write(nodes: Sequence[Node], out: list[str]) -> None:
    for node in nodes:
        if isinstance(node, str):
            # A dash is one token of TeX's, but as many signs of the canonical form.
            parts = [node] if node.startswith("\\") else list(node)
            out += [SYNONYMS.get(p, p) for p in parts if p not in DROPPED and p not in ("~", "\\")]
        elif isinstance(node, Group):
            raised = node.body == ["'"] and len(nodes) > 1
            _write([Scripts(None, [("'", Group([]))])] if raised else node.body, out)
        elif isinstance(node, Scripts):
            _scripts(node, out)
        elif isinstance(node, Command):
            _command(node, out)
        elif isinstance(node, Operator):
            out.append(f"\\{node.name}")
        elif isinstance(node, Fenced):
            _fence(node.left[len("\\left") :], out)
            _write(node.body, out)
            _fence(node.right[len("\\right") :], out)
        elif isinstance(node, Array):
            _array(node, out)


def _fence(delimiter: str, out: list[str]) -> None:
    if delimiter != ".":
        out.append(SYNONYMS.get(delimiter, delimiter))


def _scripts(node: Scripts, out: list[str]) -> None:
    start = len(out)
    if node.base is not None:
        _write([node.base], out)
    if len(out) == start or out[-1] in (SUB_END, SUP_END):
        out.append(f"{FOREIGN}base")
    lower: list[str] = []
    upper: list[str] = []
    for mark, script in node.marks:
        if mark == "'":
            (out if node.base == "'" else upper).append("\\prime")  # an apostrophe may be a base
        else:
            _write([script], lower if mark == "_" else upper)
    if lower:
        out += [SUB, *lower, SUB_END]
    if upper:
        out += [SUP, *upper, SUP_END]


def _command(node: Command, out: list[str]) -> None:
    name, arguments = node.name, node.arguments
    if name in DROPPED:
        _write(arguments, out)
    elif name == "\\frac":
        out.append(FRACTION)
        _write(arguments[:1], out)
        out.append(OVER)
        _write(arguments[1:], out)
        out.append(FRACTION_END)
    elif name == "\\sqrt":
        if node.option is None:
            out.append(RADICAL)
        else:
            out.append(INDEXED)
            _write(node.option, out)
            out.append(INDEX_END)
        _write(arguments, out)
        out.append(RADICAL_END)
    else:
        for argument in arguments:
            out.append(f"{FOREIGN}{name}")
            _write([argument], out)
        out.append(f"{FOREIGN}end")


def _array(array: Array, out: list[str]) -> None:
    for row in array.rows:
        for cell in row.cells:
            out.append(f"{FOREIGN}&")
            _write(cell, out)
    out.append(f"{FOREIGN}end")


def _paired(found: list[str]) -> list[str]:
    """The signs, with the brackets that have their partner in the same row told as such."""
    result = list(found)
    # For each open row: where its open brackets stand, and how many there are of each kind.
    rows: list[tuple[list[int], Counter[str]]] = [([], Counter())]
    for i, sign in enumerate(found):
        if sign in CLOSES:
            rows.pop()
        elif sign[0] == FOREIGN:
            rows[-1] = ([], Counter())
        waiting, kinds = rows[-1]
        left = _PARTNERS.get(sign, "")
        if kinds[left] and (sign != "|" or found[waiting[-1]] == "|"):
            # Brackets opened since then have no partner.
            while found[partner := waiting.pop()] != left:
                kinds[found[partner]] -= 1
            kinds[left] -= 1
            result[partner], result[i] = f"open {left}", f"close {sign}"
        elif sign in _PAIRS:
            waiting.append(i)
            kinds[sign] += 1
        if sign in OPENS:
            rows.append(([], Counter()))
    return result
