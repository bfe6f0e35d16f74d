r"""Spellings of formulas: a display around the whole formula, and text letter by letter.

Normal forms write `\text{max}` as `\text { m a x }`, with a `~` for each space of the text.
"""

from __future__ import annotations

from collections.abc import Sequence

from im2tex.latex.tokens import Token, TokenKind

TEXT_LETTERS = str.maketrans(
    {
        **{"ß": "\\ss{}", "ø": "\\o{}", "Ø": "\\O{}", "ł": "\\l{}", "Ł": "\\L{}"},
        **{"æ": "\\ae{}", "Æ": "\\AE{}", "œ": "\\oe{}", "Œ": "\\OE{}"},
        **{"ç": "\\c{c}", "Ç": "\\c{C}", "ş": "\\c{s}", "Ş": "\\c{S}"},
        **{"ő": "\\H{o}", "Ő": "\\H{O}", "ű": "\\H{u}", "Ű": "\\H{U}"},
    }
)
"""Letters that text mode draws and math mode does not, which normal forms do not respell."""

_DELIMITERS = {("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")}
_DISPLAYS = frozenset(["equation", "displaymath", "math", "dmath", "subequations"])
_ROUNDS = 5  # `$$\begin{equation}…`


def strip_display(tokens: list[Token]) -> list[Token]:
    r"""Removes dollars, brackets or an `equation` around a whole formula.

    Args:
        tokens: of the formula, spaces kept.
    """
    for _ in range(_ROUNDS):
        solid = [i for i, token in enumerate(tokens) if token.kind is not TokenKind.SPACE]
        if len(solid) < 2:
            break
        first, last = solid[0], solid[-1]
        if (tokens[first].text, tokens[last].text) in _DELIMITERS:
            tokens = tokens[first + 1 : last]
            continue
        punctuated = tokens[last].text in (".", ",", ";", ":")
        closed = solid[-2] if punctuated else last
        begin, end = _group(tokens, first, "\\begin"), _group_before(tokens, closed, "\\end")
        if begin is None or end is None or begin[0] != end[0]:
            break
        if begin[0].rstrip("*") not in _DISPLAYS or begin[1] > end[1]:
            break
        tokens = tokens[begin[1] : end[1]] + (tokens[last : last + 1] if punctuated else [])
    return tokens


def _group(tokens: list[Token], at: int, command: str) -> tuple[str, int] | None:
    r"""Returns the name in the braces behind a command, and the index behind them."""
    name = ""
    for index in range(at + 1, min(len(tokens), at + 40)):
        text = tokens[index].text
        if text == "}":
            known = tokens[at].text == command and name[:1] == "{"
            return (name[1:], index + 1) if known else None
        name += text.strip()
    return None


def _group_before(tokens: list[Token], at: int, command: str) -> tuple[str, int] | None:
    r"""Returns the name and the index of the `\end` whose braces close at an index."""
    for index in range(at, max(-1, at - 40), -1):
        if tokens[index].text == command:
            found = _group(tokens, index, command)
            return (found[0], index) if found and found[1] == at + 1 else None
    return None


def spelled_text_end(tokens: Sequence[Token], at: int) -> int:
    r"""Returns the index at which text that is spelled token by token ends; 0 for other text.

    Such text has spaces around each of its tokens and in front of its brace, as in a normal form:
    there spaces separate tokens, and a `~` is a space of the text.

    Args:
        tokens: of the formula, spaces kept.
        at: index of the token behind the command that takes the text.
    """
    while at < len(tokens) and tokens[at].kind is TokenKind.SPACE:
        at += 1
    if at == 0 or at >= len(tokens) or tokens[at].kind is not TokenKind.OPEN:
        return 0
    depth, before = 0, next(t for t in reversed(tokens[:at]) if t.kind is not TokenKind.SPACE)
    for index in range(at, len(tokens)):
        token = tokens[index]
        if token.kind is TokenKind.SPACE:
            continue
        if before.end == token.start:
            return 0
        before = token
        depth += (token.kind is TokenKind.OPEN) - (token.kind is TokenKind.CLOSE)
        if not depth:
            return index
    return 0
