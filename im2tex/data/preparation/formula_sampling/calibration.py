r"""Calibration: how often to take each candidate, so that the sample has given statistics.

Candidate $i$ with features $x_i$ is taken with probability $\pi_i = \sigma(\theta \cdot x_i)$. The
$\theta$ for which the sample has the wanted feature sums minimises a convex function. This is
calibration with bounded weights in survey sampling (Deville and Särndal 1992, their logit method),
and gives the probabilities of maximum entropy. A quadratic term relaxes sums that would cost much
entropy (maximum-entropy models with relaxed constraints: Dudík, Phillips and Schapire 2007).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit

Floats = NDArray[np.float64]

_MAX_STEPS = 200


def calibrate(
    features: csr_matrix,
    means: Floats,
    slack: Floats,
    count: float,
    max_repeats: Floats,
) -> tuple[Floats, float]:
    r"""Returns the weights $\theta$ of the features.

    Args:
        features: features of each candidate, (n, f), not negative.
        means: wanted mean of each feature over the sample, (f,), positive.
        slack: relaxation of each mean, (f,); 0 requires the exact mean.
        count: size of the sample.
        max_repeats: how often each candidate may be taken, (n,).

    Returns:
        The weights, (f,), and the log-odds of a candidate without any feature.
    """
    # Scaled so that steps of one size suit all features; absent features cannot be matched.
    present = np.asarray(features.sum(axis=0)).ravel() > 0
    scale = np.where(present, 1 / np.sqrt(means), 0)
    forward = features.astype(np.float32)
    backward = forward.T.tocsr()
    bias = float(np.log(count / max(max_repeats.sum() - count, count)))
    wanted = means * scale

    def loss(theta: Floats) -> tuple[float, Floats]:
        odds = forward @ (theta * scale).astype(np.float32) + bias
        taken = max_repeats * expit(odds)
        value = (max_repeats * np.logaddexp(0, odds)).sum() / count - theta @ wanted
        gradient = (backward @ taken.astype(np.float32)) * scale / count - wanted
        return value + 0.5 * (slack * theta * theta).sum(), gradient + slack * theta

    found = minimize(
        loss, np.zeros(len(means)), jac=True, method="L-BFGS-B", options={"maxiter": _MAX_STEPS}
    )
    return found.x * scale, bias


def systematic_sample(
    expected: Floats, count: int, max_repeats: Floats, offset: float
) -> NDArray[np.int64]:
    """Takes `count` candidates: number c where the cumulative sum of `expected` passes c.

    The sum over neighbouring candidates is close to its expectation, so that a pool sorted by
    length gives the wanted distribution of lengths almost without randomness.

    Args:
        expected: how often each candidate is expected, up to a factor, (n,).
        count: size of the sample, at most the sum of `max_repeats`.
        max_repeats: how often each candidate may be taken, integers, (n,).
        offset: the random number, in [0, 1).

    Returns:
        How often each candidate is taken, (n,).
    """
    rates = np.maximum(expected, 1e-12)  # all candidates are available if all are needed
    for _ in range(100):
        rates = np.minimum(rates * (count / rates.sum()), max_repeats)
        if rates.sum() > count * (1 - 1e-9):
            break
    ends = np.floor(np.cumsum(rates) * (count / rates.sum()) + offset)
    ends[-1] = count
    taken: NDArray[np.int64] = np.diff(ends, prepend=0).astype(np.int64)
    return taken
