"""The files of a test: the result, its samples, and a page in Markdown with table and breakdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sacrebleu.metrics.bleu import MAX_NGRAM_ORDER

from im2tex.evaluation.environment import environment_line
from im2tex.evaluation.metrics.names import MAIN_METRICS
from im2tex.evaluation.reports import table
from im2tex.evaluation.results import RunResult, SampleResult
from im2tex.evaluation.scoring import ScoredSplit
from im2tex.utils.files import write_text_atomic

_SHORT = f"references under {MAX_NGRAM_ORDER} tokens"  # they add no longest n-grams to BLEU
_GROUPS = {"length": "tokens of the reference", "collection": "collection"}
_COUNTS = ("count", "samples", "of")


def save_report(
    path: Path,
    result: RunResult,
    columns: Sequence[table.SplitScores],
    samples: Mapping[str, Iterable[SampleResult]],
) -> None:
    """Writes `NAME.json`, `NAME.md` and `NAME.SPLIT.samples.jsonl` for each split, atomically.

    Args:
        path: path of the result, `NAME.json`.
        result: the result.
        columns: columns of the table.
        samples: by split.

    Raises:
        Im2TexError: if a file cannot be written.
    """
    result.save(path, samples)
    write_text_atomic(path.with_suffix(".md"), markdown_report(result, columns))


def scoring_conditions(scored: ScoredSplit) -> dict[str, str]:
    """The rows of the table that give the engine, and how many samples failed or were cut off."""
    samples = scored.samples
    missing = sum(sample.prediction is None for sample in samples)
    finished = [sample.metrics["finished"] for sample in samples if "finished" in sample.metrics]
    short = sum(0 < len(sample.gold) < MAX_NGRAM_ORDER for sample in samples)
    rows = {"without a prediction": f"{missing:,}"}
    if finished:
        rows["unfinished"] = table.format_value("unfinished", 1 - sum(finished) / len(finished))
    rows |= {"engine": scored.engine.name} | scored.failure_rows()
    if short:
        rows[_SHORT] = f"{short:,}"
    return rows


def engine_note(scored: Iterable[ScoredSplit]) -> str | None:
    """Why the images were rendered by another engine than the first choice, or not at all."""
    for split in scored:
        if split.engine.why:
            return f"Images: engine {split.engine.name}, because {split.engine.why}."
    return None


def markdown_report(result: RunResult, columns: Sequence[table.SplitScores]) -> str:
    """The page: table, signatures, breakdown of each split."""
    note = table.bleu_note(columns)
    parts = [
        table.split_markdown(columns),
        *([f"{note}\n"] if note else []),
        f"`{result.command}`, {result.date[:10]}, {environment_line(dict(result.machine))}.\n",
        "".join(f"- {name}: `{value}`\n" for name, value in result.signatures.items()),
    ]
    for split, found in result.breakdown.items():
        parts += [f"## {split}\n", *_breakdown_tables(found)]
    return "\n".join(parts)


def _breakdown_tables(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    tables = []
    for name, title in _GROUPS.items():
        groups = found.get(name)
        if groups:
            metrics = [
                metric for metric in MAIN_METRICS if any(metric in group for group in groups)
            ]
            rows = [
                [str(group["group"]), f"{group['samples']:,}"]
                + [table.format_value(metric, group.get(metric, math.nan)) for metric in metrics]
                for group in groups
            ]
            tables.append(
                table.markdown_table([title, "samples", *metrics], [table.Section("", rows)])
            )
    confused = found.get("confused")
    if confused:
        rows = [
            [
                f"`{entry['gold']}`",
                f"`{entry['prediction']}`",
                *(f"{entry[name]:,}" for name in _COUNTS),
            ]
            for entry in confused
        ]
        head = ["symbol", "predicted as", "times", "in samples", "of"]
        tables.append(table.markdown_table(head, [table.Section("", rows)], text_columns=2))
    for name, side in (("missing", "gold"), ("added", "prediction")):
        entries = found.get(name)
        if entries:
            listed = ", ".join(f"`{entry[side]}` {entry['count']:,}" for entry in entries)
            tables.append(f"Symbols {name}: {listed}.\n")
    return tables
