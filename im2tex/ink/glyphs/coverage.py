r"""Which symbols of a vocabulary a bank can draw, and with whose drawings.

Symbols are counted in the formulas themselves, not in a list of tokens: what `\mathcal { F }`
draws is told by the font and the letter together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from im2tex.ink.glyphs.bank import GlyphBank
from im2tex.ink.glyphs.names import glyph_token
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

_SIDED = re.compile(r"\\(?:left|right)(?![A-Za-z])(.+)")
_DRAWN_COMMANDS = frozenset(
    [
        *ACCENTS,
        *WIDE_ACCENTS,
        *LINES,
        "'",
        "\\frac",
        "\\sqrt",
        "\\overrightarrow",
        "\\overleftarrow",
    ]
)
# Commands without ink that have no role to the parser, and those whose argument is no formula.
_MUTE = r"""
\left \right \middle \kern \hskip \mkern \mskip \vskip \raise \lower \mathop \mathrel \mathbin
\mathord \mathopen \mathclose \mathpunct \mathinner \big \Big \bigg \Bigg \bigl \Bigl \biggl
\Biggl \bigr \Bigr \biggr \Biggr \bigm \Bigm \biggm \Biggm \stackrel \overset \underset \buildrel
\atop \substack \xrightarrow \xleftarrow \smash \phantom \hphantom \vphantom \rlap \llap \protect
\nonumber \notag \hline \cline \noalign \smallskip \medskip \bigskip \renewcommand \arraystretch
\thinspace \enspace \enskip \boldmath \unboldmath \sb \sp \hfill \makebox \fbox \boxed \bmod \pmod
\limits \nolimits \strut \mathstrut \relax \null \emph \lefteqn \ \- \/ \*
"""
_ARGUMENTS = r"\hspace \vspace \hspace* \ref \label \raisebox \tag \begin{array} \begin{tabular}"
_SILENT = frozenset(_ARGUMENTS.split())
_MARKUP = frozenset(_MUTE.split()) | _SILENT
_ENVIRONMENT = ("\\begin", "\\end")


def is_drawn(token: str) -> bool:
    r"""Whether a token leaves ink, and not only what it encloses.

    Fonts, braces, spaces, sizes and environments do not; a fraction has its bar, a root its sign,
    an accent its mark, a delimiter behind `\left` itself. Names of functions (`\sin`) are drawn.
    """
    if token in _DRAWN_COMMANDS:
        return True
    role = ROLES.get(token)
    if role is not None and role is not CommandRole.OPERATOR:
        sided = _SIDED.fullmatch(token)
        return sided is not None and sided[1] != "."
    return not (
        token in _MARKUP or token in SPACES or token.isspace() or token.startswith(_ENVIRONMENT)
    )


def count_symbols(formulas: Iterable[Sequence[str]]) -> Counter[str]:
    """How often each symbol is drawn in formulas of canonical or normalised tokens."""
    counts: Counter[str] = Counter()
    for tokens in formulas:
        fonts: list[str | None] = [None]
        coming: str | None = None
        silent = 0  # braces open inside of an argument that is no formula
        awaited = False
        for token in tokens:
            if token == "{":
                silent += bool(silent) or awaited
                fonts.append(coming or fonts[-1])
            elif token == "}":
                silent -= bool(silent)
                if len(fonts) > 1:
                    fonts.pop()
            elif token in SWITCHES:
                fonts[-1] = token
            elif not silent and is_drawn(token):
                counts[glyph_token(token, coming or fonts[-1])] += 1
            awaited = token in _SILENT
            coming = token if token in FONTS else None
    return counts


@dataclass(frozen=True, slots=True)
class SymbolCoverage:
    """How a bank draws one symbol.

    Attributes:
        token: the symbol's name.
        uses: how often it occurs in the formulas that were counted.
        sources: its samples by source, those of stand-ins included.
        substitutes: whose drawings it takes; empty if it has its own, or none.
    """

    token: str
    uses: int
    sources: dict[str, int]
    substitutes: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`own`, `stand-in`, `composed`, `built-in` or `none`."""
        if self.substitutes:
            return "stand-in"
        if not self.sources:
            return "none"
        people = set(self.sources) - {"composed", "built-in"}
        return "own" if people else "composed" if "composed" in self.sources else "built-in"

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return sum(self.sources.values())


def coverage(bank: GlyphBank, uses: Counter[str]) -> list[SymbolCoverage]:
    """How each symbol is drawn, the most used first."""
    return [
        SymbolCoverage(
            token,
            count,
            bank.sources(token) if token in bank else {},
            bank.substitutes.get(token, ()),
        )
        for token, count in sorted(uses.items(), key=lambda item: (-item[1], item[0]))
    ]
