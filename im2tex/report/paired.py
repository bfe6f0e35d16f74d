"""Verdicts on the same samples by two systems, set side by side.

Yes-or-no verdicts are compared by McNemar's exact test, all by a paired bootstrap interval of the
difference. `token_edits` becomes the corpus's token error rate, edits over reference tokens; other
numbers are compared by mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from im2tex.report.measured import number
from im2tex.report.results import SampleResult
from im2tex.report.significance import Values, intervals, mcnemar_exact, resampled_ratios

EDITS, ERROR_RATE = "token_edits", "token_error_rate"

Pair: TypeAlias = tuple[SampleResult, SampleResult]
Kind: TypeAlias = Literal["share", "ratio", "mean"]


@dataclass
class VerdictComparison:
    """One verdict on one split.

    Attributes:
        name: of the verdict; `token_error_rate` for `token_edits`.
        kind: `share` of the samples with a yes, `ratio` of sums, or `mean`.
        samples: how many both have a verdict on.
        a: the first system's figure.
        b: the second's.
        low: lower end of the 95 % interval of `b - a`.
        high: its upper end.
        only_a: samples with a yes for the first alone; None for numbers.
        only_b: for the second alone.
        p: of McNemar's exact test; None for numbers.
        p_holm: the same, corrected for all tests of the comparison.
    """

    name: str
    kind: Kind
    samples: int
    a: float
    b: float
    low: float
    high: float
    only_a: int | None = None
    only_b: int | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def difference(self) -> float:
        """`b - a`."""
        return self.b - self.a


def compare_verdicts(
    pairs: Sequence[Pair], names: Sequence[str], *, resamples: int, seed: int
) -> list[VerdictComparison]:
    """Compares verdicts over the samples that both systems have them on.

    Args:
        pairs: a sample each, as the first and the second system have it.
        names: of verdicts, as `names_of` gives them.
        resamples: of the bootstrap.
        seed: of the bootstrap, whose draws all verdicts share.

    Returns:
        A comparison each, in the order of `names`; without those that no sample has in both, and
        without the error rate where no sample has a reference token.
    """
    columns = [_column(pairs, name) for name in names]
    columns = [column for column in columns if column.weight.any()]
    if not columns:
        return []
    draws = resampled_ratios(
        np.stack([column.values[:, 1] - column.values[:, 0] for column in columns], axis=1),
        np.stack([column.weight for column in columns], axis=1),
        resamples=resamples,
        seed=seed,
    )  # (R, columns)
    ends = intervals(draws).T.tolist()
    return [column.compared(low, high) for column, (low, high) in zip(columns, ends, strict=True)]


def names_of(pairs: Sequence[Pair], side: int) -> set[str]:
    """The verdicts that at least one sample of a side has, as they are called in tables."""
    return {
        ERROR_RATE if name == EDITS else name
        for pair in pairs
        for name, value in pair[side].verdicts.items()
        if number(value) is not None
    }


def values_of(pair: Pair, verdict: str, *, yes_or_no: bool) -> tuple[float, float]:
    """A verdict on both, nan where there is none.

    Where one has no prediction and so perhaps no verdict, it is wrong if the other was judged.
    """
    a, b = (number(one.verdicts.get(verdict)) for one in pair)
    if yes_or_no:
        if a is None and b is not None and pair[0].prediction is None:
            a = 0.0
        if b is None and a is not None and pair[1].prediction is None:
            b = 0.0
    return math.nan if a is None else a, math.nan if b is None else b


@dataclass(frozen=True)
class _Column:
    """A verdict on every pair.

    Attributes:
        name: as in tables.
        kind: as in `VerdictComparison`.
        values: (N, 2), zero where one of the two has none.
        weight: (N,), what each pair adds to the denominator.
        samples: how many pairs have it.
    """

    name: str
    kind: Kind
    values: Values
    weight: Values
    samples: int

    def compared(self, low: float, high: float) -> VerdictComparison:
        a, b = (self.values.sum(axis=0) / self.weight.sum()).tolist()
        result = VerdictComparison(self.name, self.kind, self.samples, a, b, low, high)
        if self.kind == "share":
            result.only_a = int((self.values[:, 0] > self.values[:, 1]).sum())
            result.only_b = int((self.values[:, 0] < self.values[:, 1]).sum())
            result.p = mcnemar_exact(result.only_a, result.only_b)
        return result


def _column(pairs: Sequence[Pair], name: str) -> _Column:
    verdict = EDITS if name == ERROR_RATE else name
    found = (one.verdicts.get(verdict) for pair in pairs for one in pair)
    kind: Kind = "share" if all(isinstance(value, bool | None) for value in found) else "mean"
    values = np.array([values_of(pair, verdict, yes_or_no=kind == "share") for pair in pairs])
    known = ~np.isnan(values).any(axis=1)
    values[~known] = 0
    weight = known.astype(float)
    if name == ERROR_RATE:
        kind = "ratio"
        weight *= [len(gold.gold) for gold, _ in pairs]
    return _Column(name, kind, values, weight, int(known.sum()))
