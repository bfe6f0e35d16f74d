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
_PUNCTUATION = frozenset(".,;:")
_MAX_DISPLAYS = 5  # around each other, as in `$$\begin{equation}…`


def strip_display(tokens: list[Token]) -> list[Token]:
    r"""Removes dollars, brackets or an `equation` around a whole formula.

    Args:
        tokens: of the formula, spaces kept.
    """
    for _ in range(_MAX_DISPLAYS):
        solid = [i for i, token in enumerate(tokens) if token.kind is not TokenKind.SPACE]
        texts = [tokens[i].text for i in solid]
        if len(texts) > 1 and (texts[0], texts[-1]) in _DELIMITERS:
            tokens = tokens[solid[0] + 1 : solid[-1]]
            continue
        if texts[:2] != ["\\begin", "{"] or "}" not in texts:
            break
        size = texts.index("}") + 1  # tokens of the \begin{…}
        last = len(texts) - (texts[-1] in _PUNCTUATION)  # index behind the \end{…}
        name = "".join(texts[2 : size - 1]).rstrip("*")
        ends = texts[last - size : last] == ["\\end", *texts[1:size]]
        if name not in _DISPLAYS or not ends or last < 2 * size:
            break
        inside = tokens[solid[size - 1] + 1 : solid[last - size]]
        tokens = inside + [tokens[i] for i in solid[last:]]
    return tokens


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
