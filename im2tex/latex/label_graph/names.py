# ruff: noqa: RUF001
r"""The character that pandoc 2.17.1.1 (texmath 0.12.4) makes of each LaTeX command.

Two commands have one label if they make one character (`\to` and `\rightarrow`), and a command
that is not here makes the whole formula unreadable. The table holds pandoc's answers for the
commands of LaTeX, amssymb, Detexify's symbols and the arXiv formulas; the rarer half of
unicode-math's names is not in it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from im2tex.latex.normal_form.commands import OPERATORS as OPERATOR_NAMES


def _parse_table(text: str) -> dict[str, str]:
    words = text.split()
    return {"\\" + name: drawn for name, drawn in zip(words[::2], words[1::2], strict=True)}


_SYMBOLS = Path(__file__).with_name("pandoc_symbols.txt").read_text(encoding="utf-8")
_NEGATABLE, _OTHERS = _SYMBOLS.split("\n\n")
TABLES: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("pandoc.toml").read_text(encoding="utf-8")
)

# Names of functions: one symbol, labelled with the name.
FUNCTIONS: dict[str, str] = {command: command[1:] for command in OPERATOR_NAMES}

# Letters and relations: `\not` strikes them through.
NEGATABLE: dict[str, str] = _parse_table(_NEGATABLE)

# All other symbols: a `\not` before one of them makes the formula unreadable.
OTHERS: dict[str, str] = _parse_table(_OTHERS) | {
    **{"\\" + character: character for character in "#%&^_{}$"},
    "\\|": "∥",
}

# Characters that stand for themselves or for another one.
OPERATORS: dict[str, str] = {
    **{character: character for character in "+*@,.;?!/"},
    "-": "−",
    "'": "′",
    "''": "″",
    "'''": "‴",
    "''''": "⁗",
}
RELATION_OPERATORS: dict[str, str] = {character: character for character in (*":<>=", ":=")}

# Relations and their names behind `\not`; other symbols get the combining stroke.
NEGATED: dict[str, str] = dict(
    zip(
        "≈≅=≡≥>≳∈≤<≲∋∥≺≼≃⊑⊒⊂⊆≻≽⊃⊇",
        "≉≆≠≢≱≯≵∉≰≮≴∌∦⊀⋠≄⋢⋣⊄⊈⊁⋡⊅⊉",
        strict=True,
    )
)
STROKE = "\u0338"

SPACES = frozenset({"~", *(f"\\{name}" for name in (*",;:!> ", "quad", "qquad"))})

# Delimiters that may follow `\left`, `\middle`, `\right` and `\big`.
DELIMITERS: dict[str, str] = {
    **{character: character for character in "()[]|"},
    **_parse_table(r"{ { } } | ∥ Vert ‖"),
    **{name: (NEGATABLE | OTHERS)[name] for name in TABLES["words"]["delimiters"].split()},
}

# As an argument without braces a delimiter is another character, or none that pandoc accepts.
AS_ARGUMENT: dict[str, str] = _parse_table(
    "langle \u2329 rangle \u232a llbracket 〚 rrbracket 〛 | ‖ sqrt √"
)
NEVER_ARGUMENT = frozenset({"\\{", "\\lvert", "\\rvert", "\\lVert", "\\rVert"})

# Accents take one argument.
ACCENTS_ABOVE: dict[str, str] = TABLES["accents_above"]
ACCENTS_BELOW: dict[str, str] = TABLES["accents_below"]
# A script of one of these is a limit: above or below, not at the corner.
BRACES = frozenset("\u23de\u23b4\u23df\u23b5")
