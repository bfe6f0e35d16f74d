r"""CROHME's canonical token form, from LaTeX.

The form is the one of the captions most papers train on: one token a symbol, braces around every
argument of `^`, `_`, `\frac` and `\sqrt` and nowhere else, the lower script before the upper one,
no delimiter sizes, no fonts, no spacing, one spelling for each symbol (`<`, not `\lt`).
`im2tex.latex.mathml` brings the files' MathML to the same form through the helpers here.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from im2tex.latex.tokens import Kind, LatexError, Token, tokenize


class Leaf(NamedTuple):
    """A canonical token and the name of the written symbol it stands for.

    Attributes:
        token: the token.
        id: the `xml:id` of its MathML element, or None (braces, or read from LaTeX).
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

_DROPPED: frozenset[str] = frozenset(
    "\\, \\; \\: \\! \\> \\/ \\quad \\qquad \\thinspace \\medspace \\thickspace \\negthinspace "
    "\\limits \\nolimits \\displaystyle \\textstyle \\scriptstyle \\scriptscriptstyle "
    "\\big \\Big \\bigg \\Bigg \\bigl \\Bigl \\biggl \\Biggl \\bigr \\Bigr \\biggr \\Biggr "
    "\\bigm \\Bigm \\biggm \\Biggm "
    # Wrappers: what is inside stays, and its braces go like all others.
    "\\mbox \\hbox \\text \\textrm \\textit \\textbf \\mathrm \\mathit \\mathbf \\mathsf \\mathtt "
    "\\mathnormal \\boldsymbol \\bm \\rm \\it \\bf \\operatorname \\mathop \\mathrel \\mathbin "
    "\\mathord \\mathopen \\mathclose".split()
) | {"\\ "}
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
    return _Parser(_ENTITY.sub(_entity, source)).formula()


def best_effort(source: str) -> list[str]:
    """`canonical` where that succeeds, and otherwise the bare tokens, so that none is lost."""
    try:
        return canonical(source)
    except LatexError:
        kept = "".join(c for c in source if c.isprintable()).rstrip("\\")
        return [
            SYNONYMS.get(token.text, token.text)
            for token in tokenize(kept)
            if token.text not in _DROPPED and token.kind is not Kind.SHIFT
        ]


def _mark(token: str) -> Leaf:
    return Leaf(token, None, written=False)


def group(leaves: Leaves) -> Leaves:
    """The leaves in braces."""
    return [_mark("{"), *leaves, _mark("}")]


def scripts(base: Leaves, sub: Leaves | None, sup: Leaves | None) -> Leaves:
    """A base with its scripts, the lower one first."""
    leaves = list(base)
    if sub is not None:
        leaves += [_mark("_"), *group(sub)]
    if sup is not None:
        leaves += [_mark("^"), *group(sup)]
    return leaves


def fraction(numerator: Leaves, denominator: Leaves, bar: str | None = None) -> Leaves:
    """A fraction; `bar` names the written bar."""
    return [Leaf("\\frac", bar), *group(numerator), *group(denominator)]


def radical(body: Leaves, index: Leaves | None = None, sign: str | None = None) -> Leaves:
    """A root; `sign` names the written radical."""
    leaves = [Leaf("\\sqrt", sign)]
    if index is not None:
        leaves += [_mark("["), *index, _mark("]")]
    return leaves + group(body)


def _entity(match: re.Match[str]) -> str:
    """A character reference that was escaped twice: `&lt;` in the text itself."""
    return html.unescape(match.group())


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = [t for t in self._split(tokenize(source)) if self._kept(t)]
        self.at = 0

    def formula(self) -> Leaves:
        leaves = self.row(())
        if self.at < len(self.tokens):
            raise self.error("a closing brace without its opening one")
        return leaves

    def row(self, until: tuple[str, ...]) -> Leaves:
        """Atoms up to a closing brace, one of `until`, or the end."""
        leaves: Leaves = []
        while (token := self.peek()) is not None and token.kind is not Kind.CLOSE:
            if token.text in until:
                break
            if token.text in ("\\over", "\\atop"):
                self.at += 1
                leaves = fraction(leaves, self.row(until))
            else:
                leaves += self.atom_with_scripts()
        return leaves

    def atom_with_scripts(self) -> Leaves:
        base: Leaves = []
        token = self.peek()
        if token is not None and token.kind not in (Kind.SUBSCRIPT, Kind.SUPERSCRIPT):
            base = self.atom()
        sub: Leaves | None = None
        sup: Leaves | None = None
        while (token := self.peek()) is not None:
            if token.kind is Kind.SUBSCRIPT and sub is None:
                self.at += 1
                sub = self.argument("a subscript")
            elif token.kind is Kind.SUPERSCRIPT and sup is None:
                self.at += 1
                sup = self.argument("a superscript")
            else:
                break
        return scripts(base, sub, sup)

    def argument(self, what: str) -> Leaves:
        token = self.peek()
        if token is None or token.kind is Kind.CLOSE:
            raise self.error(f"{what} is missing")
        return self.atom()

    def atom(self) -> Leaves:
        """One token, group or command with its arguments."""
        token = self.tokens[self.at]
        self.at += 1
        if token.kind is Kind.OPEN:
            leaves = self.row(())
            if self.peek() is None:
                raise LatexError("an opening brace is never closed", token.start, self.source)
            self.at += 1
            return leaves
        text = SYNONYMS.get(token.text, token.text)
        if text == "\\frac":
            numerator = self.argument("the numerator of \\frac")
            return fraction(numerator, self.argument("the denominator of \\frac"))
        if text == "\\sqrt":
            index = None
            follower = self.peek()
            if follower is not None and follower.text == "[":
                self.at += 1
                index = self.row(("]",))
                if self.peek() is None:
                    raise LatexError(
                        "the index of \\sqrt is never closed", token.start, self.source
                    )
                self.at += 1
            return radical(self.argument("the body of \\sqrt"), index)
        if text in ("\\left", "\\right"):
            # A delimiter is written; the null delimiter is not.
            follower = self.peek()
            if follower is not None and follower.text == ".":
                self.at += 1
            return []
        return [Leaf(text)]

    def peek(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def error(self, reason: str) -> LatexError:
        token = self.peek()
        return LatexError(reason, len(self.source) if token is None else token.start, self.source)

    def _kept(self, token: Token) -> bool:
        return token.text not in _DROPPED and token.kind not in (Kind.SHIFT, Kind.TIE)

    def _split(self, tokens: list[Token]) -> list[Token]:
        r"""Takes apart `\ltN` (made from `&lt;N` by a careless tool) and joins `l i m`."""
        result: list[Token] = []
        for token in tokens:
            if token.kind is Kind.WORD and token.text[:3] in ("\\lt", "\\gt"):
                result.append(token._replace(text=token.text[:3], end=token.start + 3))
                result += tokenize_tail(token)
            else:
                result.append(token)
        return result


def tokenize_tail(token: Token) -> list[Token]:
    """The letters behind the first three characters of a control word, as tokens."""
    return [
        Token(letter, Kind.CHARACTER, token.start + i, token.start + i + 1)
        for i, letter in enumerate(token.text[3:], 3)
    ]
