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
    data_a, data_b = _object(a.record, "data"), _object(b.record, "data")
    conditions = [("data source", data_a.get("source"), data_b.get("source"))]
    for split, other in splits.items():
        filters = _of_split(data_a, "filter", split), _of_split(data_b, "filter", other)
        conditions.append((f"left out of {split}", *filters))
        store_a, store_b = _object(data_a, "stores", split), _object(data_b, "stores", other)
        for name in sorted(store_a.keys() & store_b.keys() - _NOT_COMPARED_OF_STORE):
            conditions.append((f"{name} of {split}", store_a[name], store_b[name]))
    signatures_a, signatures_b = _object(a.record, "signatures"), _object(b.record, "signatures")
    for name, signature in sorted(signatures_a.items()):
        if not name.startswith(_NOT_COMPARED):
            title = "search" if name == "beam" else f"signature of {name}"
            conditions.append((title, signature, signatures_b.get(name)))
    for title, of_a, of_b in conditions:
        # A condition that one result does not record, as that of `im2tex score`, is no difference.
        if of_a is not None and of_b is not None and of_a != of_b:
            parts_a, parts_b = _differing_parts(of_a, of_b)
            notes.append(f"{title}: {parts_a} in A, {parts_b} in {letter}")
    return notes


def _inconsistencies(letter: str, test: TestResult, splits: list[str]) -> list[str]:
    """Signs that the samples of a test are not those of its result."""
    if test.record is None:
        return [
            f"no result beside {letter}, a samples file: its filter, beam and engines are not known"
        ]
    notes = []
    for split in splits:
        samples = test.splits[split].values()
        counted = _object(test.record, "data", "splits").get(split)
        if isinstance(counted, int) and counted != len(samples):
            notes.append(
                f"{letter} has {len(samples):,} samples of {split}, and its result is over "
                f"{counted:,}: they are of different runs"
            )
            continue
        recorded = as_number(_object(test.record, "metrics", split).get("token_exact"))
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
    text = str(value)
    if "|" in text:
        return text.split("|")
    call = re.fullmatch(r"\w+\((.*)\)", text)
    return call[1].split(", ") if call else [text]


def _of_split(data: Mapping[str, Any], name: str, split: str) -> Any:
    """A value that is recorded by split, or once for all splits."""
    value = data.get(name)
    return value.get(split) if isinstance(value, Mapping) else value


def _object(record: Any, *names: str) -> Mapping[str, Any]:
    """The object under these names; empty if there is none."""
    for name in names:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record if isinstance(record, Mapping) else {}
