r"""The plain token stream of the IM2LATEX paper: the formula as written, cut up.

Nothing is reordered, braced or respelled. Labels, comments and dollars are gone, `\left(` and
`\begin{array}` are one token, a space inside text is a `~`. Read again, the stream is the same
formula: its normal form is that of the source, but for what spacing alone had told apart.
"""

from __future__ import annotations

from im2tex.latex.normal_form.commands import ROMAN_ARGUMENT, ROMAN_BRACE
from im2tex.latex.normal_form.tree import ParsedFormula


def token_stream(formula: ParsedFormula) -> list[str]:
    """A formula's tokens.

    Args:
        formula: the formula as read, dollars inside text kept.

    Returns:
        The tokens in the order written.
    """
    tokens = []
    for token in formula.tokens:
        if token in (ROMAN_BRACE, ROMAN_ARGUMENT):
            tokens += [token[:-1], "{"]
        else:
            tokens.append(token.replace(" ", ""))  # \begin{ array }
    return tokens
