r"""Removes comments, verbatim text and the text behind the end from a TeX file.

A comment is removed with its line end and the next line's indent, as TeX does, so that a line with
only a comment does not end a paragraph. Verbatim text is removed because a dollar in it begins no
formula. `\iffalse … \fi` is a comment as well.
"""

from __future__ import annotations

import re

_VERBATIM = r"verbatim|[BL]?Verbatim|SaveVerbatim|alltt|lstlisting|minted|comment|filecontents"
_SHORT = 500  # maximum length of \verb, in characters

# The sign of a comment, and constructs in which it does not begin a comment. A set of characters at
# the front makes the search fast.
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
    r"""Returns the part of a file that TeX typesets.

    Args:
        source: a file's text.

    Returns:
        The text up to `\end{document}` or `\endinput`, if it has either, without comments,
        verbatim text and `\iffalse` blocks.
    """
    kept: list[str] = []
    at = start = 0
    unclosed: set[str] = set()
    while match := _SIGN.search(source, at):
        at = match.end()
        if _is_escaped(source, match.start()):
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
            end = _find_block_end(source, at, match["verbatim"])
            if end < 0:
                unclosed.add(name)
                continue
            at = end
        kept.append(source[start : match.start()])
        start = at
        if _WORD_AT_END.search(source, max(0, match.start() - _LONGEST_WORD), match.start()):
            # The comment had ended the word.
            kept.append(" ")
    kept.append(source[start:])
    return "".join(kept)


def _find_block_end(source: str, at: int, name: str | None) -> int:
    r"""Returns the end of a verbatim environment, or of `\iffalse` … `\else` or `\fi`; or -1."""
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


def _is_escaped(source: str, at: int) -> bool:
    r"""Returns whether a character belongs to a backslash before it, as in `\%` but not `\\%`."""
    first = at
    while first > 0 and source[first - 1] == "\\":
        first -= 1
    return (at - first) % 2 == 1
