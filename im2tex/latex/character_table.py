# ruff: noqa: RUF001, RUF002
"""The LaTeX command of each character beyond ASCII.

Characters that Unicode decomposes (x², ½, 𝑥, ｘ, é) are not here: `im2tex.latex.characters`
decomposes them. `im2tex.render` draws every command.
"""

from __future__ import annotations

from pathlib import Path

_names = Path(__file__).with_name("characters.txt").read_text(encoding="utf-8").split()
COMMANDS: dict[str, str] = {
    character: "\\" + name for character, name in zip(_names[::2], _names[1::2], strict=True)
}
"""Commands without arguments, by character."""

PLAIN: dict[str, str] = {
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\u2015\u2043\ufe63", "-"),
    **dict.fromkeys("\u2217\uff0a", "*"),
    **dict.fromkeys("\u2215\u2044\u29f8", "/"),
    **dict.fromkeys("\u01c0\u2758\uffe8", "|"),
    "\u2236": ":",
    "\u00b0": r"^{\circ}",
    # Greek letters that LaTeX draws with Latin ones.
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)),
}
"""Other markup of characters in math."""

PRIMES: dict[str, int] = {
    **dict.fromkeys("\u2032\u2019\u02b9\u02bc\u00b4\uff07", 1),
    **dict.fromkeys("\u2033\u02ba", 2),
    "\u2034": 3,
    "\u2057": 4,
}
"""Numbers of primes, by character."""

TEXT: dict[str, str] = {
    "\u2018": "`",
    "\u2019": "'",
    "\u201c": "``",
    "\u201d": "''",
    **dict.fromkeys("\u2010\u2011", "-"),
    **dict.fromkeys("\u2012\u2013", "--"),
    **dict.fromkeys("\u2014\u2015", "---"),
}
"""Markup of characters in text, where it differs from math."""

_ACCENTS = (
    "300 grave 301 acute 302 hat 303 tilde 304 bar 305 overline 306 breve 307 dot 308 ddot "
    "30a mathring 30c check 332 underline 20d6 overleftarrow 20d7 vec 20db dddot 20dc ddddot "
    "20e1 overleftrightarrow"
)
_words = _ACCENTS.split()

ACCENTS: dict[str, str] = {
    chr(int(code, 16)): "\\" + name for code, name in zip(_words[::2], _words[1::2], strict=True)
}
"""Combining characters that are accents in math."""

TEXT_ACCENTS: dict[str, str] = {"\u0300": "\\`", "\u0301": "\\'", "\u0302": "\\^", "\u0308": '\\"'}
"""Combining characters with an accent of text that draws the same as in math."""

ESCAPED: dict[str, str] = {
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "%": r"\%",
    "#": r"\#",
    "&": r"\&",
    "_": r"\_",
    "~": r"\sim",
    "\\": r"\backslash",
    "^": r"\wedge",
}
"""Markup of ASCII characters that are markup themselves, for their full-width twins."""

DOTLESS: dict[str, str] = {"\u0131": "i", "\u0237": "j"}
