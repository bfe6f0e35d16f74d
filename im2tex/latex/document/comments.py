r"""A TeX file without what TeX never sets: comments, verbatim text, and what stands behind the end.

Comments go as TeX reads them: with their line end and the next line's indent, so that a line that
is nothing but a comment is no paragraph's end. Verbatim text goes whole, since a dollar in it is no
formula's; so does `\iffalse … \fi`, the other way to comment out.
"""

from __future__ import annotations

import re

_VERBATIM = r"verbatim|[BL]?Verbatim|SaveVerbatim|alltt|lstlisting|minted|comment|filecontents"
_SHORT = 500  # characters that \verb takes at most

# The comment's sign, and what it may stand in without being one. A set of characters at the front
# is what the search is fast by.
_SIGN = re.compile(
    rf"[%\\](?:(?<=%)"
    rf"|(?<=\\)(?:verb(?:\*|(?![A-Za-z]))(?P<mark>[^\sA-Za-z*])[^\n]{{0,{_SHORT}}}?(?P=mark)"
    rf"|(?:lstinline(?![A-Za-z])(?:\[[^\]\n]{{0,{_SHORT}}}\])?|mintinline[ \t]*\{{\w{{1,30}}\}})"
    rf"(?:\{{[^{{}}\n]{{0,{_SHORT}}}\}}|(?P<sign>[^\sA-Za-z{{\[])[^\n]{{0,{_SHORT}}}?(?P=sign))"
    rf"|(?P<link>url|path|nolinkurl|href)[ \t]*\{{[^{{}}\n]{{0,{4 * _SHORT}}}\}}"
    rf"|begin[ \t]*\{{(?P<verbatim>(?:{_VERBATIM})\*?)\}}"
    rf"|(?P<off>iffalse|if0)(?![A-Za-z@])"
    rf"|(?P<end>(?:endinput|bye)(?![A-Za-z@])|end[ \t]*\{{document\}})))"
)
_COMMENT = re.compile(r"[^\n]*(?:\n[ \t]*)?")
_BRANCH = re.compile(r"\\(?:(?P<if>if(?!thenelse|f\b)[A-Za-z@]*)|(?P<fi>fi)|else)(?![A-Za-z@])")
_WORD_AT_END = re.compile(r"\\[A-Za-z@]+\Z")
_LONGEST_WORD = 64


def strip_comments(source: str) -> str:
    r"""The part of a file that TeX reads as text and math.

    Args:
        source: a file's text.

    Returns:
        The text up to `\end{document}` or `\endinput`, if there is one, without comments,
        verbatim text and `\iffalse` blocks.
    """
    kept: list[str] = []
    at = start = 0
    unclosed: set[str] = set()
    while match := _SIGN.search(source, at):
        at = match.end()
        if _escaped(source, match.start()):
            at = match.start() + 1
            continue
        if match["end"]:
            kept.append(source[start : match.start()])
            return "".join(kept)
        if source[match.start()] == "%" and (rest := _COMMENT.match(source, at)):
            at = rest.end()
        name = match["verbatim"] or match["off"]
        if match["link"] or name in unclosed:
            continue
        if name:
            end = _behind_block(source, at, match["verbatim"])
            if end < 0:
                unclosed.add(name)
                continue
            at = end
        kept.append(source[start : match.start()])
        start = at
        if _WORD_AT_END.search(source, max(0, match.start() - _LONGEST_WORD), match.start()):
            # The comment was what ended the word.
            kept.append(" ")
    kept.append(source[start:])
    return "".join(kept)


def _behind_block(source: str, at: int, name: str | None) -> int:
    r"""The place behind a verbatim environment, or behind `\iffalse`'s `\else` or `\fi`; or -1."""
    if name:
        end = source.find(f"\\end{{{name}}}", at)
        return end if end < 0 else end + len(f"\\end{{{name}}}")
    depth = 0
    for match in _BRANCH.finditer(source, at):
        if match["if"]:
            depth += 1
        elif depth == 0:
            return match.end()
        elif match["fi"]:
            depth -= 1
    return -1


def _escaped(source: str, at: int) -> bool:
    r"""Whether the character there belongs to a backslash before it, as in `\%` but not `\\%`."""
    first = at
    while first > 0 and source[first - 1] == "\\":
        first -= 1
    return (at - first) % 2 == 1
