"""Metrics of two systems on the same samples, compared.

Yes-or-no scores are compared by McNemar's exact test, all metrics by a paired bootstrap interval of
the difference. Ratios of sums (`RATIOS`) are compared as such, other numbers by their means.

* McNemar 1947, exact: of n samples that only one system has right, the number that the first has
  right is binomial with n and p = 1/2 if the systems are equally good.
* The paired bootstrap over samples (Efron 1979; Koehn 2004 for machine translation), as a
  percentile interval of the difference. Koehn counts the resamples in which one system wins.
* Holm 1979: p-values corrected for their number, whatever the dependence between the tests.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from im2tex.evaluation.metrics.totals import RATIOS
from im2tex.evaluation.results import SampleResult

Values = NDArray[np.float64]

_MAX_DRAWS = 1_000_000  # drawn at a time


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """The two-sided p-value of McNemar's exact test.

    Args:
        only_a: samples that only the first system has right.
        only_b: samples that only the second has right.

    Returns:
        The probability of a split at least this uneven for two equally good systems; 1 without any
        such sample.
    """
    from scipy.stats import binomtest  # noqa: PLC0415 - slow to import

    discordant = only_a + only_b
    return float(binomtest(only_a, discordant, 0.5).pvalue) if discordant else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of p-values for their number.

    Args:
        p_values: p-values of one family of tests, in any order.

    Returns:
        The corrected values in the same order, at most 1. With values below 0.05 called
        significant, the probability of any error in the family is at most 0.05.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.minimum(factors * np.array(p_values)[order], 1))
    return [float(p) for p in corrected]


def resampled_ratios(
    numerators: Values, denominators: Values, *, resamples: int = 10_000, seed: int = 0
) -> Values:
    """Ratios of sums over N samples drawn with replacement from N samples.

    A mean is a ratio with denominators of one; a sample without a value for a statistic is zero in
    both. All statistics share the draws, and none depends on the presence of others.

    Args:
        numerators: (N, M), a row for each sample, a column for each statistic.
        denominators: (N, M).
        resamples: number of draws of N samples, R.
        seed: seed of the draws.

    Returns:
        (R, M); nan where the denominator of a draw is zero.

    Raises:
        ValueError: without a sample, or where shapes differ.
    """
    if numerators.shape != denominators.shape or numerators.ndim != 2 or not len(numerators):
        raise ValueError(
            "numerators and denominators must have one shape (samples, statistics), got "
            f"{numerators.shape} and {denominators.shape}."
        )
    random = np.random.default_rng(seed)
    samples, statistics = numerators.shape
    both = np.concatenate([numerators, denominators], axis=1)  # (N, 2M)
    sums = np.empty((resamples, 2 * statistics))
    step = max(1, _MAX_DRAWS // samples)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = random.integers(samples, size=(rows, samples))
        drawn += samples * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * samples).reshape(rows, samples)
        sums[start : start + rows] = times.astype(np.float64) @ both  # (rows, 2M)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            sums[:, statistics:] == 0, np.nan, sums[:, :statistics] / sums[:, statistics:]
        )


def intervals(draws: Values, level: float = 0.95) -> Values:
    """The percentile interval of each column.

    Args:
        draws: (R, M), from `resampled_ratios`.
        level: fraction of the draws inside of the interval, in 0..1.

    Returns:
        (2, M): lower and upper ends; nan for a column of nan only.
    """
    ends = ((1 - level) / 2, (1 + level) / 2)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # a column of nan only
        return np.asarray(np.nanquantile(draws, ends, axis=0))


Pair: TypeAlias = tuple[SampleResult, SampleResult]
Kind: TypeAlias = Literal["rate", "ratio", "mean"]

_NO_METRICS = {"finished", "reference_tokens"}


@dataclass
class MetricComparison:
    """One metric on one split.

    Attributes:
        name: name of the metric, as in the table of a test.
        kind: `rate` (fraction of the samples with a yes), `ratio` of sums, or `mean`.
        samples: number of samples for which both systems have a score.
        a: the first system's value.
        b: the second's.
        low: lower end of the 95 % interval of `b - a`.
        high: its upper end.
        only_a: samples with a yes for the first system alone; None for numbers.
        only_b: samples with a yes for the second system alone.
        p: p-value of McNemar's exact test; None for numbers.
        p_holm: p-value corrected by Holm's method; None if it is not among the corrected ones.
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


def compare_metrics(
    pairs: Sequence[Pair], names: Sequence[str], *, resamples: int, seed: int
) -> list[MetricComparison]:
    """Compares metrics over the samples for which both systems have a score.

    Args:
        pairs: a sample each, as the first and the second system have it.
        names: names of metrics, see `available_metrics`.
        resamples: number of resamples of the bootstrap.
        seed: seed of the bootstrap, whose draws all metrics share.

    Returns:
        A comparison each, in the order of `names`; without the metrics that no sample has on both
        sides, and without ratios whose denominator is zero.
    """
    if not names:
        return []
    kinds = [_kind(pairs, name) for name in names]
    scores = [_summands(pairs, *metric) for metric in zip(names, kinds, strict=True)]
    summands = np.stack(scores, axis=-1)  # (2, N, 2, M): numerators and denominators
    known = ~np.isnan(summands.sum(axis=(0, 2)))  # (N, M)
    parts, wholes = np.where(known[:, None], summands, 0)  # (N, 2, M) each
    draws = resampled_ratios(
        parts.reshape(len(pairs), -1),
        wholes.reshape(len(pairs), -1),
        resamples=resamples,
        seed=seed,
    ).reshape(resamples, 2, -1)  # (R, 2, M)
    ends = intervals(draws[:, 1] - draws[:, 0])  # (2, M)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = parts.sum(axis=0) / wholes.sum(axis=0)  # (2, M)
    only_a, only_b = ((parts[:, a] > parts[:, 1 - a]).sum(axis=0).tolist() for a in (0, 1))
    result = []
    for m in np.flatnonzero(wholes.any(axis=0).all(axis=0)).tolist():
        (a, b), (low, high) = values[:, m].tolist(), ends[:, m].tolist()
        metric = MetricComparison(names[m], kinds[m], int(known[:, m].sum()), a, b, low, high)
        if metric.kind == "rate":
            metric.only_a, metric.only_b = only_a[m], only_b[m]
            metric.p = mcnemar_exact(only_a[m], only_b[m])
        result.append(metric)
    return result


def available_metrics(pairs: Sequence[Pair], side: int) -> set[str]:
    """The metrics of one side, by their names in the table of a test."""
    known = {
        name
        for pair in pairs
        for name, value in pair[side].metrics.items()
        if as_number(value) is not None
    }
    ratios = {name for name, ratio in RATIOS.items() if {ratio.part, ratio.whole} <= known}
    summed = {part for name in ratios for part in (RATIOS[name].part, RATIOS[name].whole)}
    return known - summed - _NO_METRICS | ratios


def table_name(score: str) -> str:
    """The metric that a summed number belongs to; the name of any other score is its metric's."""
    return next((name for name, ratio in RATIOS.items() if ratio.part == score), score)


def as_number(value: object) -> float | None:
    """A score as a float; None for a missing score or one that is not finite."""
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    return None


def scores_of(pair: Pair, name: str, *, yes_or_no: bool) -> tuple[float, float]:
    """A score of both sides, nan for a missing one.

    A side without a prediction, and so perhaps without a score, counts as wrong if the other side
    has a yes-or-no score.
    """
    a, b = (as_number(sample.metrics.get(name)) for sample in pair)
    if yes_or_no and pair[0].prediction is None and b is not None:
        a = a or 0.0
    if yes_or_no and pair[1].prediction is None and a is not None:
        b = b or 0.0
    return math.nan if a is None else a, math.nan if b is None else b


def _kind(pairs: Sequence[Pair], name: str) -> Kind:
    if name in RATIOS:
        return "ratio"
    values = (sample.metrics.get(name) for pair in pairs for sample in pair)
    return "rate" if all(isinstance(value, bool | None) for value in values) else "mean"


def _summands(pairs: Sequence[Pair], name: str, kind: Kind) -> Values:
    """Summands (2, N, 2) of a metric's numerator and denominator; nan for a missing score."""

    def scores(score: str) -> Values:
        return np.array([scores_of(pair, score, yes_or_no=kind == "rate") for pair in pairs])

    if kind != "ratio":
        parts = scores(name)
        return np.stack([parts, np.ones_like(parts)])
    ratio = RATIOS[name]
    parts, wholes = scores(ratio.part), scores(ratio.whole)
    return np.stack([wholes - parts if ratio.complement else parts, wholes])
