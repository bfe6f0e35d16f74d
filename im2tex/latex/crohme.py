r"""CROHME's canonical token form, from LaTeX.

The form is the one of the captions most papers train on: one token a symbol, braces around every
argument of `^`, `_`, `\frac` and `\sqrt` and nowhere else, the lower script before the upper one,
no delimiter sizes, no fonts, no spacing, one spelling for each symbol (`<`, not `\lt`).
`im2tex.latex.mathml` brings the files' MathML to the same form through the helpers here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from im2tex.latex.tokens import Kind, LatexError, Token, tokenize


class Leaf(NamedTuple):
    """A canonical token and the written symbol it stands for.

    Attributes:
        token: the token.
        id: the `xml:id` of its MathML element, or None (read from LaTeX).
        written: whether a symbol stands on the paper for it; braces, script marks and the
            brackets of a root's index have none.
    """

    token: str
    id: str | None = None
    written: bool = True


Leaves = list[Leaf]

FUNCTIONS = ("\\sin", "\\cos", "\\tan", "\\log", "\\lim")
"""Function names that CROHME writes as one symbol; others (`max`) are letters."""

SYNONYMS = {
    "\\lt": "<",
    "\\gt": ">",
    "\\to": "\\rightarrow",
    "\\longrightarrow": "\\rightarrow",
    "\\le": "\\leq",
    "\\leqslant": "\\leq",
    "\\ge": "\\geq",
    "\\geqslant": "\\geq",
    "\\ne": "\\neq",
    "\\dots": "\\ldots",
    "\\dotsc": "\\ldots",
    "\\dotsb": "\\cdots",
    "\\lbrack": "[",
    "\\rbrack": "]",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\vert": "|",
    "\\lvert": "|",
    "\\rvert": "|",
    "\\mid": "|",
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\cfrac": "\\frac",
    "'": "\\prime",
}
"""One spelling for each symbol."""

_SPACING = r"\, \; \: \! \> \/ \quad \qquad \thinspace \medspace \thickspace \negthinspace"
_STYLES = r"\limits \nolimits \displaystyle \textstyle \scriptstyle \scriptscriptstyle"
_SIZES = (
    r"\big \Big \bigg \Bigg \bigl \Bigl \biggl \Biggl \bigr \Bigr \biggr \Biggr"
    r" \bigm \Bigm \biggm \Biggm"
)
# What a wrapper wraps stays; its braces go like all others.
_WRAPPERS = (
    r"\mbox \hbox \text \textrm \textit \textbf \mathrm \mathit \mathbf \mathsf \mathtt"
    r" \mathnormal \boldsymbol \bm \rm \it \bf \operatorname \mathop \mathrel \mathbin"
    r" \mathord \mathopen \mathclose"
)
DROPPED = frozenset([*f"{_SPACING} {_STYLES} {_SIZES} {_WRAPPERS}".split(), "\\ "])
"""Commands that say nothing of the symbols: spacing, style, size, font; contents stay."""
_ACCENTS = (
    r"\overline \underline \hat \widehat \bar \vec \dot \ddot \tilde \widetilde \overrightarrow"
    r" \overleftarrow \overbrace \underbrace \mathbb \mathcal \mathfrak \mathscr"
)
# Commands that keep their arguments in braces, and how many they take.
_ARGUMENTS = {
    **dict.fromkeys(_ACCENTS.split(), 1),
    **dict.fromkeys(["\\binom", "\\stackrel", "\\overset", "\\underset"], 2),
}
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]+);")


def canonical(source: str) -> list[str]:
    r"""LaTeX in CROHME's canonical tokens.

    Args:
        source: a formula as found in a file's truth, with or without dollars.

    Returns:
        The tokens. Commands that are not known pass through as they are.

    Raises:
        LatexError: where a brace or an argument is missing.
    """
    return [leaf.token for leaf in leaves(source)]


def leaves(source: str) -> Leaves:
    """As `canonical`, with what is known of each token.

    Raises:
        LatexError: as `canonical`.
    """
    # Some truths were escaped twice, and hold `&lt;` in their text.
    return _Parser(_ENTITY.sub(lambda match: html.unescape(match.group()), source)).formula()


def best_effort(source: str) -> list[str]:
    """`canonical` where that succeeds, and otherwise the bare tokens, so that none is lost."""
    try:
        return canonical(source)
    except LatexError:
        printable = "".join(c if c.isprintable() else " " for c in source).rstrip("\\")
        return [SYNONYMS.get(token.text, token.text) for token in _prepared(tokenize(printable))]


def mark(tokens: Sequence[str]) -> Leaves:
    r"""Canonical tokens that came from elsewhere, told apart into written and unwritten ones.

    Args:
        tokens: tokens in canonical form; need not be well-formed.
    """
    marked: Leaves = []
    depth = 0
    indices: list[int] = []  # brace depths at which an index of \sqrt is open
    for i, token in enumerate(tokens):
        written = token not in ("{", "}", "_", "^")
        depth += (token == "{") - (token == "}")
        if token == "[" and i and tokens[i - 1] == "\\sqrt":
            indices.append(depth)
            written = False
        elif token == "]" and indices and indices[-1] == depth:
            indices.pop()
            written = False
        marked.append(Leaf(token, None, written))
    return marked


def group(inside: Leaves) -> Leaves:
    """The leaves in braces."""
    return [_mark("{"), *inside, _mark("}")]


def scripts(base: Leaves, sub: Leaves | None, sup: Leaves | None) -> Leaves:
    """A base with its scripts, the lower one first; an empty script is none."""
    result = list(base)
    if sub:
        result += [_mark("_"), *group(sub)]
    if sup:
        result += [_mark("^"), *group(sup)]
    return result


def fraction(numerator: Leaves, denominator: Leaves, bar: str | None = None) -> Leaves:
    """A fraction; `bar` names the written bar."""
    return [Leaf("\\frac", bar), *group(numerator), *group(denominator)]


def radical(body: Leaves, index: Leaves | None = None, sign: str | None = None) -> Leaves:
    """A root; `sign` names the written radical."""
    result = [Leaf("\\sqrt", sign)]
    if index is not None:
        result += [_mark("["), *index, _mark("]")]
    return result + group(body)


def _mark(token: str) -> Leaf:
    return Leaf(token, None, written=False)


def _kept(token: Token) -> bool:
    return token.text not in DROPPED and token.kind not in (Kind.SHIFT, Kind.TIE)


def _prepared(tokens: list[Token]) -> list[Token]:
    r"""The tokens that say something, each one whole.

    Words such as `\ltN`, which a careless tool made from `&lt;N`, are taken apart. A delimiter
    stays when `\left` goes, but the null delimiter goes too: nobody writes it.
    """
    result: list[Token] = []
    after_left = False
    for token in tokens:
        sided = after_left
        after_left = token.text in ("\\left", "\\right")
        if after_left or not _kept(token) or (sided and token.text == "."):
            continue
        if token.kind is Kind.WORD and token.text[:3] in ("\\lt", "\\gt"):
            middle = token.start + 3
            result.append(token._replace(text=token.text[:3], end=middle))
            result += [
                Token(letter, Kind.CHARACTER, middle + i, middle + i + 1)
                for i, letter in enumerate(token.text[3:])
            ]
        else:
            result.append(token)
    return result


_DEEPEST = 100  # levels; people write a dozen, and Python recurses a few times a level


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = _prepared(tokenize(source))
        self.at = 0
        self.depth = 0

    def formula(self) -> Leaves:
        result = self.row()
        if self.at < len(self.tokens):
            raise self.error("a closing brace without its opening one")
        return result

    def row(self, until: str = "") -> Leaves:
        """Atoms up to a closing brace, the token `until`, or the end."""
        result: Leaves = []
        while (token := self.peek()) is not None and token.kind is not Kind.CLOSE:
            if token.text == until:
                break
            if token.text == "\\over":
                self.at += 1
                result = fraction(result, self.descend(lambda: self.row(until)))
            else:
                result += self.atom_with_scripts()
        return result

    def atom_with_scripts(self) -> Leaves:
        base: Leaves = []
        token = self.peek()
        if token is not None and token.kind not in (Kind.SUBSCRIPT, Kind.SUPERSCRIPT):
            base = self.atom()
        sub: Leaves | None = None
        sup: Leaves | None = None
        primes: Leaves = []
        while (token := self.peek()) is not None:
            if token.kind is Kind.SUBSCRIPT and sub is None:
                self.at += 1
                sub = self.argument("a subscript")
            elif token.kind is Kind.SUPERSCRIPT and sup is None:
                self.at += 1
                sup = self.argument("a superscript")
            elif token.text == "'" and sup is None:
                # TeX: a prime is a superscript that an explicit one joins.
                self.at += 1
                primes.append(Leaf("\\prime"))
            else:
                break
        return scripts(base, sub, primes + (sup or []))

    def argument(self, what: str) -> Leaves:
        token = self.peek()
        if token is None or token.kind in (Kind.CLOSE, Kind.SUBSCRIPT, Kind.SUPERSCRIPT):
            raise self.error(f"{what} is missing")
        return self.atom()

    def atom(self) -> Leaves:
        """One token, group or command with its arguments."""
        return self.descend(self._atom)

    def descend(self, read: Callable[[], Leaves]) -> Leaves:
        """Reads one level deeper, as far as levels go."""
        if self.depth == _DEEPEST:
            raise self.error(f"nesting deeper than {_DEEPEST} levels")
        self.depth += 1
        try:
            return read()
        finally:
            self.depth -= 1

    def _atom(self) -> Leaves:
        token = self.tokens[self.at]
        self.at += 1
        if token.kind is Kind.OPEN:
            return self.closed(token, "}", "an opening brace is never closed")
        text = SYNONYMS.get(token.text, token.text)
        if text == "\\frac":
            numerator = self.argument("the numerator of \\frac")
            return fraction(numerator, self.argument("the denominator of \\frac"))
        if text == "\\sqrt":
            index = None
            follower = self.peek()
            if follower is not None and follower.text == "[":
                self.at += 1
                index = self.closed(token, "]", "the index of \\sqrt is never closed")
            return radical(self.argument("the body of \\sqrt"), index)
        if text in ("\\begin", "\\end"):
            name = "".join(leaf.token for leaf in self.argument(f"the environment of {text}"))
            return [_mark(f"{text}{{{name}}}")]
        result = [Leaf(text)]
        for _ in range(_ARGUMENTS.get(text, 0)):
            result += group(self.argument(f"an argument of {text}"))
        return result

    def closed(self, opening: Token, closing: str, complaint: str) -> Leaves:
        """A row and the token that closes it."""
        result = self.row("" if closing == "}" else closing)
        token = self.peek()
        if token is None or token.text != closing:
            raise LatexError(complaint, opening.start, self.source)
        self.at += 1
        return result

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def error(self, reason: str) -> LatexError:
        token = self.peek()
        return LatexError(reason, len(self.source) if token is None else token.start, self.source)
