"""What makes a comparison of two tests unfair, as far as their results say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from im2tex.evaluation.comparison.loading import TestResult, number

# Two systems should differ in what was tested, not in how: what names the system is left out.
_OWN_SIGNATURES = ("checkpoint",)
_NOT_COMPARED = "bleu"  # of a corpus, not of a sample
_OWN_STORE = ("format", "split")


def differing_conditions(
    a: TestResult, b: TestResult, splits: Mapping[str, str], letter: str = "B"
) -> list[str]:
    """The conditions in which two tests differ, a line each.

    Args:
        a: the first.
        b: the second.
        splits: the splits compared, by their names in `a`, with their names in `b`.
        letter: what `b` is called; `a` is A.
    """
    notes = _doubtful("A", a, list(splits)) + _doubtful(letter, b, list(splits.values()))
    if a.record is None or b.record is None:
        return notes
    data_a, data_b = _mapping(a.record, "data"), _mapping(b.record, "data")
    conditions = [("data source", data_a.get("source"), data_b.get("source"))]
    for split, other in splits.items():
        left_out = _of(data_a, "filter", split), _of(data_b, "filter", other)
        conditions.append((f"left out of {split}", *left_out))
        store_a, store_b = _mapping(data_a, "stores", split), _mapping(data_b, "stores", other)
        for name in sorted(store_a.keys() & store_b.keys() - set(_OWN_STORE)):
            conditions.append((f"{name} of {split}", store_a[name], store_b[name]))
    signatures_a, signatures_b = (_mapping(one.record, "signatures") for one in (a, b))
    for name in sorted(signatures_a):
        if name in _OWN_SIGNATURES or name.startswith(_NOT_COMPARED):
            continue
        what = "search" if name == "beam" else f"signature of {name}"
        conditions.append((what, signatures_a[name], signatures_b.get(name)))
    for what, of_a, of_b in conditions:
        # Where one does not say, as for another's system scored, there is nothing to hold up.
        if of_a is not None and of_b is not None and of_a != of_b:
            only_a, only_b = _differing_parts(of_a, of_b)
            notes.append(f"{what}: {only_a} in A, {only_b} in {letter}")
    return notes


def _doubtful(letter: str, one: TestResult, splits: list[str]) -> list[str]:
    """What is doubtful about one side alone: no result, or samples that are not the result's."""
    if one.record is None:
        return [
            f"no result beside {letter}, a samples file: its filter, beam and engines are not known"
        ]
    notes = []
    for split in splits:
        samples = one.splits[split].values()
        counted = _mapping(one.record, "data", "splits").get(split)
        if isinstance(counted, int) and counted != len(samples):
            notes.append(
                f"{letter} has {len(samples):,} samples of {split}, and its result is over "
                f"{counted:,}: they are of different runs"
            )
            continue
        said = number(_mapping(one.record, "metrics", split).get("token_exact"))
        right = [number(sample.verdicts.get("token_exact")) for sample in samples]
        found = [verdict for verdict in right if verdict is not None]
        # Half a sample: more than rounding, less than any other set of verdicts would differ by.
        if said is not None and found and abs(sum(found) - said * len(found)) > 0.5:
            notes.append(
                f"{letter}'s samples of {split} have a token_exact of "
                f"{100 * sum(found) / len(found):.2f} %, and its result says {100 * said:.2f} %: "
                "they are of different runs"
            )
    return notes


def _differing_parts(a: Any, b: Any) -> tuple[str, str]:
    """Two values in words; of signatures, the parts that differ."""
    parts_a, parts_b = _parts(a), _parts(b)
    only_a = ", ".join(part for part in parts_a if part not in parts_b)
    only_b = ", ".join(part for part in parts_b if part not in parts_a)
    return only_a or str(a), only_b or str(b)


def _parts(value: Any) -> list[str]:
    """`nrefs:1|case:mixed` and `SearchOptions(beam_size=5, …)` have parts, a text has one."""
    text = str(value)
    if "|" in text:
        return text.split("|")
    call = re.fullmatch(r"\w+\((.*)\)", text)
    return call[1].split(", ") if call else [text]


def _of(data: Mapping[str, Any], name: str, split: str) -> Any:
    """What is said of a split, or of all of them at once."""
    value = data.get(name)
    return value.get(split) if isinstance(value, Mapping) else value


def _mapping(record: Any, *names: str) -> Mapping[str, Any]:
    """What lies under these names; empty where there is nothing of the kind."""
    for name in names:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record if isinstance(record, Mapping) else {}
