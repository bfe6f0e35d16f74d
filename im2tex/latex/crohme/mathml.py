r"""CROHME's MathML truth into the same canonical tokens as its LaTeX truth.

Presentation MathML as CROHME writes it: rows, scripts, fractions and roots over leaves with a
character, a LaTeX name (`\alpha`), or an entity's name without its ampersand (`infty`, `rarr`).
Each leaf keeps the `xml:id` that the stroke groups of the same file refer to.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence

from im2tex.latex.character_table import COMMANDS
from im2tex.latex.crohme.canonical import CanonicalToken, CanonicalTokens
from im2tex.latex.crohme.symbols import MATHML, MATHML_NAMES, SYNONYMS

_ID = "{http://www.w3.org/XML/1998/namespace}id"


class MathMLError(ValueError):
    """MathML that cannot be converted; the message names the element and the reason."""


def symbol_tokens(name: str) -> list[str]:
    r"""The canonical tokens of a symbol's name.

    Args:
        name: the text of a leaf or of a stroke group: `x`, `\alpha`, `infty`, `12`, `COMMA`.

    Returns:
        One token; for a number or another word, a token for each character.
    """
    name = name.strip()
    if name in MATHML:
        return [MATHML[name]]
    if name.startswith("\\"):
        return [SYNONYMS.get(name, name)]
    if name in MATHML_NAMES:
        return [SYNONYMS.get("\\" + name, "\\" + name)]
    return [_character_token(c) for c in name if not c.isspace()]


def _character_token(character: str) -> str:
    found = MATHML.get(character) or COMMANDS.get(character, character)
    return SYNONYMS.get(found, found)


def canonical_from_mathml(math: ET.Element) -> CanonicalTokens:
    """MathML in CROHME's canonical tokens.

    Args:
        math: the `math` element, or an element around it, in any namespace.

    Returns:
        The tokens, each with the `xml:id` of its element.

    Raises:
        MathMLError: for an element that is not known or has another number of children, or a
            character that LaTeX has no command for.
    """
    return _read_row(list(math))


def _read_row(elements: Iterable[ET.Element]) -> CanonicalTokens:
    return [token for element in elements for token in _read_element(element)]


def _read_element(element: ET.Element) -> CanonicalTokens:
    name = element.tag.rpartition("}")[2].rpartition(":")[2]
    identity = element.get(_ID)
    if name in _LEAVES:
        tokens = symbol_tokens(element.text or "")
        strange = next((token for token in tokens if not token.isascii()), None)
        if strange is not None:
            raise MathMLError(f"no LaTeX command for the character {strange!r}")
        return [CanonicalToken(token, identity) for token in tokens]
    if name in _EMPTY:
        return []
    if name in _ROWS:
        return _read_row(element)
    if name == "msqrt":
        return _fill_template("\\sqrt { 0 }", [_read_row(element)], identity)
    if name not in _TEMPLATES:
        raise MathMLError(f"<{name}> is not supported")
    template = _TEMPLATES[name]
    needed = sum(word.isdigit() for word in template.split())
    if len(element) != needed:
        raise MathMLError(f"<{name}> must have {needed} children, got {len(element)}")
    return _fill_template(template, [_read_element(child) for child in element], identity)


def _fill_template(
    template: str, parts: Sequence[CanonicalTokens], identity: str | None
) -> CanonicalTokens:
    """A template's tokens, with parts in place of their numbers; an empty script is none."""
    tokens: CanonicalTokens = []
    for group in template.split("  "):
        words = group.split()
        if words[0] in ("_", "^") and not parts[int(words[2])]:
            continue
        for word in words:
            if word.isdigit():
                tokens += parts[int(word)]
            else:
                written = word[0] == "\\"
                tokens.append(CanonicalToken(word, identity if written else None, written))
    return tokens


_LEAVES = frozenset(["mi", "mo", "mn", "mtext", "ms"])
_EMPTY = frozenset(["mspace", "none", "annotation", "annotation-xml"])
_ROWS = frozenset(["mrow", "mstyle", "mpadded", "math", "semantics"])
_TEMPLATES = {
    "mfrac": "\\frac { 0 } { 1 }",
    "mroot": "\\sqrt [ 1 ] { 0 }",
    **dict.fromkeys(["msub", "munder"], "0  _ { 1 }"),
    **dict.fromkeys(["msup", "mover"], "0  ^ { 1 }"),
    **dict.fromkeys(["msubsup", "munderover"], "0  _ { 1 }  ^ { 2 }"),
}
