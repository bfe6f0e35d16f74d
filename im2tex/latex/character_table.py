# ruff: noqa: RUF001, RUF002
"""The LaTeX command of each character beyond ASCII.

Characters that Unicode decomposes (x², ½, 𝑥, ｘ, é) are not here: `im2tex.latex.characters`
decomposes them. `im2tex.render` draws every command.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

_names = Path(__file__).with_name("characters.txt").read_text(encoding="utf-8").split()
_TABLES = tomllib.loads(Path(__file__).with_name("characters.toml").read_text(encoding="utf-8"))


def _by_character(table: str) -> dict[str, str]:
    return {char: markup for markup, chars in _TABLES[table].items() for char in chars}


COMMANDS: dict[str, str] = {
    character: "\\" + name for character, name in zip(_names[::2], _names[1::2], strict=True)
}
"""Commands without arguments, by character."""

# Greek letters that LaTeX draws with Latin ones are Latin letters.
_GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
PLAIN: dict[str, str] = _by_character("plain") | _GREEK
"""Other markup of characters in math."""

PRIMES: dict[str, int] = {sign: int(number) for sign, number in _by_character("primes").items()}
"""Numbers of primes, by character."""

TEXT: dict[str, str] = _by_character("text")
"""Markup of characters in text, where it differs from math."""

ACCENTS: dict[str, str] = _TABLES["accents"]
"""Combining characters that are accents in math."""

TEXT_ACCENTS: dict[str, str] = _TABLES["text_accents"]
"""Combining characters with an accent of text that draws the same as in math."""

ESCAPED: dict[str, str] = _TABLES["escaped"]
"""Markup of ASCII characters that are markup themselves, for their full-width twins."""

DOTLESS: dict[str, str] = {"\u0131": "i", "\u0237": "j"}

ROOTS: dict[str, str] = _TABLES["roots"]
"""Radical signs."""

FONTS: list[list[str]] = _TABLES["fonts"]
"""Parts of Unicode's names of letters, their font commands, and the letters in these fonts."""
