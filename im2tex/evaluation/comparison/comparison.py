"""Two tests on the same samples, sample by sample: which is better, how surely, and where.

The p-values of the figures that people quote (`breakdown.FIGURES`) are corrected together, over
tests and splits, by Holm's method. The other verdicts are parts and variants of these: they stand
beside them with their own p, and would only make the correction blunt. Whoever has other verdicts
in mind names them before looking, and has these corrected instead.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from im2tex.errors import Im2TexError
from im2tex.evaluation.breakdown import FIGURES
from im2tex.evaluation.comparison.comparability import differing_conditions
from im2tex.evaluation.comparison.loading import TestResult
from im2tex.evaluation.comparison.paired import (
    Pair,
    ScoreComparison,
    compare_verdicts,
    names_of,
    table_name,
    values_of,
)
from im2tex.evaluation.comparison.significance import holm
from im2tex.evaluation.reports.table import ordered
from im2tex.evaluation.results import SampleResult
from im2tex.utils.untrusted_text import clip, quote

Right: TypeAlias = Literal["a", "b", "both", "neither"]

_FEW = 30  # samples, below which a percentile interval is known to be too narrow


@dataclass(frozen=True)
class Change:
    """A sample that was read differently, or judged differently.

    Attributes:
        a: the first system's.
        b: the second's.
        right: who has it right by the split's deciding verdict; None where that is not known.
    """

    a: SampleResult
    b: SampleResult
    right: Right | None


@dataclass(frozen=True)
class SplitComparison:
    """One split.

    Attributes:
        split: its name in the first test.
        samples: how many are in both.
        only_in_a: keys of samples that only the first test has.
        only_in_b: keys of those that only the second has.
        verdicts: in reading order.
        by: the yes-or-no verdict that decides who is right in `changes`; None where there is none.
        changes: in the order of the first test.
    """

    split: str
    samples: int
    only_in_a: Sequence[str]
    only_in_b: Sequence[str]
    verdicts: Sequence[ScoreComparison]
    by: str | None
    changes: Sequence[Change]


@dataclass(frozen=True)
class Comparison:
    """Two tests.

    Attributes:
        a: the first.
        b: the second, whose difference from the first is given.
        letters: what the two are called, the first `A`.
        splits: those that both have.
        notes: what makes it unfair, or was left out of it.
    """

    a: TestResult
    b: TestResult
    letters: tuple[str, str]
    splits: Sequence[SplitComparison]
    notes: Sequence[str]


def compare_tests(
    first: TestResult,
    others: Sequence[TestResult],
    *,
    only: Sequence[str] = (),
    resamples: int = 10_000,
    seed: int = 0,
) -> list[Comparison]:
    """Compares tests with a first one, split by split.

    Two samples files are compared whatever their splits are called; results by the names of their
    splits.

    Args:
        first: the one that the others are compared with.
        others: the others.
        only: verdicts to compare; all that both have by default, in the reading order of tables.
            The first yes-or-no one decides who is right in the lists of changed samples.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        A comparison for each of `others`.

    Raises:
        Im2TexError: if two have no split or sample in common, differ in what is right for a
            sample, or lack a verdict asked for; or if these are more than the alphabet has letters.
    """
    if len(others) >= len(string.ascii_uppercase):
        raise Im2TexError(f"{1 + len(others)} results are given; at most 26 are compared at once.")
    only = list(dict.fromkeys(map(table_name, only)))
    compared = [
        _compare(first, other, letter, only, resamples=resamples, seed=seed)
        for letter, other in zip(string.ascii_uppercase[1:], others, strict=False)
    ]
    _correct(
        [verdict for one in compared for split in one.splits for verdict in split.verdicts], only
    )
    return compared


def _correct(verdicts: Sequence[ScoreComparison], only: Sequence[str]) -> None:
    """Corrects the p-values of the verdicts asked for; else of the figures, if there are any."""
    tests = [(verdict, verdict.p) for verdict in verdicts if verdict.p is not None]
    quoted = [(verdict, p) for verdict, p in tests if verdict.name in FIGURES]
    family = tests if only or not quoted else quoted
    for (verdict, _), p in zip(family, holm([p for _, p in family]), strict=True):
        verdict.p_holm = p


def _compare(
    a: TestResult, b: TestResult, letter: str, only: Sequence[str], *, resamples: int, seed: int
) -> Comparison:
    common = _common_splits(a, b)
    notes = differing_conditions(a, b, common, letter)
    splits = []
    for name, other in common.items():
        of_a, of_b = a.splits[name], b.splits[other]
        pairs = _pairs(name, of_a, of_b)
        known = names_of(pairs, 0) & names_of(pairs, 1)
        if missing := [verdict for verdict in only if verdict not in known]:
            raise Im2TexError(
                f"{name}: not both have the verdict '{missing[0]}'. Both have "
                f"{', '.join(ordered(known)) or 'none'}."
            )
        verdicts = compare_verdicts(pairs, only or ordered(known), resamples=resamples, seed=seed)
        by = next((verdict.name for verdict in verdicts if verdict.kind == "share"), None)
        split = SplitComparison(
            name,
            len(pairs),
            [key for key in of_a if key not in of_b],
            [key for key in of_b if key not in of_a],
            verdicts,
            by,
            _changes(pairs, by),
        )
        splits.append(split)
        if not only:
            notes += _missing_verdicts(name, pairs, letter)
        if len(pairs) < _FEW:
            notes.append(f"{name}: intervals of {len(pairs)} samples are too narrow; p is exact")
    return Comparison(a, b, ("A", letter), splits, notes)


def _common_splits(a: TestResult, b: TestResult) -> dict[str, str]:
    """The splits of `a` that `b` has, with their names there."""
    if a.is_one_file and b.is_one_file:
        return dict(zip(a.splits, b.splits, strict=True))
    common = {split: split for split in a.splits if split in b.splits}
    if not common:
        raise Im2TexError(
            f"{a.path} and {b.path} have no split in common: {', '.join(a.splits)} in the first, "
            f"{', '.join(b.splits)} in the second. If two are the same by other names, name their "
            "samples files instead."
        )
    return common


def _pairs(split: str, a: Mapping[str, SampleResult], b: Mapping[str, SampleResult]) -> list[Pair]:
    """The samples that both have, in the order of `a`."""
    pairs = [(sample, b[key]) for key, sample in a.items() if key in b]
    if not pairs:
        raise Im2TexError(
            f"{split}: none of the {len(a):,} and {len(b):,} samples have a key in common. "
            "Compare tests on the same data."
        )
    unlike_gold = [(one, other) for one, other in pairs if list(one.gold) != list(other.gold)]
    if unlike_gold:
        one, other = unlike_gold[0]
        raise Im2TexError(
            f"{split}: {len(unlike_gold):,} of {len(pairs):,} samples differ in what is right, "
            f"such as {quote(one.key)}: `{clip(' '.join(one.gold))}` and "
            f"`{clip(' '.join(other.gold))}`. Compare tests on the same data, with labels in "
            "the same form."
        )
    return pairs


def _changes(pairs: Sequence[Pair], by: str | None) -> list[Change]:
    changes = []
    for a, b in pairs:
        right = None if by is None else _RIGHT.get(values_of((a, b), by, yes_or_no=True))
        if right in ("a", "b") or a.prediction != b.prediction:
            changes.append(Change(a, b, right))
    return changes


_RIGHT: dict[tuple[float, float], Right] = {
    (1.0, 0.0): "a",
    (0.0, 1.0): "b",
    (1.0, 1.0): "both",
    (0.0, 0.0): "neither",
}


def _missing_verdicts(split: str, pairs: Sequence[Pair], letter: str) -> list[str]:
    of_a, of_b = names_of(pairs, 0), names_of(pairs, 1)
    return [
        f"{split}: only {who} has {', '.join(ordered(verdicts))}"
        for who, verdicts in (("A", of_a - of_b), (letter, of_b - of_a))
        if verdicts
    ]
