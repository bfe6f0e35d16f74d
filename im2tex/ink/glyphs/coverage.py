r"""Counts the symbols of formulas, and finds the kind of their glyphs in a bank.

Symbols are counted in formulas, not in a list of tokens: the symbol of `\mathcal { F }` depends on
the font and the letter together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from im2tex.ink.glyphs.bank import GlyphBank
from im2tex.ink.glyphs.names import SIDED, glyph_token
from im2tex.latex.label_graph.names import SPACES
from im2tex.latex.normal_form.commands import (
    ACCENTS,
    FONTS,
    LINES,
    ROLES,
    SWITCHES,
    WIDE_ACCENTS,
    CommandRole,
)

_VISIBLE = r"' \frac \sqrt \overrightarrow \overleftarrow"
_VISIBLE_COMMANDS = frozenset([*ACCENTS, *WIDE_ACCENTS, *LINES, *_VISIBLE.split()])
# Commands without ink that have no role in the parser, and those with an argument that is not math.
_WITHOUT_INK = Path(__file__).with_name("without_ink.txt").read_text(encoding="utf-8")
_SPACING = r"\hspace \vspace \hspace* \ref \label \raisebox \tag \begin{array} \begin{tabular}"
_WITH_TEXT_ARGUMENT = frozenset(_SPACING.split())
_MARKUP = frozenset(_WITHOUT_INK.split()) | _WITH_TEXT_ARGUMENT
_ENVIRONMENT = ("\\begin", "\\end")


def is_drawn(token: str) -> bool:
    r"""Whether a token has ink of its own, besides that of its arguments.

    Fonts, braces, spaces, sizes and environments have none; a fraction has its bar, a root its
    sign, an accent its mark, `\left(` its delimiter. Names of functions (`\sin`) are drawn.
    """
    if token in _VISIBLE_COMMANDS:
        return True
    role = ROLES.get(token)
    if role is not None and role is not CommandRole.OPERATOR:
        sided = SIDED.fullmatch(token)
        return sided is not None and sided[1] != "."
    return not (
        token in _MARKUP or token in SPACES or token.isspace() or token.startswith(_ENVIRONMENT)
    )


def count_symbols(formulas: Iterable[Sequence[str]]) -> Counter[str]:
    """Number of occurrences of each symbol in formulas of canonical or normalised tokens."""
    counts: Counter[str] = Counter()
    for tokens in formulas:
        fonts: list[str | None] = [None]  # one per open group
        next_font: str | None = None
        text_depth = 0  # open braces inside an argument that is not math
        text_follows = False
        for token in tokens:
            if token == "{":
                text_depth += bool(text_depth) or text_follows
                fonts.append(next_font or fonts[-1])
            elif token == "}":
                text_depth -= bool(text_depth)
                if len(fonts) > 1:
                    fonts.pop()
            elif token in SWITCHES:
                fonts[-1] = token
            elif not text_depth and is_drawn(token):
                counts[glyph_token(token, next_font or fonts[-1])] += 1
            text_follows = token in _WITH_TEXT_ARGUMENT
            next_font = token if token in FONTS else None
    return counts


def glyph_kind(bank: GlyphBank, token: str) -> str:
    """Kind of a symbol's glyphs: `own`, `substitute`, `composed`, `built-in` or `none`."""
    if token in bank.substitutes:
        return "substitute"
    sources = bank.sources(token) if token in bank else {}
    if sources.keys() - {"composed", "built-in"}:
        return "own"
    return next((kind for kind in ("composed", "built-in") if kind in sources), "none")
