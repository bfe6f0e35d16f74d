r"""The parser's tables of commands: their roles and numbers of arguments.

The tables follow LaTeX and amsmath. A command that is in none of them is a symbol without
arguments, and braces behind it are a group of their own, so that undefined macros can be parsed.
"""

from __future__ import annotations

import tomllib
from enum import Enum
from pathlib import Path

from im2tex.latex.tokens import END

_TABLES = tomllib.loads(Path(__file__).with_name("commands.toml").read_text(encoding="utf-8"))


def _parse_commands(table: str) -> frozenset[str]:
    return frozenset(_TABLES[table].split())


class CommandRole(Enum):
    """The role of a token in the parser; a token without a role is a symbol."""

    STOP = "ends what is being read"
    CELL = "ends a cell or a row"
    SCRIPT = "begins a script"
    SWITCH = "acts on the rest of its group"
    OPEN = "opens a group"
    LEFT = "opens a fence"
    COMMAND = "takes arguments"
    OPERATOR = "names a function"
    MATRIX = "takes rows in braces"
    LENGTH = "has a length behind it"


ROMAN_BRACE = "\\rm{"
r"""`\rm{` as one token, which means `\mathrm{` to the paper's script."""

ROMAN_ARGUMENT = "\\mathrm{"
"""`ROMAN_BRACE` as an argument; printed so, it is an argument again when it is parsed."""

OPENING = frozenset(["{", ROMAN_BRACE, ROMAN_ARGUMENT])
"""Tokens that end with an opening brace."""

TEXT = ("\\text", "\\mbox", "\\hbox")
"""Commands whose argument is text, in which spaces count."""

TEXT_FONTS = _parse_commands("text_fonts")
"""Commands that stay text in every form."""

PROSE = TEXT_FONTS | {"\\raisebox", "\\colorbox", "\\fcolorbox"}
"""Commands in whose argument text is kept as written."""

TEXT_ARGUMENTS = {
    **dict.fromkeys([*TEXT, *TEXT_FONTS], 0),
    **dict.fromkeys(["\\raisebox", "\\colorbox", "\\parbox"], 1),
    "\\fcolorbox": 2,
}
"""Commands with an argument that TeX sets as text, and the number of arguments before it."""

ACCENTS = _parse_commands("accents")
"""Accents, printed with braces around their base."""

WIDE_ACCENTS = frozenset(["\\widehat", "\\widetilde", "\\mathring", "\\dddot"])
"""Accents that the reference form leaves as they are."""

LINES = frozenset(["\\overline", "\\underline"])
"""Lines over and under, printed with braces of their own around the argument."""

FONTS = _parse_commands("fonts")
"""Fonts and similar commands with one argument; without argument they are symbols."""

STARRED = "\\operatorname *"
r"""`\operatorname*` as it is usually written: in the reference the star is its own token."""

STARS = frozenset(["\\operatorname", "\\hspace", "\\vspace"])
"""Commands that a star may follow."""

GROUPED = frozenset([*TEXT, "\\phantom"])
"""Commands printed with braces whether or not they were written."""

SWITCHES = _parse_commands("switches")
"""Commands that change the rest of their group, and have no scripts themselves."""

SPELLINGS: dict[str, str] = _TABLES["spellings"] | dict.fromkeys([*TEXT, ROMAN_BRACE], "\\mathrm")
"""Commands that differ from another in size or place only."""

FRACTIONS = frozenset(["\\frac", "\\binom"])
"""Commands with one argument over the other, after `SPELLINGS`."""

KEPT_INFIXES: dict[str, int] = _TABLES["kept_infixes"]
"""Infix commands without a prefix form, and the number of delimiters behind them."""

INFIXES = ("\\over", "\\choose", *KEPT_INFIXES)
"""Infix commands: their arguments are the rest of the group on either side."""

LENGTHS = _parse_commands("lengths")
"""Commands with a length behind them, without braces."""

OPERATORS = {
    **dict.fromkeys(_parse_commands("operators"), False),
    **dict.fromkeys(_parse_commands("operators_with_limits"), True),
}
"""Functions named by words, and whether their scripts are above and below."""

PLAIN_MATRICES = frozenset(["\\matrix", "\\pmatrix", "\\cases"])
r"""Plain TeX's arrays, in braces, rows ending with `\cr`."""

MATRIX_FENCES: dict[str, list[str]] = _TABLES["matrix_fences"]
"""Environments with delimiters: these, and the environment without them."""

COLUMNED = frozenset(["array", "tabular", "subarray"])
"""Environments that begin with a column specification."""

POSITIONED = COLUMNED | {"aligned", "alignedat", "gathered"}
r"""Environments that a position may follow, as in `\begin{array}[t]`."""

PAIRED = frozenset(["aligned", "alignedat", "split"])
"""Environments whose every other column begins behind a relation sign."""

DELIMITERS = _parse_commands("delimiters")
r"""Tokens allowed behind `\left` and `\right`."""

CONSTRUCTS: dict[str, int] = {
    command: int(count)
    for count, commands in _TABLES["constructs"].items()
    for command in commands.split()
}
"""Commands printed as written, with their number of arguments; without any, they are symbols."""

BRACKETED = _parse_commands("bracketed")
"""Commands that an argument in square brackets may follow."""

BRACKETED_TWICE = frozenset(["\\makebox", "\\framebox"])
"""Of these, commands that two such arguments may follow: a width and a position."""

BRACKETED_INSIDE = frozenset(["\\raisebox"])
"""Commands with such arguments, a height and a depth, between their first argument and the next."""

ARGUMENTS: dict[str, int] = {
    **dict.fromkeys([*ACCENTS, *WIDE_ACCENTS, *LINES, *FONTS, *TEXT, ROMAN_BRACE], 1),
    "\\sqrt": 1,
    **dict.fromkeys(["\\frac", "\\dfrac", "\\tfrac", "\\cfrac"], 2),
    **dict.fromkeys(["\\binom", "\\dbinom", "\\tbinom"], 2),
    **CONSTRUCTS,
}
"""Numbers of arguments."""

ROLES: dict[str, CommandRole] = {
    **dict.fromkeys([END, "}", *INFIXES], CommandRole.STOP),
    **{f"\\right{delimiter}": CommandRole.STOP for delimiter in DELIMITERS},
    **dict.fromkeys(["&", "\\\\", "\\cr"], CommandRole.CELL),
    **dict.fromkeys("^_'", CommandRole.SCRIPT),
    "{": CommandRole.OPEN,
    **dict.fromkeys([*ARGUMENTS, "\\buildrel", "\\root"], CommandRole.COMMAND),
    **dict.fromkeys(LENGTHS, CommandRole.LENGTH),
    **dict.fromkeys(OPERATORS, CommandRole.OPERATOR),
    **{f"\\left{delimiter}": CommandRole.LEFT for delimiter in DELIMITERS},
    **dict.fromkeys(PLAIN_MATRICES, CommandRole.MATRIX),
    **dict.fromkeys([*SWITCHES, "\\rm", "\\limits", "\\nolimits"], CommandRole.SWITCH),
}
r"""The role of each token that has one, except for `\begin{…}` and `\end{…}`."""
