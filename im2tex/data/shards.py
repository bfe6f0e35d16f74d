"""Files of a split: `SPLIT.parquet`, or shards such as `SPLIT-00000-of-00003.parquet`."""

from __future__ import annotations

import glob
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from im2tex.errors import Im2TexError

_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.parquet")


def shard_path(split: Path, number: int, count: int) -> Path:
    """The file of one of `count` shards.

    Args:
        split: `ROOT/SOURCE/SPLIT.parquet`.
        number: of the shard, from 0.
        count: number of shards.
    """
    return split.with_name(f"{split.stem}-{number:05d}-of-{count:05d}.parquet")


def split_files(split: Path) -> list[Path]:
    """The Parquet files of a split in order: one, or its shards.

    Args:
        split: `ROOT/SOURCE/SPLIT.parquet`, whether this file exists or not.

    Raises:
        Im2TexError: if there is none, a shard is missing, or there is one too many.
    """
    found = set(_existing_files(split))
    if not found:
        raise Im2TexError(f"{split} does not exist.")
    if found == {split}:
        return [split]
    largest = max(found - {split}, key=lambda file: file.name.rpartition("-of-")[2])
    count = int(largest.stem.rpartition("-")[2])
    expected = [shard_path(split, number, count) for number in range(count)]
    for file in sorted(found.difference(expected)):
        raise Im2TexError(
            f"{file} and {largest.name} cannot both belong to the split '{split.stem}'. Remove the "
            "older one, or make the split again with `im2tex data prepare`."
        )
    for file in expected:
        if file not in found:
            raise Im2TexError(
                f"{file} is missing, one of {count} files of the split '{split.stem}'. Copy it "
                "again, or make the split again with `im2tex data prepare`."
            )
    return expected


def stored_splits(folder: Path) -> list[str]:
    """Names of the splits in a folder, sorted."""
    names = set()
    for file in folder.glob("*.parquet"):
        match = _SHARD.fullmatch(file.name)
        names.add(match[1] if match else file.stem)
    return sorted(names)


def remove_files(split: Path, keep: Collection[Path] = ()) -> None:
    """Removes the Parquet files of a split except those in `keep`.

    Raises:
        OSError: if one cannot be removed.
    """
    for file in _existing_files(split):
        if file not in keep:
            file.unlink(missing_ok=True)


def _existing_files(split: Path) -> Iterator[Path]:
    if split.exists():
        yield split
    for file in sorted(split.parent.glob(f"{glob.escape(split.stem)}-*-of-*.parquet")):
        match = _SHARD.fullmatch(file.name)
        if match is not None and match[1] == split.stem:
            yield file
