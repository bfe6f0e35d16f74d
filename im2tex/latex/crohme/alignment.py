r"""Which token of a label each written symbol stands for.

CROHME's stroke groups refer to MathML elements by id; the label may come from LaTeX. Where both
read as the same tokens the ids settle everything. Elsewhere the two token lists are matched, and
what is left goes by the symbols' own names.
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
    """A written symbol.

    Attributes:
        name: what the file calls it.
        href: the id of its MathML element, or "".
        left: how far left it begins, in any unit.
    """

    name: str
    href: str
    left: float


def inventory(leaves: Sequence[CanonicalToken]) -> Counter[str]:
    r"""The symbols that must be on the paper for these tokens.

    A fraction is its bar; dots of every kind (`\cdot`, `\ldots`, `. . .`) are so many dots, since
    the files disagree on their names.
    """
    counts: Counter[str] = Counter()
    for leaf in leaves:
        if leaf.written:
            counts.update(_DOTS.get(leaf.token) or [_ink(leaf.token)])
    return counts


def align_symbols(
    label: Sequence[CanonicalToken],
    math: Sequence[CanonicalToken] | None,
    symbols: Sequence[WrittenSymbol],
) -> list[int]:
    r"""Positions of written symbols in a label.

    Args:
        label: the label's tokens.
        math: the MathML truth's tokens with their ids, or None where there is none.
        symbols: the written symbols.

    Returns:
        For each symbol the index of its token in `label` (of `\frac` for a bar, of `\sqrt` for a
        radical), or -1 where none can be told.
    """
    positions = [-1] * len(symbols)
    if math is not None:
        places = _places(label, math)
        for i, written in enumerate(symbols):
            queue = places.get(written.href)
            if queue:
                # Elements that share an id are taken in order; a number's digits share one too.
                positions[i] = queue.popleft() if len(queue) > 1 else queue[0]
    taken = set(positions)
    free: defaultdict[str, list[int]] = defaultdict(list)
    for position, leaf in enumerate(label):
        if leaf.written and position not in taken:
            free[_ink(leaf.token)].append(position)
    waiting: defaultdict[str, list[int]] = defaultdict(list)
    for i in sorted(range(len(symbols)), key=lambda i: symbols[i].left):
        if positions[i] < 0:
            waiting[_ink("".join(symbol_tokens(symbols[i].name)))].append(i)
    for name, indices in waiting.items():
        # Only where the numbers agree: a guess would teach the wrong place.
        if len(indices) == len(free[name]):
            for i, position in zip(indices, free[name], strict=True):
                positions[i] = position
    return positions


def _places(
    label: Sequence[CanonicalToken], math: Sequence[CanonicalToken]
) -> dict[str, deque[int]]:
    """Positions in the label by MathML id; one for each element that carries the id."""
    ours = [_fold(leaf.token) for leaf in label]
    names: list[str] = []
    ids: list[list[str]] = []
    for leaf in math:
        if [leaf.token, *names[-2:]] == [".", ".", "."]:
            # Three dots of their own in MathML are one token in LaTeX.
            del names[-1:]
            names[-1] = "\\ldots"
            ids[-2].extend(ids.pop())
        else:
            names.append(_fold(leaf.token))
            ids.append([])
        if leaf.id is not None and leaf.written:
            ids[-1].append(leaf.id)
    if ours == names:
        partner = {i: i for i in range(len(ours))}
    else:
        blocks = SequenceMatcher(None, names, ours, autojunk=False).get_matching_blocks()
        partner = {block.a + k: block.b + k for block in blocks for k in range(block.size)}
    places: dict[str, deque[int]] = {}
    previous: list[str] = []
    for i, present in enumerate(ids):
        for identity in present:
            # A number's digits share an id and make one symbol, at the first of them.
            if i in partner and identity not in previous:
                places.setdefault(identity, deque()).append(partner[i])
        previous = present
    return places


def _fold(token: str) -> str:
    return {"\\cdots": "\\ldots", "\\cdot": ".", "'": "\\prime"}.get(token, token)


def _ink(token: str) -> str:
    return {"\\frac": "-", "'": "\\prime"}.get(token, token)
