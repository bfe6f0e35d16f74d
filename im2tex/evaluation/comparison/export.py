"""Comparisons for files and machines: JSON, and what changed as JSON lines or a page."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.comparison.comparison import Comparison, Right, SplitComparison
from im2tex.evaluation.comparison.markdown import markdown_page
from im2tex.evaluation.comparison.terminal import legend, of
from im2tex.evaluation.results import SampleResult
from im2tex.utils.files import atomic_write
from im2tex.utils.untrusted_text import escape_surrogates

SUFFIXES = (".jsonl", ".md")


def comparison_record(
    comparisons: Sequence[Comparison], resamples: int, seed: int
) -> dict[str, Any]:
    """Everything but the readings, in JSON's types; figures that are not known are null."""
    return {
        "format": 1,
        "results": {letter: str(one.path) for letter, one in legend(comparisons)},
        "bootstrap": {"resamples": resamples, "seed": seed, "level": 0.95},
        "comparisons": [
            {
                "a": one.letters[0],
                "b": one.letters[1],
                "notes": list(one.notes),
                "splits": {split.split: _split_record(split) for split in one.splits},
            }
            for one in comparisons
        ],
    }


def change_records(comparisons: Sequence[Comparison]) -> Iterator[dict[str, Any]]:
    """A record for each sample that was read or judged differently.

    Keys: `split`, `key`, `by` (the verdict that decides), `right` (whose reading is: a letter,
    `both`, `neither`; null where that is not known), `gold`, and under each test's letter its
    `prediction`, `verdicts`, `failed_at` and `score`.
    """
    for one in comparisons:
        for split in one.splits:
            for change in split.changes:
                yield {
                    "split": split.split,
                    "key": change.a.key,
                    "by": split.by,
                    "right": _who(change.right, one.letters),
                    "gold": list(change.a.gold),
                    one.letters[0]: _reading(change.a),
                    one.letters[1]: _reading(change.b),
                }


def write_changes(path: Path, comparisons: Sequence[Comparison], resamples: int, seed: int) -> None:
    """Writes what changed, whole or not at all: `.jsonl` gets records, `.md` a page with tables.

    Raises:
        Im2TexError: for another suffix, or if the file cannot be written.
    """
    check_suffix(path)
    try:
        with atomic_write(path) as part, part.open("w", encoding="utf-8") as file:
            if path.suffix == ".md":
                file.writelines(map(escape_surrogates, markdown_page(comparisons, resamples, seed)))
            else:
                for record in change_records(comparisons):
                    file.write(escape_surrogates(json.dumps(record, ensure_ascii=False)) + "\n")
    except OSError as error:
        raise Im2TexError(f"cannot write {path}: {error.strerror or error}.") from error


def check_suffix(path: Path) -> None:
    """Refuses a file of a kind that `write_changes` does not write.

    Raises:
        Im2TexError: for another suffix.
    """
    if path.suffix not in SUFFIXES:
        raise Im2TexError(f"--out {path}: name a .jsonl file for JSON lines, or .md for Markdown.")


def _split_record(split: SplitComparison) -> dict[str, Any]:
    kinds: tuple[Right, ...] = ("a", "b", "both", "neither")
    verdicts = {
        verdict.name: {
            name: _finite(value)
            for name, value in {**asdict(verdict), "difference": verdict.difference}.items()
            if name != "name"
        }
        for verdict in split.verdicts
    }
    return {
        "samples": split.samples,
        "only_in_a": list(split.only_in_a),
        "only_in_b": list(split.only_in_b),
        "verdicts": verdicts,
        "by": split.by,
        "changed": {kind: [change.a.key for change in of(split, kind)] for kind in kinds}
        | {"unknown": [change.a.key for change in of(split, None)]},
    }


def _reading(sample: SampleResult) -> dict[str, Any]:
    return {
        "prediction": sample.prediction,
        "verdicts": {name: _finite(value) for name, value in sample.verdicts.items()},
        "failed_at": sample.failed_at,
        "score": _finite(sample.score),
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _who(right: Right | None, letters: tuple[str, str]) -> str | None:
    return {"a": letters[0], "b": letters[1]}.get(right, right) if right else None
