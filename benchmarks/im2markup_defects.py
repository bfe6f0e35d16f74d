r"""Defects of im2markup's normal forms, as patterns that count them.

The authors' script normalises a formula by printing the parse tree of an early KaTeX. In about one
formula of two hundred it changes what the formula means, and `normal_form` differs from it. Each
entry below compares a formula with the script's result, never with this package's result, so that
no defect of this package is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from im2tex.latex.normal_form.commands import ARGUMENTS

_COMMAND = re.compile(r"\\([A-Za-z]+|[,;:!])")
# A second script of a kind behind the first, perhaps with one of the other kind between.
_ARGUMENT = r"(?:\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\\[A-Za-z]+|\\?[^\s{}\\])"
_TWO_UPPER = re.compile(
    rf"'\s*(?:_\s*{_ARGUMENT}\s*)?\^|\^\s*{_ARGUMENT}\s*(?:_\s*{_ARGUMENT}\s*)?['^]"
)
_TWO_LOWER = re.compile(rf"_\s*{_ARGUMENT}\s*(?:\\>|'|\^\s*{_ARGUMENT}\s*)*_")
_PERCENT = re.compile(r"(?<!\\)(?:\\\\)*\\%")
_UNUSUAL_COLUMN = re.compile(r"\{array\}\s*\{[^{}]*(?:\*\s*\{?\s*\d|[pmb]\s*\{|>)")
_POSITION = re.compile(r"\\begin\s*\{\w+\*?\}\s*\[[a-z\s]*\]")
_SPLIT_ARGUMENT = re.compile(r"(?:[_^]|\\[a-z]+) \{ \\(?:bm|boldsymbol|text[a-z]*|operatorname) \}")
_DASHES = re.compile(r"[_^] ?---?")
_SUBSTACK = re.compile(r"\\substack\s*\{.*\\\\", re.DOTALL)
_NUMBER = re.compile(r"\\(?:nonumber|notag|tag)(?![A-Za-z])")
_DOLLAR_IN_FONT = re.compile(
    r"\\(?:text[a-z]+|emph|fbox|raisebox\s*\{[^{}]*\})\s*\{[^{}]*\$|\\(?:text|mbox|hbox)\s*\{[^{}]*\\\("
)
_SPACE_AS_ARGUMENT = re.compile(r"(\\[A-Za-z]+) (?:~|\{ ~ \})")
_RULE = re.compile(r"(?:^| )ule(?: |$)")


def _index_lost(raw: str, reference: str) -> bool:
    return "[object Object]" in reference


def _cut_at_percent(raw: str, reference: str) -> bool:
    return _PERCENT.search(raw) is not None


def _script_lost(raw: str, reference: str) -> bool:
    return (_TWO_UPPER.search(raw) or _TWO_LOWER.search(raw)) is not None


def _spelled_out(raw: str, reference: str) -> bool:
    return any(
        "\\ " + " ".join(name) in reference and f"\\ {name}" not in raw
        for name in set(_COMMAND.findall(raw))
        if len(name) > 1 or not name.isalpha()
    )


def _columns_lost(raw: str, reference: str) -> bool:
    return _UNUSUAL_COLUMN.search(raw) is not None


def _position_printed(raw: str, reference: str) -> bool:
    return _POSITION.search(raw) is not None


def _argument_split(raw: str, reference: str) -> bool:
    return _SPLIT_ARGUMENT.search(reference) is not None


def _dashes_joined(raw: str, reference: str) -> bool:
    return "--" in reference and _DASHES.search(raw) is not None


def _rule_truncated(raw: str, reference: str) -> bool:
    return "\\rule" in raw and _RULE.search(reference) is not None


def _double_rule(raw: str, reference: str) -> bool:
    return "\\hline { \\hline" in reference


def _line_lost(raw: str, reference: str) -> bool:
    return _SUBSTACK.search(raw) is not None


def _relation_split(raw: str, reference: str) -> bool:
    return "\\buildrel" in raw


def _number_printed(raw: str, reference: str) -> bool:
    return _NUMBER.search(reference) is not None


def _math_in_text(raw: str, reference: str) -> bool:
    return _DOLLAR_IN_FONT.search(raw) is not None


def _space_as_argument(raw: str, reference: str) -> bool:
    return any(command in ARGUMENTS for command in _SPACE_AS_ARGUMENT.findall(reference))


def _denominator_lost(raw: str, reference: str) -> bool:
    for match in re.finditer(r"\\[dt]?frac", raw):
        at = _behind_group(raw, match.end())
        if re.compile(r"\s*(?:\{ ?\\rm(?![A-Za-z])|\\[a-z]+ *\{)").match(raw, at):
            return True
    return False


def _behind_group(source: str, at: int) -> int:
    """Returns the end of the group or character that begins at an index."""
    depth = 0
    while at < len(source):
        character = source[at]
        at += 1
        depth += (character == "{") - (character == "}")
        if depth == 0 and not character.isspace():
            break
    return at


Defect = Callable[[str, str], bool]

DEFECTS: dict[str, Defect] = {
    r"the index of \sqrt[n] became [object Object]": _index_lost,
    r"everything from \% on was cut off": _cut_at_percent,
    "the first of two scripts was dropped (a prime in front of a superscript)": _script_lost,
    r"a command inside \mathrm was spelled out (\alpha became \ a l p h a)": _spelled_out,
    r"columns written *{n}{c} or p{1cm} were lost": _columns_lost,
    "an environment's position [t] was printed": _position_printed,
    r"\bm{x} as an argument was split (\hat { \bm } { x })": _argument_split,
    "two minus signs behind ^ or _ both became the script": _dashes_joined,
    r"\rule lost its first letter (ule)": _rule_truncated,
    r"a second \hline was put into a cell": _double_rule,
    r"a line break inside \substack became a space": _line_lost,
    r"\buildrel ... \over became a fraction of everything around it": _relation_split,
    r"\nonumber was printed": _number_printed,
    r"math inside text lost its delimiters (\textrm{$x$}, \text{\(x\)})": _math_in_text,
    r"a space inside text became a command's argument (\bar { ~ } x)": _space_as_argument,
    r"\frac{a}{\rm b} lost its denominator": _denominator_lost,
}
"""The defects by name."""


def defects(raw: str, reference: str) -> list[str]:
    """Finds the defects of a reference normal form.

    Args:
        raw: the formula as written.
        reference: the result of the authors' script, tokens separated by single spaces.

    Returns:
        The names of the defects.
    """
    return [name for name, applies in DEFECTS.items() if applies(raw, reference)]
