"""Plans which formulas may go into which split: by length, duplicates, and a hash of the paper."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from im2tex.data.preparation.hashing import hash_fraction
from im2tex.data.preparation.printed.formulas import (
    Candidate,
    Formula,
    norm_digest,
    normalize_both,
)
from im2tex.data.preparation.printed.running_text import is_running_text
from im2tex.utils.progress import progress_bar
from im2tex.utils.wording import counted

SPLITS = ("train", "validation", "test")

PAPERS = "papers"
"""Key under which the number of papers is counted, beside the reasons for skipping formulas."""

_SALT = "im2tex printed split 1"
_COUNTS = b"counts"
_FOUND = "found"
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("key", "split", "latex", "norm", "tok", "group", "kind")]
)


def plan_splits(
    formulas: Iterable[Formula],
    settings: Mapping[str, Any],
    excluded: Collection[str],
    counts: Counter[str],
) -> pa.Table:
    """Returns the formulas that may be rendered.

    Args:
        formulas: the formulas of the raw data.
        settings: complete settings, see `ArxivSettings.resolved`.
        excluded: keys (`norm_digest`) of formulas that no split may contain.
        counts: number of skipped formulas by reason; updated here and while `formulas` is read.

    Returns:
        A table with a row for each candidate, in the order of their keys; `planned_candidates`
        and `plan_lines` read it.
    """
    found = list(_acceptable(formulas, settings, counts))
    seen: set[str] = set()
    rows = []
    with progress_bar("reading formulas", len(found)) as shown:
        normalized = normalize_both(formula.latex for formula in found)
        for formula, both in zip(found, normalized, strict=True):
            shown.advance()
            if both is None:
                counts["cannot be read"] += 1
                continue
            norm, tok = both
            key = norm_digest(norm)
            if key in seen:
                counts["duplicates"] += 1
                continue
            seen.add(key)
            if key in excluded:
                counts["in a test or validation set"] += 1
                continue
            split = split_of(formula.group or key, settings["validation"], settings["test"])
            if split != "test" and norm.count(" ") >= settings["max_tokens"]:
                counts[f"longer than {settings['max_tokens']} tokens"] += 1
                continue
            values = (key, split, formula.latex, norm, tok, formula.group, formula.kind)
            rows.append(dict(zip(_SCHEMA.names, values, strict=True)))
    rows.sort(key=lambda row: row["key"])
    schema = _SCHEMA.with_metadata({_COUNTS: json.dumps(counts).encode()})
    return pa.Table.from_pylist(rows, schema=schema)


def planned_candidates(table: pa.Table) -> list[Candidate]:
    """Returns the candidates of a plan."""
    columns = [table.column(name).to_pylist() for name in _SCHEMA.names]
    return [
        Candidate(key, split, latex, norm, tok, _extra(paper=group, kind=kind))
        for key, split, latex, norm, tok, group, kind in zip(*columns, strict=True)
    ]


def plan_lines(table: pa.Table) -> Iterator[str]:
    """Yields the lines of the report on a plan."""
    counts: dict[str, int] = json.loads(table.schema.metadata[_COUNTS])
    papers = f"{counted(counts.pop(PAPERS), 'paper')} read, " if PAPERS in counts else ""
    found = counted(counts.pop(_FOUND, 0), "formula")
    yield f"{papers}{found} found, {table.num_rows:,} of them to render"
    for reason, number in Counter(counts).most_common():
        yield f"{number:,} skipped: {reason}"


def split_of(group: str, validation: float, test: float) -> str:
    """Returns the split of a paper, by a hash of its name.

    Args:
        group: name of the paper.
        validation: fraction of the papers in `validation`.
        test: fraction of the papers in `test`.
    """
    fraction = hash_fraction(f"{_SALT}\n{group}")
    if fraction < validation:
        return "validation"
    return "test" if fraction < validation + test else "train"


def _acceptable(
    formulas: Iterable[Formula], settings: Mapping[str, Any], counts: Counter[str]
) -> Iterator[Formula]:
    """Yields the formulas of the wanted lengths, and counts the others by reason."""
    low, high = settings["min_characters"], settings["max_characters"]
    for formula in formulas:
        counts[_FOUND] += 1
        if not low < len(formula.latex) < high:
            counts[f"not between {low} and {high} characters"] += 1
        elif is_running_text(formula.latex):
            counts["running text between dollars that do not pair"] += 1
        else:
            yield formula


def _extra(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
