r"""CROHME's canonical token form, from LaTeX.

The form is that of the captions most papers train on: one token a symbol, braces around every
argument of `^`, `_`, `\frac` and `\sqrt` and nowhere else, the subscript before the superscript,
no delimiter sizes, no fonts, no spacing, one spelling for each symbol (`<`, not `\lt`).
`crohme.symbols` defines the treatment of each command; `crohme.from_tree` prints the form.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from im2tex.latex.crohme.from_tree import crohme_from_tree
from im2tex.latex.crohme.symbols import DROPPED, SYNONYMS
from im2tex.latex.normal_form.parser import parse_formula
from im2tex.latex.tokens import LatexError, token_texts


class CanonicalToken(NamedTuple):
    """A canonical token and its handwritten symbol.

    Attributes:
        token: the token.
        id: the `xml:id` of its MathML element; None for a token from LaTeX.
        written: whether it has a handwritten symbol; braces, script signs and the brackets of a
            root's index have none.
    """

    token: str
    id: str | None = None
    written: bool = True


CanonicalTokens: TypeAlias = list[CanonicalToken]

# A number of more than seven digits names no character.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]{1,31});")
# `\ltN`, which a careless tool made from `&lt;N`; `\ltimes` is a symbol.
_JOINED = re.compile(
    r"\\([lg]t)(?!(?:imes|rapprox|rdot|reqless|reqqless|rless|rsim)(?![A-Za-z]))(?=[A-Za-z])"
)
# `\sb` and `\sp`, other names of `_` and `^`, not behind a backslash of their own.
_SCRIPTS = re.compile(r"(?<!\\)((?:\\\\)*)\\s([bp])(?![A-Za-z])")
_NULL_DELIMITER = re.compile(r"(\\(?:left|right))\s*\.")
_UNWRITTEN = frozenset(["{", "}", "_", "^", "&", "\\\\", "\\substack"])


def canonicalize(source: str, *, strict: bool = False) -> list[str]:
    r"""LaTeX in CROHME's canonical tokens.

    >>> canonicalize(r"\mathrm{x}^2_1 \le \frac12")
    ['x', '_', '{', '1', '}', '^', '{', '2', '}', '\\leq', '\\frac', '{', '1', '}', '{', '2', '}']

    Args:
        source: a formula as in an InkML file's truth, with or without dollars.
        strict: refuses two scripts of a kind on one base, as TeX does; labels of CROHME have them.

    Returns:
        The tokens; canonicalised again, they are the same. Unknown commands without braces behind
        them are kept.

    Raises:
        LatexError: for a formula that cannot be parsed, or represented in this form.
    """
    if (len(source) - len(source.rstrip("\\"))) % 2:
        raise LatexError("a backslash with nothing behind it", len(source) - 1, source)
    return crohme_from_tree(parse_formula(_repair(source), lenient=not strict))


def _repair(source: str) -> str:
    """Undoes what the tools that wrote CROHME's files did to their LaTeX."""
    # Some truths were escaped twice, with `&lt;` in their text.
    source = _ENTITY.sub(lambda match: html.unescape(match.group()), source)
    source = _JOINED.sub(r"\\\1 ", source)
    return _SCRIPTS.sub(lambda match: match[1] + ("_" if match[2] == "b" else "^"), source)


def canonical_tokens(source: str) -> CanonicalTokens:
    """The tokens of `canonicalize`, annotated.

    Raises:
        LatexError: see `canonicalize`.
    """
    return annotate_tokens(canonicalize(source))


def canonicalize_or_tokenize(source: str) -> list[str]:
    """The tokens of `canonicalize`; for markup that it refuses, the tokens as written."""
    try:
        return canonicalize(source)
    except LatexError:
        printable = "".join(c if c.isprintable() else " " for c in _repair(source))
        tokens = token_texts(_NULL_DELIMITER.sub(r"\1 ", printable.rstrip("\\")))
        return [SYNONYMS.get(t, t) for t in tokens if t not in DROPPED and t not in ("$", "~")]


def annotate_tokens(tokens: Sequence[str]) -> CanonicalTokens:
    r"""Marks which canonical tokens have a handwritten symbol.

    Args:
        tokens: tokens in canonical form; need not be well-formed.
    """
    marked: CanonicalTokens = []
    depth = 0
    indices: list[int] = []  # brace depths at which an index of \sqrt is open
    for i, token in enumerate(tokens):
        written = token not in _UNWRITTEN and token[:7] != "\\begin{" and token[:5] != "\\end{"
        depth += (token == "{") - (token == "}")
        if token == "[" and i and tokens[i - 1] == "\\sqrt":
            indices.append(depth)
            written = False
        elif token == "]" and indices and indices[-1] == depth:
            indices.pop()
            written = False
        marked.append(CanonicalToken(token, None, written))
    return marked
