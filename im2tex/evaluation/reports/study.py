"""A study: the results of a folder as one table, runs that differ only by their seed as one row.

Published results on the same splits are below ours, under the names of the same metrics.
`published.tsv` has a line for each system and split, its rates in percent. From Deng et al. 2017
come table 2 (CROHME and IM2LATEX-100K), 3 and 4. Their "Match" is that of their released script, so
`image_match_released`; the expression rates of later systems compare label graphs. The split `test`
is that of IM2LATEX-100K: full in Deng et al. 2017, usually filtered in later work.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics.names import FRACTIONS, STUDY_METRICS
from im2tex.evaluation.reports.table import NONE, Section, format_value, markdown_table
from im2tex.evaluation.results import read_result

_TEXT_COLUMNS = ("data", "system", "publication", "split")

_SEED = re.compile(r"_seed\d+$")


@dataclass(frozen=True)
class StudyEntry:
    """Runs that differ only by their seed.

    Attributes:
        name: name of the runs, without the seed.
        records: their results.
    """

    name: str
    records: Sequence[Mapping[str, Any]]

    def values(self, split: str, metric: str) -> list[float | None]:
        """The values of a metric, one a run that has it; None where it is not defined."""
        measured = (record["metrics"].get(split, {}) for record in self.records)
        return [values[metric] for values in measured if metric in values]


def read_study(folder: Path) -> list[StudyEntry]:
    """The results in a folder, by name.

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
    return [StudyEntry(name, records) for name, records in groups.items()]


def metric_names(entries: Iterable[StudyEntry], split: str | None = None) -> set[str]:
    """The metrics that any run has, on one split or on all."""
    return {
        name
        for entry in entries
        for record in entry.records
        for of, values in record["metrics"].items()
        if split in (of, None)
        for name in values
    }


def study_rows(
    entries: Sequence[StudyEntry], split: str, metrics: Sequence[str] = STUDY_METRICS
) -> list[list[str]]:
    """The rows of one split, the heading first.

    The cell of several runs is their mean, with the minimum and maximum in brackets. Metrics that
    no run has are omitted; a value that is not defined is a dash.
    """
    tested = [e for e in entries if any(split in record["metrics"] for record in e.records)]
    measured = metric_names(tested, split)
    columns = [name for name in metrics if name in measured]
    rows = [["", "runs", *columns]]
    for entry in tested:
        cells = [_mean_and_range(name, entry.values(split, name)) for name in columns]
        rows.append([entry.name, str(len(entry.records)), *cells])
    sources = {str(record["data"].get("source")) for e in tested for record in e.records}
    for source in sorted(sources):
        for (system, publication), of_system in _published_metrics(source).items():
            known = of_system.get(split, {})
            if not known.keys().isdisjoint(columns):
                cells = [format_value(n, known[n]) if n in known else NONE for n in columns]
                rows.append([f"{system} ({publication})", "", *cells])
    return rows


def describe_run(record: Mapping[str, Any]) -> str:
    """How a run was made, from which data, when and on which machine, in one line."""
    machine = record.get("machine") or {}
    gpus = ", ".join(str(gpu["name"]) for gpu in machine.get("gpus") or []) or "no GPU"
    commands = record.get("chain") or [record["command"]]
    counts = record["data"].get("splits") or {}
    tested = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    return (
        f"`{'; then '.join(commands)}`; tested on {tested} of {record['data'].get('source')}; seed "
        f"{record.get('seed')}; {machine.get('cores', '?')} cores of {machine.get('cpu', '?')}, "
        f"{gpus}; commit {str(record.get('commit'))[:7]}; {str(record.get('date'))[:10]}"
    )


def study_markdown(
    folder: Path, entries: Sequence[StudyEntry], metrics: Sequence[str] = STUDY_METRICS
) -> str:
    """The study as a page in Markdown."""
    parts = [f"# {folder.resolve().name}\n"]
    for split in sorted({split for e in entries for r in e.records for split in r["metrics"]}):
        head, *rows = study_rows(entries, split, metrics)
        parts.append(f"## {split}\n\n{markdown_table(head, [Section('', rows)])}")
        parts += [f"{note}\n" for note in _undefined_notes(entries, split, head)]
    runs = [f"- {e.name}: {describe_run(record)}" for e in entries for record in e.records]
    parts.append("## Runs\n\n" + "\n".join(runs) + "\n")
    return "\n".join(parts)


def _undefined_notes(entries: Sequence[StudyEntry], split: str, names: Sequence[str]) -> list[str]:
    """Why a metric that was measured has no value."""
    undefined = [n for n in names if any(None in entry.values(split, n) for entry in entries)]
    if not undefined:
        return []
    bleu = " BLEU is not defined where every reference is shorter than its longest n-grams."
    return [
        f"Without a value in at least one run: {', '.join(undefined)}."
        + (bleu if any(name.startswith("bleu") for name in undefined) else "")
    ]


def _mean_and_range(name: str, found: Sequence[float | None]) -> str:
    values = [value for value in found if value is not None]
    if not values:
        return NONE
    mean = format_value(name, sum(values) / len(values))
    if len(values) == 1:
        return mean
    low, high = (
        format_value(name, value).removesuffix(" %") for value in (min(values), max(values))
    )
    return f"{mean} ({low} to {high})"


def _published_metrics(data: str) -> dict[tuple[str, str], dict[str, dict[str, float]]]:
    """Published metrics on a data source, by system and publication, split, and metric."""
    systems: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    with Path(__file__).with_name("published.tsv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if row["data"] == data:
                values = {
                    name: float(cell) / (100 if name in FRACTIONS else 1)
                    for name, cell in row.items()
                    if cell and name not in _TEXT_COLUMNS
                }
                systems.setdefault((row["system"], row["publication"]), {})[row["split"]] = values
    return systems
