"""Distances between the statistics of two collections of formulas; used by crohme_like.py."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

from im2tex.data.preparation.formula_sampling.profile import Profile

Value = TypeVar("Value", bound=Hashable)


class Difference(NamedTuple):
    """The distance of two distributions.

    Attributes:
        total_variation: half the sum of the absolute differences, 0 to 1.
        divergence: Kullback-Leibler divergence KL(target || sample) in nats, with half a count
            added to every value.
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
        "token": difference(token_counts(target), token_counts(sample)),
        "pair": difference(_named(target), _named(sample)),
    }
    for name, counts in target.shapes.items():
        result[name] = difference(counts, sample.shapes[name])
    return result


def difference(target: Mapping[Value, int], sample: Mapping[Value, int]) -> Difference:
    """Returns the distance of two distributions, given by their counts."""
    values = sorted({*target, *sample}, key=repr)
    p, q = sum(target.values()), sum(sample.values())
    variation = divergence = 0.0
    for value in values:
        a, b = target.get(value, 0), sample.get(value, 0)
        variation += abs(a / p - b / q) / 2
        p_smooth = (a + 0.5) / (p + 0.5 * len(values))
        q_smooth = (b + 0.5) / (q + 0.5 * len(values))
        divergence += p_smooth * math.log(p_smooth / q_smooth)
    return Difference(variation, divergence)


def token_counts(profile: Profile) -> Counter[str]:
    """Frequency of each canonical token."""
    counts: Counter[str] = Counter()
    for code, n in profile.signs.items():
        for token in profile.codec.tokens(chr(code)) if code else ():
            counts[token] += n
    return counts


def _named(profile: Profile) -> Counter[tuple[str, str]]:
    """Returns counts of pairs by the names of their signs, which do not depend on the codec."""
    names = ("", *profile.codec.signs)
    return Counter({(names[a], names[b]): n for (a, b), n in profile.pairs.items()})
