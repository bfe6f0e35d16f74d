"""Significance of a difference on the same samples: McNemar's test, paired bootstrap, Holm.

* McNemar 1947, exact: of n samples that only one system has right, the number that the first has
  right is binomial with n and p = 1/2 if the systems are equally good.
* The paired bootstrap over samples (Efron 1979; Koehn 2004 for machine translation), as a
  percentile interval of the difference. Koehn counts the resamples in which one system wins.
* Holm 1979: p-values corrected for their number, whatever the dependence between the tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
        p_values: of one family of tests, in any order.

    Returns:
        The corrected values in the same order, at most 1. With values below 0.05 called
        significant, the probability of any error in the family is at most 0.05.
    """
    corrected = [0.0] * len(p_values)
    smallest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        smallest = max(smallest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = smallest
    return corrected


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
        seed: of the draws.

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
    result = np.full((2, draws.shape[1]), np.nan)
    for index, column in enumerate(draws.T):
        known = column[~np.isnan(column)]
        if len(known):
            result[:, index] = np.quantile(known, ends)
    return result
