r"""Alignment of handwritten symbols with the tokens of a label.

CROHME's stroke groups refer to MathML elements by id, while the label may come from LaTeX. If both
have the same tokens, the ids determine the alignment. Otherwise the two token lists are matched,
and the remaining symbols are aligned by their names.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from im2tex.latex.crohme.canonical import CanonicalToken
from im2tex.latex.crohme.mathml import symbol_tokens

_DOTS = {"\\cdot": ["."], "\\ldots": ["."] * 3, "\\cdots": ["."] * 3}


class WrittenSymbol(NamedTuple):
    """A handwritten symbol.

    Attributes:
        name: its name in the file.
        href: the id of its MathML element, or "".
        left: x of its left edge, in any unit.
    """

    name: str
    href: str
    left: float


def inventory(tokens: Sequence[CanonicalToken]) -> Counter[str]:
    r"""Counts the handwritten symbols of a label.

    A fraction counts as its bar; dots of every kind (`\cdot`, `\ldots`, `. . .`) count as single
    dots, since the files disagree on their names.
    """
    counts: Counter[str] = Counter()
    for item in tokens:
        if item.written:
            counts.update(_DOTS.get(item.token) or [_symbol_name(item.token)])
    return counts


def align_symbols(
    label: Sequence[CanonicalToken],
    math: Sequence[CanonicalToken] | None,
    symbols: Sequence[WrittenSymbol],
) -> list[int]:
    r"""Positions of handwritten symbols in a label.

    Args:
        label: the label's tokens.
        math: the MathML truth's tokens with their ids, or None for a file without MathML.
        symbols: the handwritten symbols.

    Returns:
        For each symbol the index of its token in `label` (of `\frac` for a bar, of `\sqrt` for a
        radical), or -1 if it is unknown.
    """
    positions = [-1] * len(symbols)
    if math is not None:
        by_id = _positions_by_id(label, math)
        for i, written in enumerate(symbols):
            queue = by_id.get(written.href)
            if queue:
                # Elements with the same id are assigned in order; so are the digits of a number.
                positions[i] = queue.popleft() if len(queue) > 1 else queue[0]
    taken = set(positions)
    free: defaultdict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(label):
        if item.written and position not in taken:
            free[_symbol_name(item.token)].append(position)
    waiting: defaultdict[str, list[int]] = defaultdict(list)
    for i in sorted(range(len(symbols)), key=lambda i: symbols[i].left):
        if positions[i] < 0:
            waiting[_symbol_name("".join(symbol_tokens(symbols[i].name)))].append(i)
    for name, indices in waiting.items():
        # Only where the counts agree: a guess would be a wrong training target.
        if len(indices) == len(free[name]):
            for i, position in zip(indices, free[name], strict=True):
                positions[i] = position
    return positions


def _positions_by_id(
    label: Sequence[CanonicalToken], math: Sequence[CanonicalToken]
) -> dict[str, deque[int]]:
    """Positions in the label by MathML id, one for each element with the id."""
    label_names = [_fold(item.token) for item in label]
    names: list[str] = []
    ids: list[list[str]] = []
    for item in math:
        if [item.token, *names[-2:]] == [".", ".", "."]:
            # Three single dots in MathML are one token in LaTeX.
            del names[-1:]
            names[-1] = "\\ldots"
            ids[-2].extend(ids.pop())
        else:
            names.append(_fold(item.token))
            ids.append([])
        if item.id is not None and item.written:
            ids[-1].append(item.id)
    blocks = SequenceMatcher(None, names, label_names, autojunk=False).get_matching_blocks()
    partner = {block.a + k: block.b + k for block in blocks for k in range(block.size)}
    positions: dict[str, deque[int]] = {}
    previous: list[str] = []
    for i, present in enumerate(ids):
        for identity in present:
            # The digits of a number share an id and are one symbol, at the first digit.
            if i in partner and identity not in previous:
                positions.setdefault(identity, deque()).append(partner[i])
        previous = present
    return positions


def _fold(token: str) -> str:
    """One name for tokens that LaTeX and MathML distinguish differently."""
    return {"\\cdots": "\\ldots", "\\cdot": ".", "'": "\\prime"}.get(token, token)


def _symbol_name(token: str) -> str:
    """The name of the handwritten symbol of a token."""
    return {"\\frac": "-", "'": "\\prime"}.get(token, token)
