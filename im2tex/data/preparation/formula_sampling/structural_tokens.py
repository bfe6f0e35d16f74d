r"""A formula as structural tokens, called signs here: one for each symbol and each group boundary.

`\frac { a } { b ^ { 2 } }` has the signs `\frac{` `a` `}{` `b` `^{` `2` `}^` `}/`. Unlike a brace,
a sign names the construct that it opens or closes. So pairs of neighbouring signs can be counted,
and a sequence that closes what it opens is a formula. Brackets with a partner in the same row are
groups (`open (`, `close )`); a bracket without a partner remains `(`.

The canonical tokens of the signs are CROHME's canonical form, as `im2tex.latex.crohme.from_tree`
gives it. Constructs that this form cannot express (accents, arrays, scripts without a base) become
unsupported signs.
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

UNSUPPORTED = "?"
"""First character of the signs of unsupported constructs; no symbol begins with it."""

_PAIRS = {"(": ")", "[": "]", "\\{": "\\}", "|": "|"}
_PARTNERS = {right: left for left, right in _PAIRS.items()}
BRACKETS = {f"open {left}": f"close {right}" for left, right in _PAIRS.items()}
"""Closing sign of brackets with a partner, by their opening sign."""

OPENS = frozenset([FRACTION, OVER, RADICAL, INDEXED, INDEX_END, SUB, SUP, *BRACKETS])
"""Signs after which a row begins."""

CLOSES = frozenset(
    [OVER, FRACTION_END, INDEX_END, RADICAL_END, SUB_END, SUP_END, *BRACKETS.values()]
)
"""Signs at which a row ends; signs between two groups are in both sets."""

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
    """Returns the canonical tokens of a supported sign."""
    return _TOKENS.get(sign, (sign,))


def structural_tokens(body: list[Node]) -> list[str]:
    """Returns the signs of a formula.

    Args:
        body: tree of the formula, from `im2tex.latex.normal_form.parser.parse_formula`.
    """
    out: list[str] = []
    _append(body, out)
    return _pair_brackets(out)


def _append(nodes: Sequence[Node], out: list[str]) -> None:
    for node in nodes:
        if isinstance(node, str):
            # "--" is one token for TeX, but two symbols of the canonical form.
            parts = [node] if node.startswith("\\") else list(node)
            out += [SYNONYMS.get(p, p) for p in parts if p not in DROPPED and p not in ("~", "\\")]
        elif isinstance(node, Group):
            raised = node.body == ["'"] and len(nodes) > 1
            _append([Scripts(None, [("'", Group([]))])] if raised else node.body, out)
        elif isinstance(node, Scripts):
            _append_scripts(node, out)
        elif isinstance(node, Command):
            _append_command(node, out)
        elif isinstance(node, Operator):
            out.append(f"\\{node.name}")
        elif isinstance(node, Fenced):
            _append_fence(node.left[len("\\left") :], out)
            _append(node.body, out)
            _append_fence(node.right[len("\\right") :], out)
        elif isinstance(node, Array):
            _append_array(node, out)


def _append_fence(delimiter: str, out: list[str]) -> None:
    if delimiter != ".":
        out.append(SYNONYMS.get(delimiter, delimiter))


def _append_scripts(node: Scripts, out: list[str]) -> None:
    start = len(out)
    if node.base is not None:
        _append([node.base], out)
    if len(out) == start or out[-1] in (SUB_END, SUP_END):
        out.append(f"{UNSUPPORTED}base")
    lower: list[str] = []
    upper: list[str] = []
    for mark, script in node.marks:
        if mark == "'":
            (out if node.base == "'" else upper).append("\\prime")  # an apostrophe can be a base
        else:
            _append([script], lower if mark == "_" else upper)
    if lower:
        out += [SUB, *lower, SUB_END]
    if upper:
        out += [SUP, *upper, SUP_END]


def _append_command(node: Command, out: list[str]) -> None:
    name, arguments = node.name, node.arguments
    if name in DROPPED:
        _append(arguments, out)
    elif name == "\\frac":
        out.append(FRACTION)
        _append(arguments[:1], out)
        out.append(OVER)
        _append(arguments[1:], out)
        out.append(FRACTION_END)
    elif name == "\\sqrt":
        if node.option is None:
            out.append(RADICAL)
        else:
            out.append(INDEXED)
            _append(node.option, out)
            out.append(INDEX_END)
        _append(arguments, out)
        out.append(RADICAL_END)
    else:
        for argument in arguments:
            out.append(f"{UNSUPPORTED}{name}")
            _append([argument], out)
        out.append(f"{UNSUPPORTED}end")


def _append_array(array: Array, out: list[str]) -> None:
    for row in array.rows:
        for cell in row.cells:
            out.append(f"{UNSUPPORTED}&")
            _append(cell, out)
    out.append(f"{UNSUPPORTED}end")


def _pair_brackets(signs: list[str]) -> list[str]:
    """Replaces brackets with a partner in the same row by their opening and closing signs."""
    result = list(signs)
    # For each open row: indices of its unpaired opening brackets, and their number by kind.
    rows: list[tuple[list[int], Counter[str]]] = [([], Counter())]
    for i, sign in enumerate(signs):
        if sign in CLOSES:
            rows.pop()
        elif sign[0] == UNSUPPORTED:
            rows[-1] = ([], Counter())
        waiting, kinds = rows[-1]
        left = _PARTNERS.get(sign, "")
        if kinds[left] and (sign != "|" or signs[waiting[-1]] == "|"):
            # Brackets that were opened after the partner have no partner.
            while signs[partner := waiting.pop()] != left:
                kinds[signs[partner]] -= 1
            kinds[left] -= 1
            result[partner], result[i] = f"open {left}", f"close {sign}"
        elif sign in _PAIRS:
            waiting.append(i)
            kinds[sign] += 1
        if sign in OPENS:
            rows.append(([], Counter()))
    return result
