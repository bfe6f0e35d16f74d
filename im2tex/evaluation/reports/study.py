"""A study: the results of a folder as one table, runs that differ by their seed put together.

Published figures stand below ours, where there are any on the same split, so that nobody needs to
copy them by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.published import published_results
from im2tex.evaluation.reports.table import format_value, markdown_rows
from im2tex.evaluation.results import read_result

METRICS = (
    "token_exact",
    "expression_rate",
    "image_match",
    "image_match_released",
    "bleu_norm",
    "perplexity",
    "lookups_coarse",
    "lookups_fine",
)
_SEED = re.compile(r"_seed\d+$")
_NONE = "-"


@dataclass(frozen=True)
class Entry:
    """Runs that differ by their seed only.

    Attributes:
        name: of the runs, without the seed.
        records: their results.
    """

    name: str
    records: Sequence[Mapping[str, Any]]

    def values(self, split: str, metric: str) -> list[float]:
        """What was measured, a value a run that has it."""
        found = (one["metrics"].get(split, {}).get(metric) for one in self.records)
        return [float(value) for value in found if value is not None]

    def measured(self, split: str) -> set[str]:
        """The metrics that were measured, those without a value included."""
        return {name for one in self.records for name in one["metrics"].get(split, {})}


def read_study(folder: Path) -> list[Entry]:
    """The results in a folder, by name, seeds together.

    Raises:
        Im2TexError: if there are none, or one cannot be read.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise Im2TexError(
            f"{folder} holds no results: expected the folder of a study, with what "
            f"`im2tex test --report.folder {folder.parent} --report.study {folder.name}` writes."
        )
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for path in paths:
        groups.setdefault(_SEED.sub("", path.stem), []).append(read_result(path))
    return [Entry(name, records) for name, records in groups.items()]


def splits(entries: Iterable[Entry]) -> list[str]:
    """The splits that were tested, each once."""
    found = (split for entry in entries for one in entry.records for split in one["metrics"])
    return sorted(set(found))


def table(
    entries: Sequence[Entry], split: str, metrics: Sequence[str] = METRICS
) -> list[list[str]]:
    """The rows of one split, the heading first.

    Several runs show their mean with the least and the greatest in brackets. Metrics that nobody
    measured are left out; one that was and has no value (null) is a dash.
    """
    tested = [entry for entry in entries if any(split in one["metrics"] for one in entry.records)]
    sources = {str(one["data"].get("source")) for entry in tested for one in entry.records}
    others = [
        row
        for source in sorted(sources)
        for row in published_results(source)
        if split in row.metrics
    ]
    measured = {name for entry in tested for name in entry.measured(split)}
    shown = [name for name in metrics if name in measured]
    rows = [["", "runs", *shown]]
    for entry in tested:
        cells = [_spread(name, entry.values(split, name)) for name in shown]
        rows.append([entry.name, str(len(entry.records)), *cells])
    for row in others:
        known = row.metrics[split]
        if any(name in known for name in shown):
            cells = [format_value(n, known[n]) if n in known else _NONE for n in shown]
            rows.append([f"{row.system} ({row.source})", "", *cells])
    return rows


def origin(record: Mapping[str, Any]) -> str:
    """A run in one line: how it was made, from what, when and where."""
    machine = record.get("machine") or {}
    gpus = ", ".join(str(gpu["name"]) for gpu in machine.get("gpus") or []) or "no GPU"
    made = record.get("chain") or [record["command"]]
    counts = record["data"].get("splits") or {}
    tested = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    return (
        f"`{'; then '.join(made)}`; tested on {tested} of {record['data'].get('source')}; seed "
        f"{record.get('seed')}; {machine.get('cores', '?')} cores of {machine.get('cpu', '?')}, "
        f"{gpus}; commit {str(record.get('commit'))[:7]}; {str(record.get('date'))[:10]}"
    )


def markdown(folder: Path, entries: Sequence[Entry], metrics: Sequence[str] = METRICS) -> str:
    """The study as a page."""
    parts = [f"# {folder.resolve().name}\n"]
    for split in splits(entries):
        rows = table(entries, split, metrics)
        rule = ["---", *("---:" for _ in rows[0][1:])]
        parts.append(f"## {split}\n\n{markdown_rows([rows[0], rule, *rows[1:]])}")
        parts += [f"{note}\n" for note in _notes(entries, split, rows[0])]
    made = [f"- {entry.name}: {origin(record)}" for entry in entries for record in entry.records]
    parts.append("## Runs\n\n" + "\n".join(made) + "\n")
    return "\n".join(parts)


def _notes(entries: Sequence[Entry], split: str, names: Sequence[str]) -> list[str]:
    """What a table does not say: why a metric that was measured has no value."""
    found = (one["metrics"].get(split, {}) for entry in entries for one in entry.records)
    nulls = {name for figures in found for name, value in figures.items() if value is None}
    undefined = [name for name in names if name in nulls]
    bleu = " BLEU is not defined where every reference is shorter than its longest n-grams."
    return (
        [
            f"Without a value in at least one run: {', '.join(undefined)}."
            + (bleu if any(name.startswith("bleu") for name in undefined) else "")
        ]
        if undefined
        else []
    )


def _spread(name: str, values: Sequence[float]) -> str:
    if not values:
        return _NONE
    mean = format_value(name, sum(values) / len(values))
    if len(values) == 1:
        return mean
    low, high = (format_value(name, one).removesuffix(" %") for one in (min(values), max(values)))
    return f"{mean} ({low} to {high})"
