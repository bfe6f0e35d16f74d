r"""A formula's source into the tokens of the parser and of the token stream.

The lexer also removes what is not part of a formula (comments, labels, equation numbers, dollars
and display environments), spells characters in ASCII, and joins `\left(` and `\begin{array}` into
one token each. It is several times as fast as `im2tex.latex.tokens`, and gives no positions and
kinds; spaces are kept inside text only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from im2tex.latex.characters import to_ascii
from im2tex.latex.normal_form.commands import ARGUMENTS, OPENING, TEXT
from im2tex.latex.normal_form.text_mode import strip_display
from im2tex.latex.tokens import END, LatexError, TokenCursor

# Comments and labels; `\>` and `\~` are removed as in the paper's script. A backslash is matched
# with the next character, so that `\%` begins no comment.
_NOISE = re.compile(r"\\label\s*\{[^{}]*\}|\\[>~]|(\\.)|%[^\n]*", re.DOTALL)
_NOISE_SIGN = re.compile(r"%|\\label|\\[>~]")
# TeX's own skip, where it has a plain length, is LaTeX's.
_SKIP = re.compile(
    r"\\hskip\s*+((?:[-+]\s*+)?(?:\d++(?:\.\d*+)?|\.\d++)\s*+(?:true)?(?:cm|in|pt|mm|em))"
    r"(?!\s*(?:plus|minus))"
)
_GAP = re.compile(r"(\\(?:left|right|begin|end)(?![A-Za-z]))\s+(?![A-Za-z])")
_TOKEN = (
    r"\\(?:left|right)(?![A-Za-z])(?:\\(?:[A-Za-z]+|[^A-Za-z\s])|[^\\\s])"
    r"|\\(?:begin|end)\{[^{}]*\}"
    # As `normal_form` prints it; elsewhere the star is a token of its own in the reference.
    r"|\\operatorname\*(?= \{ )"
    r"|\\rm\{"
    r"|\\(?:[A-Za-z]+|.?)"
    # The reference joins dashes as in text, but a script takes only the first.
    r"|(?<![_^])---?"
    r"|\S"
)
_MATH = re.compile(_TOKEN)
_WITH_SPACES = re.compile(_TOKEN + r"| +")
_TEXT = re.compile(r"\\(?:text|mbox|hbox)(?![A-Za-z])")
_WIDTH = re.compile(  # `\hbox to 3cm{x}`: the width of a box
    r"(\\hbox)\s*+(?:to|spread)\s*+(?:[-+]\s*+)?(?:[\d.,]++\s*+(?:true\s*+)?"
    r"(?:[a-z]{2}|\\[A-Za-z]++)|\\[A-Za-z]++)\s*+(?=\{)"
)
_STAR = re.compile(r"(?<=\\operatorname)(?=\*)")
# A font switch behind a brace, in front of a brace, or both.
_ROMAN = re.compile(r"(\{ ?)?\\rm(?![A-Za-z])(\{)?")
_MARK = "\x1f"  # white space to the patterns, but no space
_ROMAN_TWICE = re.compile(r"\{ ?\\rm\{")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


_SPELLINGS = {"\\lt": "<", "\\gt": ">"} | {
    f"\\{side}\\{name}": f"\\{side}{sign}"
    for side in ("left", "right")
    for name, sign in (("lt", "<"), ("gt", ">"))
}
# Commands about equation numbers, and whether they have an argument.
_NUMBERS = {"\\tag": True, "\\label": True, "\\nonumber": False, "\\notag": False}


class LexedFormula(NamedTuple):
    """The tokens of a formula.

    Attributes:
        tokens: the tokens. A control space is a lone backslash, a space in text a `~`.
        printed: whether the source is a token stream, its tokens one space apart: ambiguous markup
            then has the meaning that `normal_form` prints it for.
    """

    tokens: list[str]
    printed: bool


def lex(source: str, *, dollars: bool = False) -> LexedFormula:
    """Splits a formula into tokens.

    Args:
        source: the markup, with or without dollars and display environments.
        dollars: keeps dollars inside text; otherwise each is a space, as in the paper's script.

    Returns:
        Its tokens, in ASCII.

    Raises:
        LatexError: for a control character, a character that LaTeX cannot draw, or an equation
            number without end.
    """
    source = _prepare(source, dollars=dollars)
    tokens = _tidy_tokens(_MATH.findall(source))
    printed = " ".join(tokens) == source.strip()
    if not printed:
        if _TEXT.search(source):
            tokens = _tidy_tokens(_mark_text_spaces(_WITH_SPACES.findall(source), dollars=dollars))
        if "\\operatorname* { " in source:
            tokens = [part for token in tokens for part in _STAR.split(token) if part]
    elif not dollars and "$" in tokens:
        tokens = _mark_text_spaces(tokens, dollars=False, ties=True)
    tokens = [_SPELLINGS.get(token, token) for token in tokens]
    if not _NUMBERS.keys().isdisjoint(tokens):
        tokens = _drop_numbers(tokens, source)
    return LexedFormula(tokens, printed)


def _prepare(source: str, *, dollars: bool) -> str:
    """The formula alone, in ASCII, in the spelling that the token patterns expect."""
    if control := _CONTROL.search(source):
        raise LatexError(f"the control character {control[0]!r}", control.start(), source)
    source = source.removeprefix("%")  # of a formula that was commented out as a whole
    if _NOISE_SIGN.search(source):
        source = _NOISE.sub(_silence, source)
    if not source.isascii():
        source = to_ascii(source)
    source = re.sub(r"\s", " ", source)
    source = strip_display(source, dollars=dollars)
    source = _SKIP.sub(r"\\hspace{\1}", source)
    source = _WIDTH.sub(r"\1", source)
    if "\\rm" in source and _ROMAN_TWICE.search(source):
        source = _settle_romans(source)
    return _GAP.sub(r"\1", source)


def _settle_romans(source: str) -> str:
    r"""Decides for each `{\rm{x}}` whether it becomes `\mathrm{{x}}` or `{\mathrm{x}}`.

    Both draw the same. The paper's script replaces `{\rm`, `{ \rm` and `\rm{` by `\mathrm{` in
    turn, the first remaining match of each, so that the result depends on the other ones around
    it. An invisible mark behind the command stands for the first case.
    """
    sites = list(_ROMAN.finditer(source))
    waiting = {
        "{": [i for i, site in enumerate(sites) if site[1] == "{"],
        "{ ": [i for i, site in enumerate(sites) if site[1] == "{ "],
        "": [i for i, site in enumerate(sites) if site[2]],
    }
    settled: dict[int, bool] = {}
    at = dict.fromkeys(waiting, 0)
    while len(settled) < len(sites):
        before = len(settled)
        for form, queue in waiting.items():
            while at[form] < len(queue) and queue[at[form]] in settled:
                at[form] += 1
            if at[form] < len(queue):
                settled[queue[at[form]]] = form != ""
        if len(settled) == before:
            break
    pieces = []
    end = 0
    for i, site in enumerate(sites):
        if site[2] and settled[i]:
            pieces += [source[end : site.end() - 1], _MARK]
            end = site.end() - 1
    return "".join([*pieces, source[end:]])


def _silence(match: re.Match[str]) -> str:
    return match[1] or (" " if match[0] in ("\\>", "\\~") else "")


def _tidy_tokens(tokens: list[str]) -> list[str]:
    """Control spaces without their space."""
    return ["\\" if token == "\\ " else token for token in tokens]


def _mark_text_spaces(pieces: list[str], *, dollars: bool, ties: bool = False) -> list[str]:
    """The tokens with a tie for each space inside text, and without other spaces.

    Args:
        pieces: the tokens and the spaces between them.
        dollars: keeps dollars; otherwise a dollar inside text is a space.
        ties: whether the pieces are a token stream, whose ties stand for spaces.
    """
    tokens: list[str] = []
    # For each open brace whether the markup around it is text; None for an open dollar.
    stack: list[bool | None] = []
    text = announced = spaced = False
    for piece in pieces:
        if piece[0] == " " or (piece == "$" and text and not dollars):
            if text and not spaced and not _swallows_spaces(tokens[-1], dollars):
                tokens.append("~")
                spaced = True
            continue
        if ties and piece == "~" and spaced:
            continue
        spaced = ties and piece == "~"
        tokens.append(piece)
        if piece in OPENING:
            stack.append(text)
            text = text or (announced and piece == "{")
        elif piece == "}":
            while stack and stack[-1] is None:
                stack.pop()
            text = bool(stack and stack.pop())
        elif piece == "$" and (text or (stack and stack[-1] is None)):
            if text:
                stack.append(None)
            else:
                stack.pop()
            text = not text
        announced = piece in TEXT
    return tokens


def _swallows_spaces(token: str, dollars: bool) -> bool:
    r"""Whether TeX skips a space behind a token, as behind a control word.

    The paper's script has a tie there, except behind a word that takes an argument.
    """
    return token in ARGUMENTS or (dollars and token[0] == "\\" and token[-1].isalpha())


class _Tokens(TokenCursor):
    opening = OPENING


def _drop_numbers(tokens: list[str], source: str) -> list[str]:
    kept: list[str] = []
    cursor = _Tokens(tokens)
    while (token := cursor.take()) != END:
        if token not in _NUMBERS:
            kept.append(token)
        elif _NUMBERS[token]:
            cursor.take_if("*")
            start, cursor.at = cursor.at, cursor.group_end()
            group = tokens[start : cursor.at]
            if not group or (group[0] in OPENING and group[-1] != "}"):
                raise LatexError(f"the argument of {token} is missing", source.find(token), source)
    return kept
