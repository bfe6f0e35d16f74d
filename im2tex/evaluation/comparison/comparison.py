"""Compares tests on the same samples: values, significance, and the samples that changed.

The p-values of `TESTED` are corrected together, over tests and splits, by Holm's method. The other
metrics are parts and variants of these, and keep their own p only: correcting for them too would
cost power. To test other metrics, name them before looking at the results (`only`); then these are
corrected instead.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.comparison.comparability import differing_conditions
from im2tex.evaluation.comparison.loading import TestResult
from im2tex.evaluation.comparison.paired import (
    MetricComparison,
    Pair,
    available_metrics,
    compare_metrics,
    holm,
    scores_of,
    table_name,
)
from im2tex.evaluation.reports.table import ordered
from im2tex.evaluation.results import SampleResult, to_jsonable
from im2tex.utils.untrusted_text import clip, quote
from im2tex.utils.wording import counted

TESTED = ("expression_rate", "image_match", "token_exact")
"""Metrics whose p-values are corrected."""

_MIN_SAMPLES = 30  # with fewer a percentile interval is known to be too narrow


@dataclass(frozen=True)
class SplitComparison:
    """The comparison of one split.

    Attributes:
        split: its name in the first test.
        samples: number of samples in both tests.
        only_in: keys of the samples that only the first test has, and of those of the second.
        metrics: comparisons of metrics, in the order of the table of a test.
        by: the yes-or-no metric that decides which samples are right; None without any.
        right: samples that only the first test has right, in its order, and those of the second.
    """

    split: str
    samples: int
    only_in: Sequence[Sequence[str]]
    metrics: Sequence[MetricComparison]
    by: str | None
    right: Sequence[Sequence[Pair]]


@dataclass(frozen=True)
class Comparison:
    """The comparison of two tests.

    Attributes:
        a: the first test, A.
        b: the second, whose difference from the first is given.
        letter: letter of the second test.
        splits: those that both tests have.
        notes: differing conditions, and metrics that only one test has.
    """

    a: TestResult
    b: TestResult
    letter: str
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

    Splits are paired by name; those of two samples files are paired whatever their names.

    Example:
        >>> a, b = map(load_test_result, (Path("a/test.json"), Path("b/test.json")))
        >>> compare_tests(a, [b], only=["expression_rate"])[0].splits[0].metrics[0].p

    Args:
        first: the test that the others are compared with.
        others: the others.
        only: metrics to compare; by default all that both tests have. The first yes-or-no metric
            decides which samples are right.
        resamples: number of resamples of the bootstrap.
        seed: seed of the bootstrap.

    Returns:
        A comparison for each of `others`.

    Raises:
        Im2TexError: if two tests have no split or sample in common, differ in a reference, or lack
            a metric of `only`; or if more than 26 tests are given.
    """
    if len(others) >= len(string.ascii_uppercase):
        raise Im2TexError(f"{1 + len(others)} results are given; at most 26 are compared at once.")
    only = list(dict.fromkeys(map(table_name, only)))
    compared = [
        _compare(first, other, letter, only, resamples=resamples, seed=seed)
        for letter, other in zip(string.ascii_uppercase[1:], others, strict=False)
    ]
    tests = [(metric, metric.p) for metric in all_metrics(compared) if metric.p is not None]
    main = [(metric, p) for metric, p in tests if metric.name in TESTED]
    family = tests if only or not main else main
    for (metric, _), p in zip(family, holm([p for _, p in family]), strict=True):
        metric.p_holm = p
    return compared


def comparison_record(
    comparisons: Sequence[Comparison], resamples: int, seed: int
) -> dict[str, Any]:
    """The comparisons in JSON's types; values that are not defined are null."""
    record = {
        "format": 1,
        "results": {letter: str(test.path) for letter, test in legend(comparisons)},
        "bootstrap": {"resamples": resamples, "seed": seed, "level": 0.95},
        "comparisons": [
            {
                "a": "A",
                "b": comparison.letter,
                "notes": comparison.notes,
                "splits": {split.split: _split_record(split) for split in comparison.splits},
            }
            for comparison in comparisons
        ],
    }
    return dict(to_jsonable(record))


def changed_records(comparisons: Sequence[Comparison]) -> Iterator[dict[str, Any]]:
    """A record for each sample that only one of two tests has right.

    Names: `split`, `key`, `by` (the metric that decides), `right` (the letter of the test), `gold`,
    and under each test's letter its `prediction`, `failed_at` and `score`.
    """
    for comparison in comparisons:
        letters = ("A", comparison.letter)
        for split in comparison.splits:
            for letter, pairs in zip(letters, split.right, strict=True):
                for pair in pairs:
                    yield {
                        "split": split.split,
                        "key": pair[0].key,
                        "by": split.by,
                        "right": letter,
                        "gold": list(pair[0].gold),
                        **dict(zip(letters, map(_prediction_record, pair), strict=True)),
                    }


def legend(comparisons: Sequence[Comparison]) -> list[tuple[str, TestResult]]:
    """The letter of each test, the first test's first."""
    return [("A", comparisons[0].a), *((each.letter, each.b) for each in comparisons)]


def all_metrics(comparisons: Sequence[Comparison]) -> list[MetricComparison]:
    """The metrics of all comparisons and splits."""
    splits = [split for comparison in comparisons for split in comparison.splits]
    return [metric for split in splits for metric in split.metrics]


def _compare(
    a: TestResult, b: TestResult, letter: str, only: Sequence[str], *, resamples: int, seed: int
) -> Comparison:
    common = _common_splits(a, b)
    notes = differing_conditions(a, b, common, letter)
    splits = []
    for name, other in common.items():
        of_a, of_b = a.splits[name], b.splits[other]
        pairs = _pair_samples(name, of_a, of_b)
        known = available_metrics(pairs, 0), available_metrics(pairs, 1)
        shared = ordered(known[0] & known[1])
        if missing := [metric for metric in only if metric not in shared]:
            raise Im2TexError(
                f"{name}: not both have the metric '{missing[0]}'. Both have "
                f"{', '.join(shared) or 'none'}."
            )
        metrics = compare_metrics(pairs, only or shared, resamples=resamples, seed=seed)
        by = next((metric.name for metric in metrics if metric.kind == "rate"), None)
        scores = [scores_of(pair, by, yes_or_no=True) if by else None for pair in pairs]
        right = [
            [pair for pair, score in zip(pairs, scores, strict=True) if score == expected]
            for expected in ((1, 0), (0, 1))
        ]
        only_in = [[key for key in x if key not in y] for x, y in ((of_a, of_b), (of_b, of_a))]
        splits.append(SplitComparison(name, len(pairs), only_in, metrics, by, right))
        for test, more in (("A", known[0] - known[1]), (letter, known[1] - known[0])):
            if more and not only:
                notes.append(f"{name}: only {test} has {', '.join(ordered(more))}")
        if len(pairs) < _MIN_SAMPLES:
            notes.append(
                f"{name}: intervals of {counted(len(pairs), 'sample')} are too narrow; p is exact"
            )
    return Comparison(a, b, letter, splits, notes)


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


def _pair_samples(
    split: str, a: Mapping[str, SampleResult], b: Mapping[str, SampleResult]
) -> list[Pair]:
    """The samples that both tests have, in the order of `a`."""
    pairs = [(sample, b[key]) for key, sample in a.items() if key in b]
    if not pairs:
        raise Im2TexError(
            f"{split}: none of the {len(a):,} and {len(b):,} samples have a key in common. "
            "Compare tests on the same data."
        )
    differing = [(x, y) for x, y in pairs if list(x.gold) != list(y.gold)]
    if differing:
        x, y = differing[0]
        raise Im2TexError(
            f"{split}: {len(differing):,} of {counted(len(pairs), 'sample')} with different "
            f"references, such as {quote(x.key)}: "
            f"`{clip(' '.join(x.gold))}` and `{clip(' '.join(y.gold))}`. "
            "Compare tests on the same data, with labels in the same form."
        )
    return pairs


def _split_record(split: SplitComparison) -> dict[str, Any]:
    record: dict[str, Any] = {"samples": split.samples, "by": split.by}
    record |= dict(zip(("only_in_a", "only_in_b"), split.only_in, strict=True))
    metrics = {
        metric.name: vars(metric) | {"difference": metric.difference} for metric in split.metrics
    }
    changed = [[pair[0].key for pair in pairs] for pairs in split.right]
    return record | {"metrics": metrics, "changed": dict(zip("ab", changed, strict=True))}


def _prediction_record(sample: SampleResult) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in ("prediction", "failed_at", "score")}
