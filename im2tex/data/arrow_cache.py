"""Derived files of a split: its samples and their geometry as memory-mapped Arrow files.

A store is compressed, so that it cannot be memory-mapped. `ROOT/SOURCE/.arrow/SPLIT.samples.arrow`
has the same rows uncompressed, and `SPLIT.geometry.arrow` the columns of `Geometry`. Processes that
open them share their pages. They are made from the Parquet files on first use, and made again if
these change. Where the folder cannot be written, they are in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from im2tex.errors import Im2TexError
from im2tex.utils.cache_folder import user_cache_folder
from im2tex.utils.files import atomic_write

VERSION = 1
_FINGERPRINT = b"im2tex"


def fingerprint(files: Sequence[Path]) -> bytes:
    """Identifies the content of a split's Parquet files by their sizes and times."""
    states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return json.dumps([VERSION, states]).encode()


def open_derived(
    split: Path, kind: str, expected: bytes, build: Callable[[Path], None]
) -> pa.RecordBatchFileReader:
    """Opens a derived file of a split, and makes it if it is missing, stale or damaged.

    Args:
        split: path of the split.
        kind: `samples` or `geometry`.
        expected: fingerprint that the file must have.
        build: writes the file to a path.

    Raises:
        Im2TexError: if neither folder can be written, or `build` raises it.
    """
    candidates = _candidates(split, kind)
    for path in candidates:
        reader = _open(path, expected)
        if reader is not None:
            return reader
    target = next(filter(_is_writable, candidates), None)
    if target is None:
        raise Im2TexError(
            f"{candidates[0].parent} cannot be written, which im2tex needs to read {split}. Give "
            "write access, or set XDG_CACHE_HOME to a folder with enough space."
        )
    with atomic_write(target) as part:
        build(part)
    reader = _open(target, expected)
    if reader is None:
        raise Im2TexError(f"{split} changes while it is read. Start again when it is complete.")
    return reader


def derived_schema(schema: pa.Schema, expected: bytes) -> pa.Schema:
    """A schema with the fingerprint of the split."""
    return schema.with_metadata({_FINGERPRINT: expected})


def _candidates(split: Path, kind: str) -> list[Path]:
    name = f"{split.stem}.{kind}.arrow"
    paths = [split.parent / ".arrow" / name]
    cache = user_cache_folder()
    if cache is not None:
        digest = hashlib.sha256(os.fsencode(split.absolute())).hexdigest()[:16]
        paths.append(cache / "stores" / digest / name)
    return paths


def _is_writable(path: Path) -> bool:
    try:
        with atomic_write(path.with_name(f"{path.name}.test")) as part:
            part.touch()
        path.with_name(f"{path.name}.test").unlink()
    except OSError:
        return False
    return True


def _open(path: Path, expected: bytes) -> pa.RecordBatchFileReader | None:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
    except (OSError, pa.ArrowException):
        return None
    metadata = reader.schema.metadata or {}
    return reader if metadata.get(_FINGERPRINT) == expected else None
