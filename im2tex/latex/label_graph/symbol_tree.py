r"""LaTeX into the tree of symbols that the CROHME scoring tools see.

The tools (`tex2symlg` of the CoMER repository) read a formula with pandoc 2.17.1.1, that is texmath
0.12.4. What counts as readable, and which symbol a script belongs to, is therefore what that reader
makes of the tokens joined by single spaces:

* A formula is read whole or not at all: an unmatched brace, a script without content, a command
  with too few arguments or an unknown one, a bare `&`, `\\`, `#`, `"` or `$`. A `%` hides the rest.
* `x _ 1 ^ 2` and `x ^ 2 _ 1` are one base with two scripts. Otherwise a script takes all that
  follows it with its own scripts: `x ^ 2 ^ 3` is `x ^ { 2 ^ 3 }`. A script with nothing before it
  gets an empty base.
* `( )`, `[ ]` and `| |` are groups where the closing one is found among the symbols that follow, on
  the same level; otherwise each is a symbol of its own. `\left` may lack its `\right`.
* A number is a run of digits without spaces, with a decimal point if digits follow: `12`, `1.5`,
  `.5`. Primes without spaces are one symbol, `''`.
* An argument without braces is one character or one symbol, and never a construct: in
  `\sqrt \frac 1 2` the root is a bare sign before a fraction, and so it is at the end of a group.
* `\limits` puts scripts above and below, and so does a brace; without it `\sum` and `\lim` have
  theirs at the corner. `\displaystyle` and its kin may stand once before an expression.
* A matrix column specification must be without spaces: `{cc}`, not `{ c c }`.

The tools' `latex` also knows macro definitions, `siunitx`, `\genfrac`, `\hyperref` and math inside
`\text`. They are unreadable here.
"""

from __future__ import annotations

from collections.abc import Sequence

from im2tex.latex.label_graph.constructs import ARGUMENT_CONSTRUCTS, CONSTRUCTS
from im2tex.latex.label_graph.nodes import NodeKind, SymbolNode
from im2tex.latex.label_graph.reader import MAX_DEPTH, SymbolTreeReader, TooDeepError
from im2tex.latex.tokens import LatexError

__all__ = ["MAX_DEPTH", "NodeKind", "SymbolNode", "parse_symbol_tree"]


def parse_symbol_tree(tokens: Sequence[str], *, crohme_compatible: bool = True) -> SymbolNode:
    r"""Reads a formula.

    Args:
        tokens: its tokens; they are read as if joined by single spaces.
        crohme_compatible: reads exactly what pandoc reads. False also reads what pandoc refuses
            without need: spaces in a matrix column specification, the sizes `\Bigl` and `\bigm`.

    Returns:
        The tree; an empty row for a formula without symbols.

    Raises:
        LatexError: where the formula cannot be read, or is nested deeper than `MAX_DEPTH`.
    """
    reader = SymbolTreeReader(" ".join(tokens), crohme_compatible, CONSTRUCTS, ARGUMENT_CONSTRUCTS)
    try:
        tree = reader.body()
        if reader.peek() not in {"", "%"}:
            raise reader.error(f"unexpected {reader.peek()!r}")
    except (TooDeepError, RecursionError):
        raise LatexError(f"nested deeper than {MAX_DEPTH}", 0, reader.source) from None
    finally:
        # Kept errors hold the frames that they passed, and these the reader.
        reader.known.clear()
    return tree
