"""Verdicts on the same samples by two systems, set side by side.

Yes-or-no verdicts are compared by McNemar's exact test, all by a paired bootstrap interval of the
difference. Numbers that the table of a test turns into a ratio of sums (`scoring`) are compared by
this ratio, under its name; other numbers by their means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from im2tex.evaluation.comparison.loading import number
from im2tex.evaluation.comparison.significance import (
    Values,
    intervals,
    mcnemar_exact,
    resampled_ratios,
)
from im2tex.evaluation.results import SampleResult

Pair: TypeAlias = tuple[SampleResult, SampleResult]
Kind: TypeAlias = Literal["share", "ratio", "mean"]

_GOLD = "tokens of the reference"
_NO_SCORES = ("finished",)  # yes or no, and neither right nor wrong


@dataclass(frozen=True)
class _Ratio:
    """A ratio of sums over samples.

    Attributes:
        part: the verdict summed above.
        whole: the one summed below, or `_GOLD`.
        among: only samples that have this verdict count.
        rest: whether it is what `part` leaves of `whole`.
    """

    part: str
    whole: str
    among: str | None = None
    rest: bool = False

    @property
    def needed(self) -> set[str]:
        """The verdicts that it is made of."""
        return {self.part, self.whole, self.among or self.part} - {_GOLD}


_RATIOS = {
    "token_error_rate": _Ratio("token_edits", _GOLD),
    "image_edit_score": _Ratio("image_edits", "image_columns", rest=True),
    "image_edit_score_released": _Ratio(
        "image_edits", "image_columns", among="image_match_released", rest=True
    ),
    "lookups_coarse": _Ratio("lookups_coarse", "steps"),
    "lookups_fine": _Ratio("lookups_fine", "steps"),
}


@dataclass
class ScoreComparison:
    """One verdict on one split.

    Attributes:
        name: as in the table of a test.
        kind: `share` of the samples with a yes, `ratio` of sums, or `mean`.
        samples: how many both have a verdict on.
        a: the first system's figure.
        b: the second's.
        low: lower end of the 95 % interval of `b - a`.
        high: its upper end.
        only_a: samples with a yes for the first alone; None for numbers.
        only_b: for the second alone.
        p: of McNemar's exact test; None for numbers.
        p_holm: the same, corrected together with others; None where it is not among these.
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
) -> list[ScoreComparison]:
    """Compares verdicts over the samples that both systems have them on.

    Args:
        pairs: a sample each, as the first and the second system have it.
        names: of verdicts, as `names_of` gives them.
        resamples: of the bootstrap.
        seed: of the bootstrap, whose draws all verdicts share.

    Returns:
        A comparison each, in the order of `names`; without those that no sample has in both, and
        without ratios whose sum below is zero.
    """
    columns = [_column(pairs, name) for name in names]
    columns = [column for column in columns if column.wholes.any(axis=0).all()]
    if not columns:
        return []
    draws = resampled_ratios(
        np.concatenate([column.parts for column in columns], axis=1),  # (N, 2 columns)
        np.concatenate([column.wholes for column in columns], axis=1),
        resamples=resamples,
        seed=seed,
    )
    ends = intervals(draws[:, 1::2] - draws[:, ::2]).T.tolist()
    return [column.compared(low, high) for column, (low, high) in zip(columns, ends, strict=True)]


def names_of(pairs: Sequence[Pair], side: int) -> set[str]:
    """What can be compared of one side, as it is called in the table of a test."""
    known = {
        name
        for pair in pairs
        for name, value in pair[side].verdicts.items()
        if name not in _NO_SCORES and number(value) is not None
    }
    ratios = {name: ratio for name, ratio in _RATIOS.items() if ratio.needed <= known}
    summed = {name for ratio in ratios.values() for name in (ratio.part, ratio.whole)}
    return known - summed | ratios.keys()


def table_name(verdict: str) -> str:
    """What a number that is summed is called in the table; another verdict's own name."""
    made = (name for name, ratio in _RATIOS.items() if ratio.part == verdict)
    return next(made, verdict)


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
    """A verdict on every pair, as a part of a whole.

    Attributes:
        name: as in the table of a test.
        kind: as in `ScoreComparison`.
        parts: (N, 2), what each side adds above; zero where one of the two has no verdict.
        wholes: (N, 2), what it adds below: one for shares and means.
        samples: how many pairs have it.
    """

    name: str
    kind: Kind
    parts: Values
    wholes: Values
    samples: int

    def compared(self, low: float, high: float) -> ScoreComparison:
        with np.errstate(divide="ignore", invalid="ignore"):  # sums of negative numbers too
            a, b = (self.parts.sum(axis=0) / self.wholes.sum(axis=0)).tolist()
        result = ScoreComparison(self.name, self.kind, self.samples, a, b, low, high)
        if self.kind == "share":
            result.only_a = int((self.parts[:, 0] > self.parts[:, 1]).sum())
            result.only_b = int((self.parts[:, 0] < self.parts[:, 1]).sum())
            result.p = mcnemar_exact(result.only_a, result.only_b)
        return result


def _column(pairs: Sequence[Pair], name: str) -> _Column:
    if name in _RATIOS:
        return _ratio_column(pairs, name, _RATIOS[name])
    found = (one.verdicts.get(name) for pair in pairs for one in pair)
    kind: Kind = "share" if all(isinstance(value, bool | None) for value in found) else "mean"
    values = _values(pairs, name, yes_or_no=kind == "share")
    return _where_known(name, kind, values, np.ones_like(values))


def _ratio_column(pairs: Sequence[Pair], name: str, ratio: _Ratio) -> _Column:
    parts = _values(pairs, ratio.part)
    if ratio.whole == _GOLD:
        wholes = np.array([[len(one.gold) for one in pair] for pair in pairs], dtype=float)
    else:
        wholes = _values(pairs, ratio.whole)
    if ratio.among is not None:
        wholes = wholes + 0 * _values(pairs, ratio.among)  # nan where there is none
    return _where_known(name, "ratio", wholes - parts if ratio.rest else parts, wholes)


def _values(pairs: Sequence[Pair], verdict: str, *, yes_or_no: bool = False) -> Values:
    return np.array([values_of(pair, verdict, yes_or_no=yes_or_no) for pair in pairs])  # (N, 2)


def _where_known(name: str, kind: Kind, parts: Values, wholes: Values) -> _Column:
    """A column of what both sides have; the rest of it adds nothing."""
    known = ~np.isnan(parts + wholes).any(axis=1, keepdims=True)  # (N, 1)
    return _Column(
        name, kind, np.where(known, parts, 0), np.where(known, wholes, 0), int(known.sum())
    )
