r"""The commands that a formula may use: an allow-list, since markup is untrusted.

All other commands are refused before TeX runs: those that define, assign, read, write, loop or
change how characters are read. The commands here do none of these, so no formula can reach a file
or another formula. The symbols are those of LaTeX, amsmath, amssymb and mathrsfs.
"""

from __future__ import annotations

import tomllib
from pathlib import Path


def command_names(text: str) -> frozenset[str]:
    """Returns the control words of space-separated names."""
    return frozenset("\\" + word for word in text.split())


_TABLES = tomllib.loads(Path(__file__).with_name("allowlist.toml").read_text(encoding="utf-8"))
_COMMANDS = {name: command_names(text) for name, text in _TABLES.items()}

FUNCTIONS = _COMMANDS["functions"]
"""Names that are drawn letter by letter."""

SPACES = _COMMANDS["spaces"]
"""Commands that draw nothing."""

SYMBOLS = FUNCTIONS | SPACES | _COMMANDS["symbols"]
"""Symbols, names of functions and spaces: no arguments."""

SIZED_DELIMITERS = _COMMANDS["sized_delimiters"]
"""Commands that are followed by a delimiter."""

INFIXES = _COMMANDS["infixes"]
"""Commands between numerator and denominator."""

SWITCHES = _COMMANDS["switches"]
"""Commands that change the font, the size or the position of what follows."""

PRIMITIVES = SIZED_DELIMITERS | INFIXES | SWITCHES | _COMMANDS["other_primitives"]
"""Commands whose operands TeX reads itself."""

MATH_ACCENTS = _COMMANDS["math_accents"]
WIDE_ACCENTS = _COMMANDS["wide_accents"]
TEXT_ACCENTS = _COMMANDS["text_accents"]
TEXT_FONTS = _COMMANDS["text_fonts"]
TEXT_BOXES = _COMMANDS["text_boxes"]

ARGUMENTS: dict[str, int] = {
    **dict.fromkeys(MATH_ACCENTS | TEXT_ACCENTS | _COMMANDS["one_argument"], 1),
    **dict.fromkeys(_COMMANDS["two_arguments"], 2),
    "\\multicolumn": 3,
    "\\genfrac": 6,
}
"""Commands whose arguments are typeset once, and the number of arguments."""

REPEATING: dict[str, int] = {
    **dict.fromkeys(TEXT_FONTS | WIDE_ACCENTS | _COMMANDS["repeat_one_argument"], 1),
    **dict.fromkeys(_COMMANDS["repeat_two_arguments"], 2),
    "\\sideset": 3,
    "\\mathchoice": 4,
}
"""Commands that typeset their arguments several times: nested, the work grows exponentially."""

BRACKETED = _COMMANDS["bracketed"] | {"\\\\"}
"""Commands that may take an argument in square brackets."""

CONTROL_SYMBOLS = frozenset("\\" + c for c in " ,;:!>/-|{}#$%&_'`^\"~=.*\\")
"""Control symbols: spaces, escaped characters, text accents, the line end."""

TEXTUAL = TEXT_FONTS | TEXT_BOXES | {"\\tag"}
"""Commands whose argument is text."""

COUNTED = _COMMANDS["counted"]
"""Commands whose first argument is a number of columns."""

BRACKETS = frozenset("()[]|") | _COMMANDS["brackets"]
DELIMITERS = BRACKETS | frozenset("/.<>") | _COMMANDS["other_delimiters"]
"""Delimiters that `\\genfrac` accepts."""

COLUMNED = frozenset(["array", "subarray", "tabular"])
"""Environments that begin with a column specification."""

POSITIONED = COLUMNED | {"aligned", "alignedat", "gathered", "split"}
"""Environments that may begin with their vertical position, in brackets."""

ENVIRONMENTS = (
    POSITIONED | {"cases"} | {f"{kind}matrix" for kind in ("", "p", "b", "B", "v", "V", "small")}
)

_DISPLAYS = {
    **dict.fromkeys(["align", "flalign"], "aligned"),
    **dict.fromkeys(["alignat", "xalignat", "xxalignat"], "alignedat"),
    **dict.fromkeys(["gather", "multline"], "gathered"),
    "eqnarray": "array",
}
DISPLAYS = _DISPLAYS | {f"{name}*": inner for name, inner in _DISPLAYS.items()}
"""Environments of displays with several lines, and their counterparts inside a formula."""

RENAMED = {"\\matrix": "\\immatrix", "\\pmatrix": "\\impmatrix", "\\cases": "\\imcases"}
"""Plain TeX's arrays, whose names amsmath redefines."""

CHARACTERS = {"\\lt": "<", "\\gt": ">"}
"""MathJax's names of characters."""

DROPPED = {"\\label": 1, "\\nonumber": 0, "\\notag": 0}
"""Commands that draw nothing, and the number of arguments that are dropped with them."""

REFERENCES = frozenset(["\\ref", "\\eqref", "\\pageref", "\\cite"])
"""Commands that draw question marks instead of a number."""

LENGTHS: dict[str, int] = {"\\hspace": 1, "\\vspace": 1, "\\raisebox": 1, "\\rule": 2}
"""Commands with lengths as arguments, which normalised markup spells letter by letter."""

BARE_LENGTHS = _COMMANDS["bare_lengths"]
"""Commands that are followed by a length without braces."""

WORDS = (
    SYMBOLS | PRIMITIVES | ARGUMENTS.keys() | REPEATING.keys() | CONTROL_SYMBOLS | {"\\framebox"}
)
"""All control sequences that a formula may use."""
