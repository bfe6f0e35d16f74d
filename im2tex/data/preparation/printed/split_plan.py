"""Which formulas may go into which split: length, repetitions, both forms, a hash of the paper."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import pyarrow as pa

from im2tex.data.preparation.printed.formulas import Candidate, Formula, digest, forms
from im2tex.data.preparation.printed.running_text import is_running_text
from im2tex.utils.progress import progress_bar

SPLITS = ("train", "validation", "test")

_SALT = "im2tex printed split 1"
_COUNTS = b"counts"
_FOUND = "found"
PAPERS = "papers"
"""Under this name papers are counted, beside the reasons for which something is left out."""

_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("key", "split", "latex", "norm", "tok", "group", "kind")]
)


def plan(
    formulas: Iterable[Formula],
    settings: Mapping[str, Any],
    excluded: Collection[str],
    counts: Counter[str],
) -> pa.Table:
    """The formulas that may be drawn.

    Args:
        formulas: as found.
        settings: complete, see `Settings.filled`.
        excluded: keys of formulas that no split may hold.
        counts: what was left out before, by reason; the formulas may go on counting while they
            are read.

    Returns:
        A row a candidate, in the order of their keys; `candidates` and `plan_lines` read it.
    """
    found = list(_long_enough(formulas, settings, counts))
    seen: set[str] = set()
    rows = []
    with progress_bar("reading formulas", len(found)) as shown:
        for formula, both in zip(found, forms(one.latex for one in found), strict=True):
            shown.advance()
            if both is None:
                counts["cannot be read"] += 1
                continue
            norm, tok = both
            key = digest(norm)
            if key in seen:
                counts["the same as another"] += 1
                continue
            seen.add(key)
            if key in excluded:
                counts["in a set to be tested on"] += 1
                continue
            split = split_of(formula.group or key, settings["validation"], settings["test"])
            if split != "test" and norm.count(" ") >= settings["max_tokens"]:
                counts[f"longer than {settings['max_tokens']} tokens"] += 1
                continue
            rows.append(
                {
                    "key": key,
                    "split": split,
                    "latex": formula.latex,
                    "norm": norm,
                    "tok": tok,
                    "group": formula.group,
                    "kind": formula.kind,
                }
            )
    rows.sort(key=lambda row: row["key"])
    schema = _SCHEMA.with_metadata({_COUNTS: json.dumps(counts).encode()})
    return pa.Table.from_pylist(rows, schema=schema)


def candidates(table: pa.Table) -> list[Candidate]:
    """The candidates of a plan."""
    columns = [table.column(name).to_pylist() for name in _SCHEMA.names]
    return [
        Candidate(key, split, latex, norm, tok, _extra(group, kind))
        for key, split, latex, norm, tok, group, kind in zip(*columns, strict=True)
    ]


def plan_lines(table: pa.Table) -> Iterator[str]:
    """What became of the formulas, a line each."""
    counts: dict[str, int] = json.loads(table.schema.metadata[_COUNTS])
    papers = f"{counts.pop(PAPERS):,} papers read, " if PAPERS in counts else ""
    yield f"{papers}{counts.pop(_FOUND, 0):,} formulas found, {table.num_rows:,} of them to draw"
    for reason, number in Counter(counts).most_common():
        yield f"{number:,} left out: {reason}"


def split_of(group: str, validation: float, test: float) -> str:
    """The split of a paper: by a hash of its name, so that papers added later move no other."""
    rank = int.from_bytes(sha256(f"{_SALT}\n{group}".encode()).digest()[:8], "big") / 2**64
    if rank < validation:
        return "validation"
    return "test" if rank < validation + test else "train"


def _long_enough(
    formulas: Iterable[Formula], settings: Mapping[str, Any], counts: Counter[str]
) -> Iterator[Formula]:
    """Those that are formulas, of the lengths and kinds wanted; all of them are counted."""
    low, high, kinds = (settings[key] for key in ("min_characters", "max_characters", "kinds"))
    for formula in formulas:
        counts[_FOUND] += 1
        if kinds is not None and formula.kind not in kinds:
            counts["of another kind"] += 1
        elif not low < len(formula.latex) < high:
            counts[f"not between {low} and {high} characters"] += 1
        elif is_running_text(formula.latex):
            counts["running text between dollars that do not pair"] += 1
        else:
            yield formula


def _extra(group: str, kind: str) -> dict[str, str]:
    named = {"paper": group, "kind": kind}
    return {name: value for name, value in named.items() if value}
