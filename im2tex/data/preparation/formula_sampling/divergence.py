"""How far one collection's statistics are from another's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

from im2tex.data.preparation.formula_sampling.profile import Profile

Value = TypeVar("Value", bound=Hashable)


class Difference(NamedTuple):
    """Of two distributions.

    Attributes:
        total_variation: half the sum of the absolute differences, 0 to 1.
        divergence: Kullback-Leibler, in nats, of the sample from the target (target first), each
            with half a count added to every value that either has.
    """

    total_variation: float
    divergence: float


def differences(target: Profile, sample: Profile) -> dict[str, Difference]:
    """Compares two profiles.

    Returns:
        Differences of `length`, `token`, `pair` (of different formulas) and each of the shapes.
    """
    result = {
        "length": difference(target.lengths, sample.lengths),
        "token": difference(target.tokens, sample.tokens),
        "pair": difference(_named(target), _named(sample)),
    }
    for name, counts in target.shapes.items():
        result[name] = difference(counts, sample.shapes[name])
    return result


def difference(target: Mapping[Value, int], sample: Mapping[Value, int]) -> Difference:
    """Compares counts of the same things, neither of them empty."""
    values = sorted({*target, *sample}, key=repr)
    p, q = sum(target.values()), sum(sample.values())
    variation = divergence = 0.0
    for value in values:
        a, b = target.get(value, 0), sample.get(value, 0)
        variation += abs(a / p - b / q) / 2
        a_share = (a + 0.5) / (p + 0.5 * len(values))
        b_share = (b + 0.5) / (q + 0.5 * len(values))
        divergence += a_share * math.log(a_share / b_share)
    return Difference(variation, divergence)


def _named(profile: Profile) -> Counter[tuple[str, str]]:
    """Counts of pairs by the signs' names, which two alphabets share."""
    names = ("", *profile.alphabet.signs)
    return Counter({(names[a], names[b]): n for (a, b), n in profile.pairs.items()})
