"""The last steps of a preparation: staging a store, listing problems, warning of stale splits."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from im2tex.data.shards import remove_files, stored_splits
from im2tex.utils.files import atomic_write, wrap_os_errors

PROBLEMS = "problems.tsv"
"""File beside a store that lists skipped samples and other problems, a line each."""

_ADVICE = "Choose another folder with --root, or free space there."


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yields an empty folder whose files move to `folder` at the end, unless an error occurs.

    Raises:
        Im2TexError: if `folder` cannot be written.
    """
    staged = folder / f".preparing-{os.getpid()}"
    with wrap_os_errors(f"write to {folder}", _ADVICE):
        staged.mkdir(parents=True, exist_ok=True)
    try:
        yield staged
        move_files(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def move_files(staged: Path, folder: Path) -> None:
    """Moves all files of a staging folder to another folder, where they replace older ones.

    Shards of older splits are removed if the new split has others.

    Raises:
        Im2TexError: if the folder cannot be written.
    """
    with wrap_os_errors(f"write to {folder}", _ADVICE):
        splits = stored_splits(staged)
        moved = [file.replace(folder / file.name) for file in sorted(staged.iterdir())]
        for split in splits:
            remove_files(folder / f"{split}.parquet", keep=moved)


def write_problems(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a list of problems as tab-separated text with a header.

    Raises:
        Im2TexError: if the file cannot be written.
    """
    with (
        wrap_os_errors(f"write to {path.parent}", _ADVICE),
        atomic_write(path) as part,
        part.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def stale_warnings(folder: Path, splits: Collection[str]) -> list[str]:
    """Returns a warning for each split in the folder that this preparation did not write."""
    stale = sorted(set(stored_splits(folder)) - set(splits))
    return [
        f"warning: {folder / split}.parquet is from an earlier preparation and was not changed"
        for split in stale
    ]
