r"""`MarkovGrammar`: a grammar that writes formulas with the habits of a collection.

Its rules are those of the signs: what opens is closed, a numerator is followed by a denominator.
Which sign comes next is drawn by how often it does in the collection, behind the sign before and
in a row of that kind (the formula's own, an exponent, a denominator, the inside of brackets, …).
So it writes what real formulas of another field lack: sums of plain numbers, sines, roots in
roots.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import accumulate
from random import Random

from im2tex.data.preparation.formula_sampling.signs import (
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


class GrammarState:
    r"""Where in a formula a sign is to be written.

    Attributes:
        key: the sign that opened the row (none for the formula's own) and the sign before. Scripts
            of `\sum`, `\sin` and the like are rows of their own kinds: the name comes with the
            sign that opens one, and with the one that ended it.
    """

    __slots__ = ("_outer", "key")

    def __init__(self) -> None:
        self.key: Key = ("", "")
        self._outer: list[Key] = []

    def move(self, sign: str) -> None:
        """Goes behind a sign, which must be one that may stand here."""
        row, before = self._outer.pop() if sign in CLOSES else self.key
        head = before.partition(" ")[0]
        kind = f"{head} {sign}" if head in _HEADS and sign in _SCRIPTS else sign
        if sign in OPENS:
            self._outer.append((row, before))
            self.key = (kind, "")
        else:
            self.key = (row, kind)


def transition_counts(formulas: Iterable[Iterable[str]]) -> dict[Key, dict[str, int]]:
    """How often each sign comes in each place of some formulas, given by their signs.

    Returns:
        Counts by place and sign; the sign "" is the end of the formula.
    """
    counts: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    for signs in formulas:
        place = GrammarState()
        for sign in signs:
            counts[place.key][sign] += 1
            place.move(sign)
        counts[place.key][""] += 1
    return {key: dict(following) for key, following in counts.items()}


class MarkovGrammar:
    """Writes formulas.

    Args:
        transition_counts: how often each sign comes in each place.
        longest: the most tokens that a formula may have.
    """

    def __init__(self, transition_counts: Mapping[Key, Mapping[str, int]], longest: int) -> None:
        self._choices = {
            key: (list(following), list(accumulate(following.values())))
            for key, following in transition_counts.items()
        }
        self._longest = longest

    def formula(self, random: Random) -> list[str] | None:
        """The signs of a formula, or None where it came out too long."""
        place = GrammarState()
        signs: list[str] = []
        size = 0
        while True:
            options, sums = self._choices[place.key]
            sign = options[bisect(sums, random.random() * sums[-1])]
            if not sign:
                return signs
            size += len(tokens_of(sign))
            if size > self._longest:
                return None
            signs.append(sign)
            place.move(sign)
