"""Conditions in which two tests differ, as far as their results record them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from im2tex.evaluation.comparison.loading import TestResult
from im2tex.evaluation.comparison.paired import as_number

_NOT_COMPARED = ("checkpoint", "bleu")  # the system itself; a metric of a corpus, not of a sample
_NOT_COMPARED_OF_STORE = {"format", "split"}


def differing_conditions(
    a: TestResult, b: TestResult, splits: Mapping[str, str], letter: str = "B"
) -> list[str]:
    """The conditions in which two tests differ, a line each.

    Args:
        a: the first test.
        b: the second.
        splits: the splits compared, by their names in `a`, with their names in `b`.
        letter: the second test's; the first is A.
    """
    notes = _inconsistencies("A", a, list(splits))
    notes += _inconsistencies(letter, b, list(splits.values()))
    if a.record is None or b.record is None:
        return notes
    of_a = _conditions(a.record, {split: split for split in splits})
    of_b = _conditions(b.record, {other: split for split, other in splits.items()})
    for title, value in of_a.items():
        # A condition that one result does not record, as that of `im2tex score`, is no difference.
        other = of_b.get(title)
        if value is not None and other is not None and value != other:
            part_a, part_b = _differing_parts(value, other)
            notes.append(f"{title}: {part_a} in A, {part_b} in {letter}")
    return notes


def _conditions(record: Mapping[str, Any], splits: Mapping[str, str]) -> dict[str, Any]:
    """The conditions of a result by title; None for one that is not recorded.

    Args:
        record: the content of the result.
        splits: names of splits, with their names in titles.
    """
    data, signatures = record["data"], record["signatures"]
    conditions = {"data source": data.get("source")}
    for split, title in splits.items():
        filters = data.get("filter")
        by_split = filters.get(split) if isinstance(filters, Mapping) else filters
        conditions[f"filter of {title}"] = by_split
        for name, value in sorted(data.get("stores", {}).get(split, {}).items()):
            if name not in _NOT_COMPARED_OF_STORE:
                conditions[f"{name} of {title}"] = value
    for name, signature in sorted(signatures.items()):
        if not name.startswith(_NOT_COMPARED):
            conditions["search" if name == "beam" else f"signature of {name}"] = signature
    return conditions


def _inconsistencies(letter: str, test: TestResult, splits: list[str]) -> list[str]:
    """Signs that the samples of a test are not those of its result."""
    if test.record is None:
        return [
            f"no result beside {letter}, a samples file: its filter, beam and engines are not known"
        ]
    notes = []
    for split in splits:
        samples = test.splits[split].values()
        counted = test.record["data"].get("splits", {}).get(split, len(samples))
        if counted != len(samples):
            notes.append(
                f"{letter} has {len(samples):,} samples of {split}, and its result is over "
                f"{counted:,}: they are of different runs"
            )
            continue
        recorded = as_number(test.record["metrics"].get(split, {}).get("token_exact"))
        exact = [as_number(sample.metrics.get("token_exact")) for sample in samples]
        known = [score for score in exact if score is not None]
        # Half a sample is more than rounding, and less than the difference between two runs.
        if recorded is not None and known and abs(sum(known) - recorded * len(known)) > 0.5:
            notes.append(
                f"{letter}'s samples of {split} have a token_exact of "
                f"{100 * sum(known) / len(known):.2f} %, and its result says "
                f"{100 * recorded:.2f} %: they are of different runs"
            )
    return notes


def _differing_parts(a: Any, b: Any) -> tuple[str, str]:
    """Two values as text; of signatures, only the parts that differ."""
    parts_a, parts_b = _parts(a), _parts(b)
    only_a = ", ".join(part for part in parts_a if part not in parts_b)
    only_b = ", ".join(part for part in parts_b if part not in parts_a)
    return only_a or str(a), only_b or str(b)


def _parts(value: Any) -> list[str]:
    """The parts of `nrefs:1|case:mixed` or `SearchOptions(beam_size=5, ...)`; else the text."""
    call = re.fullmatch(r"\w+\((.*)\)", str(value))
    return call[1].split(", ") if call else str(value).split("|")
