r"""`glyph_token`: one name for each drawn shape, whatever LaTeX command prints it.

A glyph's name is the most common token that prints it: `\rightarrow` for `\to`, `|` for `\vert` and
`\mid`, `*` for `\ast`. Letters of alphabets with shapes of their own in handwriting have the
alphabet in their name: `\mathcal{A}`, `\mathscr{A}`, `\mathfrak{a}`, `\mathbb{R}`. Letters of all
other fonts (bold, italic, roman, sans serif, typewriter) have the plain letter's name, since
handwriting does not distinguish them, nor does any data set. Accents have their command's name
(`\hat`), a fraction bar has that of `\frac`.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import ascii_letters, ascii_uppercase

from im2tex.latex.normal_form.commands import FONTS, SWITCHES


def read_names(file: str) -> dict[str, tuple[str, ...]]:
    """The lines `TOKEN : TOKENS` of a text file of this package."""
    text = Path(__file__).with_name(file).read_text(encoding="utf-8")
    pairs = (line.split(" : ") for line in text.splitlines())
    return {token: tuple(others.split()) for token, others in pairs}


SPELLINGS = {
    other: name for name, others in read_names("spellings.txt").items() for other in others
}
"""Other names of a printed shape, and the name of its glyphs."""

# Calligraphic and script letters are capitals; `\mathcal{l}` is a mistake for `l`.
_ALPHABET_LETTERS = {
    "\\mathcal": frozenset(ascii_uppercase),
    "\\mathscr": frozenset(ascii_uppercase),
    "\\mathfrak": frozenset(ascii_letters),
    "\\mathbb": frozenset(f"{ascii_uppercase}1hk"),
}
ALPHABETS = {name: name for name in _ALPHABET_LETTERS} | {
    "\\cal": "\\mathcal",
    "\\frak": "\\mathfrak",
    "\\Bbb": "\\mathbb",
    "\\mathds": "\\mathbb",
    "\\mathbbm": "\\mathbb",
}
"""Fonts whose letters have shapes of their own in handwriting, and their names."""
_STYLED = re.compile(r"(\\[A-Za-z]+)\{(\\?\w+)\}")
SIDED = re.compile(r"\\(?:left|right)(?![A-Za-z])(.+)")
"""A delimiter with its command, such as `\\left(`."""
_ANGLES = {"<": "\\langle", ">": "\\rangle"}  # after \left and \right


def glyph_token(token: str, font: str | None = None) -> str:
    r"""The name of a symbol's glyphs in a bank.

    Args:
        token: a symbol as LaTeX, CROHME or Detexify spell it: `x`, `\to`, `\mathbb{R}`,
            `\left(`.
        font: the font command around it, such as `\mathcal` or `\mathbf`, if any.
    """
    sided = SIDED.fullmatch(token)
    if sided:
        token = _ANGLES.get(sided[1], sided[1])
    styled = _STYLED.fullmatch(token)
    if styled and (styled[1] in ALPHABETS or styled[1] in FONTS | SWITCHES):
        font, token = styled[1], styled[2]
    alphabet = ALPHABETS.get(font or "")
    if alphabet and token in _ALPHABET_LETTERS[alphabet]:
        return f"{alphabet}{{{token}}}"
    return SPELLINGS.get(token, token)
