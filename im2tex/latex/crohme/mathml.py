r"""CROHME's MathML truth into the same canonical tokens as its LaTeX truth.

Presentation MathML as CROHME writes it (under whatever encoding it claims): rows, scripts,
fractions and roots over leaves that hold a character, a LaTeX name (`\alpha`), or an entity's name
without its ampersand (`infty`, `rarr`). Each leaf keeps the `xml:id` that the stroke groups of the
same file refer to.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

from im2tex.latex.character_table import COMMANDS
from im2tex.latex.crohme.canonical import (
    CanonicalToken,
    CanonicalTokens,
    fraction,
    radical,
    scripts,
)
from im2tex.latex.crohme.symbols import SYNONYMS

_ID = "{http://www.w3.org/XML/1998/namespace}id"

# Names and characters other than a LaTeX name without its backslash.
_NAMES = {
    "infin": "\\infty",
    "rarr": "\\rightarrow",
    "hellip": "\\ldots",
    "ctdot": "\\cdots",
    "sdot": "\\cdot",
    "exist": "\\exists",
    "isin": "\\in",
    "plusmn": "\\pm",
    "minus": "-",
    "divide": "\\div",
    "{": "\\{",
    "}": "\\}",
    "COMMA": ",",
    "im": "\\lim",  # MfrDB's export lost the l
    "\u2212": "-",
    "\u00d7": "\\times",
    "\u00f7": "\\div",
    "\u00b1": "\\pm",
    "\u22c5": "\\cdot",
    "\u00b7": "\\cdot",
    "\u2026": "\\ldots",
    "\u22ef": "\\cdots",
    "\u221e": "\\infty",
    "\u2192": "\\rightarrow",
    "\u2264": "\\leq",
    "\u2265": "\\geq",
    "\u2260": "\\neq",
    "\u2208": "\\in",
    "\u2200": "\\forall",
    "\u2203": "\\exists",
    "\u2032": "\\prime",
    "\u2211": "\\sum",
    "\u222b": "\\int",
    "\u0394": "\\Delta",
    "\u03b1": "\\alpha",
    "\u03b2": "\\beta",
    "\u03b3": "\\gamma",
    "\u03b8": "\\theta",
    "\u03bb": "\\lambda",
    "\u03bc": "\\mu",
    "\u03c0": "\\pi",
    "\u03c3": "\\sigma",
    "\u03c6": "\\phi",
}
_WORDS = (
    "alpha beta gamma delta epsilon zeta eta theta lambda mu nu xi pi rho sigma tau phi chi psi "
    "omega Gamma Delta Theta Lambda Pi Sigma Phi Psi Omega infty int sum prod times div pm cdot "
    "cdots ldots rightarrow leftarrow in notin forall exists prime leq geq neq le ge ne lt gt to "
    "sin cos tan log lim sqrt frac"
)
_WORD_SET = frozenset(_WORDS.split())


class MathMLError(ValueError):
    """MathML that cannot be read; the message says which element and why."""


def symbol_tokens(name: str) -> list[str]:
    r"""The canonical tokens of a symbol's name.

    Args:
        name: the text of a leaf or of a stroke group: `x`, `\alpha`, `infty`, `12`, `COMMA`.

    Returns:
        One token, or for a number or a word of several characters one a character.
    """
    name = name.strip()
    if name in _NAMES:
        return [_NAMES[name]]
    if name.startswith("\\"):
        return [SYNONYMS.get(name, name)]
    if name in _WORD_SET:
        return [SYNONYMS.get("\\" + name, "\\" + name)]
    return [_character(c) for c in name if not c.isspace()]


def _character(character: str) -> str:
    found = _NAMES.get(character) or COMMANDS.get(character, character)
    return SYNONYMS.get(found, found)


def canonical_from_mathml(math: ET.Element) -> CanonicalTokens:
    """MathML in CROHME's canonical tokens.

    Args:
        math: the `math` element, or any element that holds it; namespaces do not matter.

    Returns:
        The tokens, each with the `xml:id` of its element.

    Raises:
        MathMLError: for an element that is not known or has another number of children, or a
            character that LaTeX has no command for.
    """
    return _row(list(math))


def _row(elements: list[ET.Element]) -> CanonicalTokens:
    return [leaf for element in elements for leaf in _element(element)]


def _element(element: ET.Element) -> CanonicalTokens:
    name = element.tag.rpartition("}")[2].rpartition(":")[2]
    identity = element.get(_ID)
    if name in _TOKENS:
        tokens = symbol_tokens(element.text or "")
        strange = next((token for token in tokens if not token.isascii()), None)
        if strange is not None:
            raise MathMLError(f"the character {strange!r} has no place in a label")
        return [CanonicalToken(token, identity) for token in tokens]
    if name in _EMPTY:
        return []
    if name in _ROWS:
        return _row(list(element))
    if name == "msqrt":
        return radical(_row(list(element)), None, identity)
    if name not in _BUILDERS:
        raise MathMLError(f"<{name}> is not known here")
    needed, build = _BUILDERS[name]
    if len(element) != needed:
        raise MathMLError(f"<{name}> has {len(element)} children, it needs {needed}")
    return build([_element(child) for child in element], identity)


_TOKENS = frozenset(["mi", "mo", "mn", "mtext", "ms"])
_EMPTY = frozenset(["mspace", "none", "annotation", "annotation-xml"])
_ROWS = frozenset(["mrow", "mstyle", "mpadded", "math", "semantics"])
_Builder = Callable[[list[CanonicalTokens], str | None], CanonicalTokens]
# Number of children, and what they make.
_BUILDERS: dict[str, tuple[int, _Builder]] = {
    "mfrac": (2, lambda parts, bar: fraction(parts[0], parts[1], bar)),
    "mroot": (2, lambda parts, sign: radical(parts[0], parts[1], sign)),
    "msub": (2, lambda parts, _: scripts(parts[0], parts[1], None)),
    "munder": (2, lambda parts, _: scripts(parts[0], parts[1], None)),
    "msup": (2, lambda parts, _: scripts(parts[0], None, parts[1])),
    "mover": (2, lambda parts, _: scripts(parts[0], None, parts[1])),
    "msubsup": (3, lambda parts, _: scripts(parts[0], parts[1], parts[2])),
    "munderover": (3, lambda parts, _: scripts(parts[0], parts[1], parts[2])),
}
