"""What a sample has in common with a profile: features of formulas, and the means wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from im2tex.data.preparation.formula_sampling.encoding import FormulaCounts, Ints
from im2tex.data.preparation.formula_sampling.profile import Profile

Floats = NDArray[np.float64]

LAST = 60
"""Formulas of so many tokens and more are taken together."""

_RARE = 5  # pairs of signs that occur less often are taken together
_BLOCK = 20_000  # formulas counted at a time
# How loosely a mean is matched, see `calibration.weights`. A pair is counted on little.
_SLACK = {"length": 1e-5, "sign": 1e-3, "pair": 2e-2, "shape": 5e-4}


class Features:
    """The features that are matched: length, signs, pairs of neighbouring signs, shapes.

    Args:
        profile: the target.
        lengths: share wanted of each length up to `LAST`, (LAST + 1,).

    Attributes:
        means: the mean of each feature over the sample that is wanted, (f,).
        slack: how loosely each is wanted, (f,).
    """

    def __init__(self, profile: Profile, lengths: Floats) -> None:
        self._alphabet = profile.alphabet
        self._base = base = len(profile.alphabet) + 1
        pairs = np.zeros(base * base)
        for (before, after), times in profile.pairs.items():
            pairs[before * base + after] = times
        signs = np.zeros(base)
        signs[list(profile.signs)] = list(profile.signs.values())
        signs /= profile.labels
        # Pairs the labels do not have: as many as are new in as many more labels (Good, Turing).
        unseen = (pairs == 1).sum() / profile.different
        # The sign that follows, by how often it does; the sign before, as often as it is wanted.
        behind = pairs.reshape(base, base)
        followed = (behind * (signs / np.maximum(behind.sum(axis=1), 1))[:, None]).ravel()
        common = pairs >= _RARE
        self._pair = np.where(pairs > 0, 1, 0)
        self._pair[common] = 2 + np.arange(common.sum())
        blocks = {
            "length": lengths,
            "sign": signs[1:],
            "pair": np.array([unseen, followed[~common].sum(), *followed[common]]),
        }
        self._shapes = {
            name: shares(counts, max(counts)) for name, counts in profile.shapes.items()
        }
        means = np.concatenate([*blocks.values(), *self._shapes.values()])
        self.means = np.maximum(means, 0.5 / profile.labels)  # never seen is not impossible
        self.slack = np.full(len(self.means), _SLACK["shape"])
        end = 0
        self._offsets = {}
        for name, means in blocks.items():
            self._offsets[name] = end
            self.slack[end : end + len(means)] = _SLACK[name]
            end += len(means)
        for name, means in self._shapes.items():
            self._offsets[name] = end
            end += len(means)

    def of(self, formulas: Sequence[str]) -> csr_matrix:
        """The features of formulas, (n, f)."""
        return vstack([self._block(block) for block in _blocks(formulas)], format="csr")

    def scores(self, formulas: Sequence[str], weights: Floats) -> Floats:
        """The weighted sum of the features of each formula, (n,), in little memory."""
        return np.concatenate([self._block(block) @ weights for block in _blocks(formulas)])

    def _block(self, formulas: Sequence[str]) -> csr_matrix:
        counted = FormulaCounts(self._alphabet, formulas)
        before, after, row = counted.codes[:-1], counted.codes[1:], counted.row
        each = np.arange(len(formulas))
        columns = [
            np.minimum(counted.lengths, LAST) + self._offsets["length"],
            after[after > 0] - 1 + self._offsets["sign"],
            self._pair[before * self._base + after] + self._offsets["pair"],
        ]
        rows = [each, row[after > 0], row]
        for name, means in self._shapes.items():
            columns.append(np.minimum(counted.shapes[name], len(means) - 1) + self._offsets[name])
            rows.append(each)
        column, row = np.concatenate(columns), np.concatenate(rows)
        ones = np.ones(len(column), np.float32)
        return csr_matrix((ones, (row, column)), shape=(len(formulas), len(self.means)))


def shares(counts: Mapping[int, int], last: int) -> Floats:
    """Counts by number as shares, those from `last` on together, (last + 1,)."""
    result: Floats = np.zeros(last + 1)
    for number, times in counts.items():
        result[min(number, last)] += times
    result /= result.sum()
    return result


def lengths_of(counted: FormulaCounts) -> Ints:
    """The length of each formula, up to `LAST`, (n,)."""
    result: Ints = np.minimum(counted.lengths, LAST)
    return result


def _blocks(formulas: Sequence[str]) -> Iterator[Sequence[str]]:
    return (formulas[at : at + _BLOCK] for at in range(0, len(formulas), _BLOCK))
