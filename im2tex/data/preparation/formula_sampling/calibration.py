r"""Raking: how often to take which candidate, so that what is taken has given statistics.

Candidate $i$ with features $x_i$ is taken with probability $\pi_i = \sigma(\theta \cdot x_i)$; the
$\theta$ for which the taken ones have the features wanted in sum is the minimum of a convex
function. That is calibration with bounded weights (Deville and Särndal 1992, their logit method),
the raking of surveys; of all probabilities with those sums they are the most even. A quadratic
term lets a sum miss its target where that would cost much evenness (the relaxed constraints of
maximum-entropy models: Dudík, Phillips and Schapire 2007).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit

Floats = NDArray[np.float64]

_STEPS = 200


def weights(
    features: csr_matrix,
    means: Floats,
    slack: Floats,
    count: float,
    most: Floats,
) -> tuple[Floats, float]:
    """What each feature adds to the logarithm of a candidate's odds.

    Args:
        features: of each candidate, (n, f), none negative.
        means: mean wanted of each feature over what is taken, (f,), positive.
        slack: how loosely each mean is wanted, (f,): 0 for exactly.
        count: how many are to be taken.
        most: how often each candidate may be taken, (n,).

    Returns:
        The weights, (f,), and the logarithm of the odds without any feature.
    """
    # Steps of one size suit all features then; what no candidate has cannot be matched.
    there = np.asarray(features.sum(axis=0)).ravel() > 0
    scale = np.where(there, 1 / np.sqrt(means), 0)
    forward = features.astype(np.float32)
    backward = forward.T.tocsr()
    start = float(np.log(count / max(most.sum() - count, count)))
    wanted = means * scale

    def value(theta: Floats) -> tuple[float, Floats]:
        odds = forward @ (theta * scale).astype(np.float32) + start
        taken = most * expit(odds)
        loss = (most * np.logaddexp(0, odds)).sum() / count - theta @ wanted
        gradient = (backward @ taken.astype(np.float32)) * scale / count - wanted
        return loss + 0.5 * (slack * theta * theta).sum(), gradient + slack * theta

    found = minimize(
        value, np.zeros(len(means)), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}
    )
    return found.x * scale, start


def systematic(times: Floats, count: int, most: Floats, offset: float) -> NDArray[np.int64]:
    """Takes `count` candidates: the c-th where the running sum of `times` passes c.

    What lies side by side shares its number of takings closely, so that a pool in order of length
    gives that of lengths almost without chance.

    Args:
        times: how often each candidate is to be taken, in proportion, (n,).
        count: how many are to be taken; at most the sum of `most`.
        most: how often each candidate may be taken at most, whole numbers, (n,).
        offset: in [0, 1): the only chance there is.

    Returns:
        How often each was taken, (n,).
    """
    share = np.maximum(times, 1e-12)  # where all are needed, all are there
    for _ in range(100):
        share = np.minimum(share * (count / share.sum()), most)
        if share.sum() > count * (1 - 1e-9):
            break
    ends = np.floor(np.cumsum(share) * (count / share.sum()) + offset)
    ends[-1] = count
    taken: NDArray[np.int64] = np.diff(ends, prepend=0).astype(np.int64)
    return taken
