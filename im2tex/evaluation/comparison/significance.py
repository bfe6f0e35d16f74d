"""Whether two systems differ on the same samples: McNemar's test, the paired bootstrap, Holm.

* McNemar 1947 in its exact form: of the samples that only one of the two has right, how many belong
  to the one is binomial with p = 1/2 if they are equally good.
* The paired bootstrap over samples (Efron 1979; Koehn 2004 for machine translation), as a
  percentile interval of the difference. Koehn counts the resamples that one system wins; the
  interval says the same, and by how much.
* Holm 1979: what a p-value is worth among others. It assumes nothing about how the tests hang
  together, which verdicts on the same samples do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

Values = NDArray[np.float64]

_DRAWS_AT_ONCE = 1_000_000


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """The two-sided p-value of McNemar's exact test.

    Args:
        only_a: samples that only the first system has right.
        only_b: samples that only the second has right.

    Returns:
        How probable a split at least this uneven is for two systems equally good; 1 where no sample
        tells them apart.

    Raises:
        ValueError: for a negative number.
    """
    if only_a < 0 or only_b < 0:
        raise ValueError(f"numbers of samples are at least 0, got {only_a} and {only_b}.")
    fewer, both = min(only_a, only_b), only_a + only_b
    return min(1.0, 2.0 * float(bdtr(fewer, both, 0.5)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number: one below 0.05 errs in 5 % of such families at most.

    Args:
        p_values: of one family of tests, in any order.

    Returns:
        The corrected ones in the same order, none smaller than it was, at most 1.
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = least
    return corrected


def resampled_ratios(
    numerators: Values, denominators: Values, *, resamples: int = 10_000, seed: int = 0
) -> Values:
    """Ratios of sums over samples, drawn with replacement, as many as there are.

    A mean is a ratio with denominators of one; a sample that has no value for a statistic is zero
    in both. All statistics see the same draws, and none depends on which others are asked for.

    Args:
        numerators: (N, M), a column a statistic, a row a sample.
        denominators: (N, M).
        resamples: how often, R.
        seed: of the draws.

    Returns:
        (R, M); nan where a draw has a denominator of zero.

    Raises:
        ValueError: without a sample, or where shapes differ.
    """
    if numerators.shape != denominators.shape or numerators.ndim != 2 or not len(numerators):
        raise ValueError(
            "numerators and denominators are of one shape (samples, statistics), got "
            f"{numerators.shape} and {denominators.shape}."
        )
    random = np.random.default_rng(seed)
    samples, statistics = numerators.shape
    both = np.concatenate([numerators, denominators], axis=1)  # (N, 2M)
    sums = np.empty((resamples, 2 * statistics))
    step = max(1, _DRAWS_AT_ONCE // samples)
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
    """The middle part of each column: a percentile interval.

    Args:
        draws: (R, M), what `resampled_ratios` gives.
        level: how much lies within, in 0..1.

    Returns:
        (2, M): lower and upper ends; nan for a column of nan only.
    """
    ends = ((1 - level) / 2, (1 + level) / 2)
    result = np.full((2, draws.shape[1]), np.nan)
    for number, column in enumerate(draws.T):
        known = column[~np.isnan(column)]
        if len(known):
            result[:, number] = np.quantile(known, ends)
    return result
