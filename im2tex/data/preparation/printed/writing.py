"""A finished drawing into the store: all of it, or nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from im2tex.data.preparation.printed import statistics
from im2tex.data.preparation.printed.rendering import Problem, SplitRenderer
from im2tex.data.source import PreparationReport
from im2tex.data.store import write_split
from im2tex.errors import Im2TexError

PROBLEMS = "problems.tsv"


def publish(
    drawing: SplitRenderer, folder: Path, about: Mapping[str, Any], notes: Iterable[str]
) -> PreparationReport:
    """Writes a store a split and the list of what was not drawn, then clears the cache.

    Args:
        drawing: after its run.
        folder: of the source's stores.
        about: what is known of all splits.
        notes: lines for a person to read before the statistics.

    Raises:
        Im2TexError: if something cannot be written. An earlier store is intact then, and what was
            drawn is kept for another try.
    """
    prepared = PreparationReport()
    staged = drawing.cache.staged
    for split, tally in drawing.tallies.items():
        if tally.taken:
            note = {**about, "split": split, "left_out": dict(tally.left_out)}
            samples = drawing.samples(split)
            prepared.splits[split] = write_split(staged / f"{split}.parquet", samples, note)
    _write_problems(staged / PROBLEMS, drawing.problems)
    drawing.cache.publish()
    if drawing.cache.resumed:
        prepared.lines.append("went on where an earlier preparation had stopped")
    prepared.lines += [*notes, *statistics.lines(drawing.tallies)]
    if drawing.problems:
        prepared.lines.append(f"what was not drawn, and why: {folder / PROBLEMS}")
    stale = sorted({path.stem for path in folder.glob("*.parquet")} - set(prepared.splits))
    prepared.lines += [
        f"warning: {folder / split}.parquet is from an earlier preparation and was left as it was"
        for split in stale
    ]
    return prepared


def _write_problems(path: Path, problems: Iterable[Problem]) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(Problem._fields)
            writer.writerows(problems)
    except OSError as error:
        raise Im2TexError(f"cannot write {path}: {error.strerror or error}.") from error
