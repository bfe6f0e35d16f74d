r"""Running text that was taken for a formula, because dollars do not pair where they seem to.

A trap of cutting formulas out of papers (text-only "formulas" are in IM2LATEX-100K, too). Set in
math, words run together and mean nothing: "fromourfittingalthough". Among the inline formulas of
2022-23 arXiv sources these are one in fourteen, among the displays one in a thousand.
"""

from __future__ import annotations

import re

_BRACES = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
# What holds words by right: text, names of operators and of references.
_TEXT = re.compile(
    r"\\(?:text\w*|[mhf]box|math(?:rm|it|sf|tt|bf)|operatorname\*?|(?:inter|short)text|emph|tag|label"
    r"|(?:eq|c|page)?ref|cite\w*|begin|end|underset|overset)\s*" + _BRACES
)
_WORDS = re.compile(r"(?<![\\A-Za-z])(?:[A-Za-z]{3,}[,.;:]?\s+){2}[A-Za-z]{2,}")


def is_running_text(latex: str) -> bool:
    """Whether a formula has three words in a row outside of what is marked as text.

    Args:
        latex: the markup as written; in a normal form the words are gone.
    """
    return _WORDS.search(_TEXT.sub(" ", latex)) is not None
