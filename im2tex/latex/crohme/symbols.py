r"""The treatment of each command in CROHME's canonical form.

A command is dropped with its arguments (spacing, invisible contents, colours), dropped around its
contents (fonts, sizes, boxes), kept with its arguments in braces (accents, arrows, visible fonts),
or a symbol. A formula with any other command in front of braces is refused, since the braces may
be its argument.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from im2tex.latex.label_graph.names import NEGATABLE, OTHERS, SPACES

_TABLES = tomllib.loads(Path(__file__).with_name("symbols.toml").read_text(encoding="utf-8"))


def _parse_commands(*tables: str) -> frozenset[str]:
    return frozenset(command for table in tables for command in _TABLES[table].split())


FUNCTIONS = ("\\sin", "\\cos", "\\tan", "\\log", "\\lim")
"""Function names that CROHME writes as one symbol; others (`max`) are letters."""

SYNONYMS: dict[str, str] = _TABLES["synonyms"]
"""One spelling for each symbol."""

CONTENTS = _parse_commands("contents")
"""Commands that are replaced by their last argument, without braces."""

DROPPED = _parse_commands("spacing", "styles", "sizes", "switches", "contents") | {"\\ "}
"""Commands without effect on the symbols: spacing, style, size, font; contents stay."""

VANISHING = _parse_commands("vanishing")
"""Commands that are dropped with their arguments or lengths."""

RENAMED: dict[str, str] = _TABLES["renamed"]
"""Other names of commands with the same number of arguments."""

POINTERS = _parse_commands("pointers")
"""Commands that refer to something outside the formula."""

NOT_IN_LABELS = _parse_commands("not_in_labels")
"""Commands that a label cannot contain."""

TEXT_ACCENTS = _parse_commands("text_accents")
"""Accents of text, whose argument is the next node."""

PLAIN_SYMBOLS = _parse_commands("plain_symbols") | {*NEGATABLE, *OTHERS, *SPACES, *FUNCTIONS}
"""Commands that take no argument, so that braces behind them are a group of their own."""

MATHML: dict[str, str] = _TABLES["mathml"]
"""Tokens of MathML's names and characters that are neither in `MATHML_NAMES` nor in `COMMANDS`."""

MATHML_NAMES = _parse_commands("mathml_names")
"""MathML's names that are those of LaTeX without the backslash."""
