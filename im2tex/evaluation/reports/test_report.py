"""The files of a test: result, samples, and a page in Markdown with table and breakdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sacrebleu.metrics.bleu import MAX_NGRAM_ORDER

from im2tex.evaluation.breakdown import FIGURES
from im2tex.evaluation.environment import environment_line
from im2tex.evaluation.reports.table import (
    SplitScores,
    bleu_note,
    format_value,
    markdown_rows,
    markdown_table,
)
from im2tex.evaluation.results import RunResult, SampleResult
from im2tex.evaluation.scoring import ScoredSplit
from im2tex.utils.files import write_text_atomic

_SHORT = f"references under {MAX_NGRAM_ORDER} tokens"  # they add no longest n-grams to BLEU
_GROUPS = {"length": "tokens of the reference", "collection": "collection"}


def save_report(
    path: Path,
    result: RunResult,
    columns: Sequence[SplitScores],
    samples: Mapping[str, Iterable[SampleResult]],
) -> None:
    """Writes `NAME.json`, `NAME.md` and a `NAME.SPLIT.samples.jsonl` a split, each file whole.

    Args:
        path: of the result, `NAME.json`.
        result: what was measured.
        columns: the table's.
        samples: by split.

    Raises:
        Im2TexError: if a file cannot be written.
    """
    result.save(path, samples)
    write_text_atomic(path.with_suffix(".md"), markdown_report(result, columns))


def conditions(scored: ScoredSplit) -> dict[str, str]:
    """The rows of the table that say how a split was scored, and what failed."""
    short = sum(0 < sample.length < MAX_NGRAM_ORDER for sample in scored.samples)
    return (
        {"engine": scored.engine.name}
        | scored.failed_in_words()
        | ({_SHORT: f"{short:,}"} if short else {})
    )


def engine_note(scored: Iterable[ScoredSplit]) -> str | None:
    """Why pictures were drawn by another engine than the first choice, or not at all."""
    for one in scored:
        if one.engine.why:
            return f"Pictures: engine {one.engine.name}, because {one.engine.why}."
    return None


def markdown_report(result: RunResult, columns: Sequence[SplitScores]) -> str:
    """The page: table, signatures, breakdown of each split."""
    note = bleu_note(columns)
    parts = [
        markdown_table(columns),
        *([f"{note}\n"] if note else []),
        f"`{result.command}`, {result.date[:10]}, {environment_line(dict(result.machine))}.\n",
        "".join(f"- {name}: `{said}`\n" for name, said in result.signatures.items()),
    ]
    for split, found in result.breakdown.items():
        parts += [f"## {split}\n", *_tables(found)]
    return "\n".join(parts)


def _tables(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    tables = []
    for name, title in _GROUPS.items():
        groups = found.get(name)
        if groups:
            figures = [one for one in FIGURES if any(one in group for group in groups)]
            lines = [[title, "samples", *figures], ["---", *["---:"] * (1 + len(figures))]]
            for group in groups:
                cells = [format_value(one, group.get(one, float("nan"))) for one in figures]
                lines.append([str(group["group"]), f"{group['samples']:,}", *cells])
            tables.append(markdown_rows(lines))
    confused = found.get("confused")
    if confused:
        lines = [["symbol", "read as", "times", "in samples", "of"], ["---"] * 2 + ["---:"] * 3]
        lines += [
            [f"`{one['gold']}`", f"`{one['prediction']}`", *(f"{one[name]:,}" for name in _COUNTS)]
            for one in confused
        ]
        tables.append(markdown_rows(lines))
    for name, side in (("missing", "gold"), ("added", "prediction")):
        entries = found.get(name)
        if entries:
            listed = ", ".join(f"`{one[side]}` {one['count']:,}" for one in entries)
            tables.append(f"Symbols {name}: {listed}.\n")
    return tables


_COUNTS = ("count", "samples", "of")
