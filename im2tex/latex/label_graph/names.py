# ruff: noqa: RUF001
r"""The character that pandoc 2.17.1.1 (texmath 0.12.4) makes of each LaTeX command.

Two commands have one label if they make one character (`\to` and `\rightarrow`), and a command
that is not here makes the whole formula unreadable. The table holds pandoc's answers for the
commands of LaTeX, amssymb, Detexify's symbols and the arXiv formulas; the rarer half of
unicode-math's names is not in it.
"""

from __future__ import annotations

from pathlib import Path

from im2tex.latex.normal_form.commands import OPERATORS as OPERATOR_NAMES


def _table(text: str) -> dict[str, str]:
    words = text.split()
    return {"\\" + name: drawn for name, drawn in zip(words[::2], words[1::2], strict=True)}


_SYMBOLS = Path(__file__).with_name("pandoc_symbols.txt").read_text(encoding="utf-8")
_NEGATABLE, _OTHERS = _SYMBOLS.split("\n\n")

# Names of functions: one symbol, labelled with the name.
FUNCTIONS: dict[str, str] = {command: command[1:] for command in OPERATOR_NAMES}

# Letters and relations: `\not` strikes them through.
NEGATABLE: dict[str, str] = _table(_NEGATABLE)

# All other symbols: a `\not` before one of them makes the formula unreadable.
OTHERS: dict[str, str] = _table(_OTHERS) | {
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

# What a relation turns into behind `\not`; everything else gets the combining stroke.
NEGATED: dict[str, str] = dict(
    zip(
        "≈≅=≡≥>≳∈≤<≲∋∥≺≼≃⊑⊒⊂⊆≻≽⊃⊇",
        "≉≆≠≢≱≯≵∉≰≮≴∌∦⊀⋠≄⋢⋣⊄⊈⊁⋡⊅⊉",
        strict=True,
    )
)
STROKE = "\u0338"

SPACES = frozenset({"~", *(f"\\{name}" for name in (*",;:!> ", "quad", "qquad"))})

# What may follow `\left`, `\middle`, `\right` and `\big`.
DELIMITERS: dict[str, str] = {
    **{character: character for character in "()[]|"},
    **_table(r"{ { } } | ∥ Vert ‖"),
    **{
        "\\" + name: (NEGATABLE | OTHERS)["\\" + name]
        for name in (
            *("langle", "rangle", "lbrace", "rbrace", "lbrack", "rbrack", "lceil", "rceil"),
            *("lfloor", "rfloor", "llbracket", "rrbracket", "lvert", "rvert", "lVert", "rVert"),
            *("vert", "ulcorner", "urcorner"),
        )
    },
}

# As an argument without braces a delimiter is another character, or none that pandoc accepts.
AS_ARGUMENT: dict[str, str] = _table(
    "langle \u2329 rangle \u232a llbracket 〚 rrbracket 〛 | ‖ sqrt √"
)
NEVER_ARGUMENT = frozenset({"\\{", "\\lvert", "\\rvert", "\\lVert", "\\rVert"})


# Accents take one argument. `\underleftarrow` and its mirror image are drawn above, a slip of
# pandoc's. The code points are written as such: combining characters cannot be read in print.
def _accents(text: str) -> dict[str, str]:
    return {command: chr(int(code, 16)) for command, code in _table(text).items()}


ACCENTS_ABOVE: dict[str, str] = _accents("""
grave 300 acute 301 hat 302 widehat 302 tilde 303 widetilde 303 breve 306 dot 307
Dot 307 ddot 308 ring 30A mathring 30A ocirc 30A check 30C candra 310
leftharpoonaccent 20D0 rightharpoonaccent 20D1 overleftarrow 20D6 vec 20D7 Vec 20D7
overrightarrow 20D7 dddot 20DB ddddot 20DC overleftrightarrow 20E1 underleftarrow 20EE
underrightarrow 20EF overline AF overbar AF bar 203E overbrace 23DE overbracket 23B4
overparen 23DC wideparen 23DC
""")
ACCENTS_BELOW: dict[str, str] = _accents("""
underbar 331 underline 5F underbrace 23DF underbracket 23B5 underparen 23DD
""")
# A script of one of these is a limit: above or below, not at the corner.
BRACES = frozenset("\u23de\u23b4\u23df\u23b5")
