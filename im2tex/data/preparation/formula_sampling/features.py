"""The features that a sample shares with a profile, and their wanted means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.sparse import csr_matrix, vstack

from im2tex.data.preparation.formula_sampling.calibration import Floats
from im2tex.data.preparation.formula_sampling.profile import Profile
from im2tex.data.preparation.formula_sampling.sign_codec import FormulaCounts

MAX_LENGTH = 60
"""Length in tokens from which on lengths are merged."""

_RARE = 5  # pairs of signs with a lower frequency are merged
_BLOCK = 20_000  # formulas counted at a time
# Relaxation of the means, see `calibrate`. The frequency of a pair is known less precisely.
_SLACK = {"length": 1e-5, "sign": 1e-3, "pair": 2e-2, "shape": 5e-4}


class Features:
    """The matched features: lengths, signs, pairs of neighbouring signs, shapes.

    Args:
        profile: the target.
        lengths: wanted fraction of each length up to `MAX_LENGTH`, (MAX_LENGTH + 1,).

    Attributes:
        means: wanted mean of each feature over the sample, (f,).
        slack: relaxation of each mean, (f,).
    """

    def __init__(self, profile: Profile, lengths: Floats) -> None:
        self._codec = profile.codec
        self._base = base = len(profile.codec) + 1
        pairs = np.zeros(base * base)
        for (before, after), times in profile.pairs.items():
            pairs[before * base + after] = times
        signs = np.zeros(base)
        signs[list(profile.signs)] = list(profile.signs.values())
        signs /= profile.labels
        # Rate of pairs that the labels do not have, by Good and Turing.
        unseen = (pairs == 1).sum() / profile.distinct
        # Frequency of the second sign given the first one, times the rate of the first sign.
        following = pairs.reshape(base, base)
        rates = (following * (signs / np.maximum(following.sum(axis=1), 1))[:, None]).ravel()
        common = pairs >= _RARE
        self._pair = np.where(pairs > 0, 1, 0)
        self._pair[common] = 2 + np.arange(common.sum())
        blocks = {
            "length": lengths,
            "sign": signs[1:],
            "pair": np.array([unseen, rates[~common].sum(), *rates[common]]),
        }
        self._shapes = {
            name: fractions(counts, max(counts)) for name, counts in profile.shapes.items()
        }
        blocks |= self._shapes
        ends = np.cumsum([len(means) for means in blocks.values()])
        self._offsets = dict(zip(blocks, [0, *ends[:-1].tolist()], strict=True))
        means = np.concatenate(list(blocks.values()))
        self.means = np.maximum(means, 0.5 / profile.labels)  # unseen values are possible
        self.slack = np.concatenate(
            [np.full(len(m), _SLACK.get(name, _SLACK["shape"])) for name, m in blocks.items()]
        )

    def matrix(self, strings: Sequence[str]) -> csr_matrix:
        """Returns the features of formulas, (n, f)."""
        return vstack([self._block(block) for block in _blocks(strings)], format="csr")

    def scores(self, strings: Sequence[str], weights: Floats) -> Floats:
        """Returns the weighted sum of the features of each formula, (n,), in little memory."""
        return np.concatenate([self._block(block) @ weights for block in _blocks(strings)])

    def _block(self, strings: Sequence[str]) -> csr_matrix:
        counts = FormulaCounts(self._codec, strings)
        before, after, row = counts.codes[:-1], counts.codes[1:], counts.rows
        each = np.arange(len(strings))
        columns = [
            np.minimum(counts.lengths, MAX_LENGTH) + self._offsets["length"],
            after[after > 0] - 1 + self._offsets["sign"],
            self._pair[before * self._base + after] + self._offsets["pair"],
        ]
        rows = [each, row[after > 0], row]
        for name, means in self._shapes.items():
            columns.append(np.minimum(counts.shapes[name], len(means) - 1) + self._offsets[name])
            rows.append(each)
        column, row = np.concatenate(columns), np.concatenate(rows)
        ones = np.ones(len(column), np.float32)
        return csr_matrix((ones, (row, column)), shape=(len(strings), len(self.means)))


def fractions(counts: Mapping[int, int], last: int) -> Floats:
    """Returns counts by number as fractions, merged from `last` on, (last + 1,)."""
    result: Floats = np.zeros(last + 1)
    for number, times in counts.items():
        result[min(number, last)] += times
    result /= result.sum()
    return result


def _blocks(strings: Sequence[str]) -> Iterator[Sequence[str]]:
    return (strings[at : at + _BLOCK] for at in range(0, len(strings), _BLOCK))
