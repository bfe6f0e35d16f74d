"""Writes the rendered splits to a store, completely or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from im2tex.data.preparation.printed.rendering import RenderProblem, SplitRenderer
from im2tex.data.preparation.publishing import PROBLEMS, stale_warnings, write_problems
from im2tex.data.source import PreparationReport
from im2tex.data.store import Split, write_split


def publish_splits(
    rendered: SplitRenderer, folder: Path, metadata: Mapping[str, Any], notes: Iterable[str]
) -> PreparationReport:
    """Writes a store file for each split and the list of formulas without an image.

    Args:
        rendered: renderer after its run.
        folder: folder of the source's stores.
        metadata: metadata of all splits.
        notes: lines of the report before the statistics.

    Raises:
        Im2TexError: if a file cannot be written. An earlier store stays intact, and the rendered
            images are kept for another attempt.
    """
    cache = rendered.cache
    report = PreparationReport()
    for split, counts in rendered.counts.items():
        if counts.taken:
            split_metadata = {**metadata, "split": split, "skipped": dict(counts.skipped)}
            report.splits[split] = write_split(
                cache.staged / f"{split}.parquet", rendered.samples(split), split_metadata
            )
    write_problems(cache.staged / PROBLEMS, RenderProblem._fields, rendered.problems)
    cache.publish()
    if cache.resumed:
        report.lines.append("resumed an earlier, interrupted preparation")
    report.lines += [*notes, *rendered.report_lines()]
    if rendered.problems:
        report.lines.append(f"formulas without an image, with reasons: {folder / PROBLEMS}")
    report.lines += stale_warnings(folder, report.splits)
    return report


def with_labels(split: Split, labels: str) -> Split:
    """Returns a split with the labels of a normalisation form, `norm` (as stored) or `tok`."""
    if labels == "norm":
        return split
    return split.relabel((text.split() for text in split.extras("tok")), {"labels": labels})
