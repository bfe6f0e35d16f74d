r"""How formulas are written: with a display around them, or with their text letter by letter.

Formulas come as people write them and as normal forms have them: `\text{max}` is
`\text { m a x }` there, with a `~` for each space of the text.
"""

from __future__ import annotations

from im2tex.latex.tokens import Token, TokenKind

LETTERS = str.maketrans(
    {
        "ß": "\\ss{}",
        "æ": "\\ae{}",
        "Æ": "\\AE{}",
        "œ": "\\oe{}",
        "Œ": "\\OE{}",
        "ø": "\\o{}",
        "Ø": "\\O{}",
        "ł": "\\l{}",
        "Ł": "\\L{}",
        "ç": "\\c{c}",
        "Ç": "\\c{C}",
        "ş": "\\c{s}",
        "Ş": "\\c{S}",
        "ő": "\\H{o}",
        "Ő": "\\H{O}",
        "ű": "\\H{u}",
        "Ű": "\\H{U}",
    }
)
"""Letters that text is drawn with and math is not, for which normal forms have no spelling."""

_DELIMITERS = {("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")}
_DISPLAYS = frozenset(["equation", "displaymath", "math", "dmath", "subequations"])
_ROUNDS = 5  # `$$\begin{equation}…`


def without_display(tokens: list[Token]) -> list[Token]:
    r"""A formula's tokens without the dollars, brackets or `equation` around all of it.

    Args:
        tokens: those of the formula, spaces kept.
    """
    for _ in range(_ROUNDS):
        inked = [i for i, token in enumerate(tokens) if token.kind is not TokenKind.SPACE]
        if len(inked) < 2:
            break
        first, last = inked[0], inked[-1]
        if (tokens[first].text, tokens[last].text) in _DELIMITERS:
            tokens = tokens[first + 1 : last]
            continue
        mark = tokens[last].text in (".", ",", ";", ":")
        closed = inked[-2] if mark else last
        begin, end = _group(tokens, first, "\\begin"), _group_before(tokens, closed, "\\end")
        if begin is None or end is None or begin[0] != end[0]:
            break
        if begin[0].rstrip("*") not in _DISPLAYS or begin[1] > end[1]:
            break
        tokens = tokens[begin[1] : end[1]] + (tokens[last : last + 1] if mark else [])
    return tokens


def _group(tokens: list[Token], at: int, command: str) -> tuple[str, int] | None:
    r"""The name behind a `\begin`, and where what follows it stands."""
    name = ""
    for index in range(at + 1, min(len(tokens), at + 40)):
        text = tokens[index].text
        if text == "}":
            known = tokens[at].text == command and name[:1] == "{"
            return (name[1:], index + 1) if known else None
        name += text.strip()
    return None


def _group_before(tokens: list[Token], at: int, command: str) -> tuple[str, int] | None:
    r"""The name behind the `\end` that ends at a token, and where the `\end` stands."""
    for index in range(at, max(-1, at - 40), -1):
        if tokens[index].text == command:
            found = _group(tokens, index, command)
            return (found[0], index) if found and found[1] == at + 1 else None
    return None


def text_in_tokens(tokens: list[Token], at: int) -> int:
    r"""Where text that is spelt token by token ends; 0 if it is not spelt so.

    It is where white space stands around each of its tokens and in front of its brace, as a
    normal form has it: there spaces part tokens, and a `~` is the space of the text.

    Args:
        tokens: those of the formula, spaces kept.
        at: index of the token behind the command, which takes the text.
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
