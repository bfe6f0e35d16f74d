r"""`MarkovGrammar`: draws formulas from the transition counts of a collection.

The next sign depends on the previous sign and on the kind of row (the formula, an exponent, a
denominator, the inside of brackets, ...). The signs ensure that groups are closed and complete. The
grammar supplies formulas that are rare in papers: sums of numbers, sines, nested roots.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import accumulate
from random import Random

from im2tex.data.preparation.formula_sampling.structural_tokens import (
    CLOSES,
    OPENS,
    SUB,
    SUB_END,
    SUP,
    SUP_END,
    tokens_of,
)

_HEADS = frozenset(
    ["\\sum", "\\prod", "\\int", "\\lim", "\\log", "\\ln", "\\sin", "\\cos", "\\tan"]
)
_SCRIPTS = frozenset([SUB, SUB_END, SUP, SUP_END])

Key = tuple[str, str]
"""Sign that opened the row ("" for the formula) and the previous sign ("" at its beginning)."""


class GrammarState:
    r"""Position in a formula, as the grammar distinguishes positions.

    Attributes:
        key: opening sign of the row and previous sign. Scripts of `\sum`, `\sin` and the like are
            rows of their own kinds: their opening and closing signs include the head.
    """

    __slots__ = ("_outer", "key")

    def __init__(self) -> None:
        self.key: Key = ("", "")
        self._outer: list[Key] = []

    def advance(self, sign: str) -> None:
        """Moves behind a sign, which must be allowed at this position."""
        row, before = self._outer.pop() if sign in CLOSES else self.key
        head = before.partition(" ")[0]
        kind = f"{head} {sign}" if head in _HEADS and sign in _SCRIPTS else sign
        if sign in OPENS:
            self._outer.append((row, before))
            self.key = (kind, "")
        else:
            self.key = (row, kind)


def transition_counts(formulas: Iterable[Iterable[str]]) -> dict[Key, dict[str, int]]:
    """Counts how often each sign follows each state.

    Args:
        formulas: signs of each formula.

    Returns:
        Counts by state key and sign; the sign "" is the end of the formula.
    """
    counts: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    for signs in formulas:
        state = GrammarState()
        for sign in signs:
            counts[state.key][sign] += 1
            state.advance(sign)
        counts[state.key][""] += 1
    return {key: dict(following) for key, following in counts.items()}


class MarkovGrammar:
    """Draws formulas.

    Example::

        grammar = MarkovGrammar(transition_counts([["x", "+", "1"], ["x"]]), max_tokens=30)
        signs = grammar.formula(Random(0))  # ["x"] or ["x", "+", "1"]

    Args:
        transitions: counts of each sign after each state, see `transition_counts`.
        max_tokens: length of the longest formula in canonical tokens.
    """

    def __init__(self, transitions: Mapping[Key, Mapping[str, int]], max_tokens: int) -> None:
        self._choices = {
            key: (list(following), list(accumulate(following.values())))
            for key, following in transitions.items()
        }
        self._max_tokens = max_tokens

    def formula(self, random: Random) -> list[str] | None:
        """Returns the signs of a formula, or None if it is too long."""
        state = GrammarState()
        signs: list[str] = []
        size = 0
        while True:
            options, sums = self._choices[state.key]
            sign = options[bisect(sums, random.random() * sums[-1])]
            if not sign:
                return signs
            size += len(tokens_of(sign))
            if size > self._max_tokens:
                return None
            signs.append(sign)
            state.advance(sign)
