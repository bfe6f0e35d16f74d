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
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from im2tex.errors import Im2TexError
from im2tex.utils.cache_folder import user_cache_folder
from im2tex.utils.files import atomic_write, wrap_os_errors

VERSION = 2
READ_ERRORS = (pa.ArrowException, OSError, ValueError)  # of a damaged or hostile file
KINDS = ("samples", "geometry")

T = TypeVar("T")


def open_derived(
    split: Path,
    kind: str,
    schema: pa.Schema,
    build: Callable[[Path, pa.Schema], None],
    load: Callable[[pa.RecordBatchFileReader, Path], T],
) -> T:
    """Opens a derived file of a split, and makes it if it is missing, stale or damaged.

    Several processes may do so at the same time.

    Args:
        split: path of the split.
        kind: one of `KINDS`.
        schema: of the file, from `derived_schema`.
        build: writes the file, given its path and the schema.
        load: converts the opened file, whose path is the second argument; it raises one of
            `READ_ERRORS` for a damaged one.

    Raises:
        Im2TexError: if no folder can be written, or `build` raises it.
    """
    paths = _paths(split, kind)
    for path in paths:
        with suppress(*READ_ERRORS):
            return load(_open(path, schema), path)
    target = next(filter(_is_writable, paths), None)
    if target is None:
        raise Im2TexError(
            f"{paths[0].parent} cannot be written, which im2tex needs to read {split}. Give write "
            "access, or set XDG_CACHE_HOME to a folder with enough space."
        )
    advice = "Free disk space there, or set XDG_CACHE_HOME to another folder."
    with wrap_os_errors(f"write {target}", advice), atomic_write(target) as part:
        build(part, schema)
    try:
        return load(_open(target, schema), target)
    except READ_ERRORS as error:
        raise Im2TexError(
            f"{split} was changed while it was read. Start again when it is complete."
        ) from error


def derived_schema(schema: pa.Schema, files: Sequence[Path]) -> pa.Schema:
    """A schema with a fingerprint of a split's Parquet files: their sizes, times and footers.

    Raises:
        OSError: if one cannot be read.
    """
    fingerprint = json.dumps([VERSION, [_state(file) for file in files]])
    return schema.with_metadata({b"im2tex": fingerprint.encode()})


def remove_derived(split: Path) -> None:
    """Removes the derived files of a split, if they exist."""
    for kind in KINDS:
        for path in _paths(split, kind):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _state(file: Path) -> tuple[str, int, int, str]:
    with file.open("rb") as stream:
        status = os.fstat(stream.fileno())
        stream.seek(-8, os.SEEK_END)
        length = int.from_bytes(stream.read(4), "little")
        stream.seek(max(0, status.st_size - 8 - length))
        footer = hashlib.sha256(stream.read()).hexdigest()
    return file.name, status.st_size, status.st_mtime_ns, footer


def _paths(split: Path, kind: str) -> list[Path]:
    """Where a derived file can be: beside the split, or in the user's cache folder."""
    name = f"{split.stem}.{kind}.arrow"
    paths = [split.parent / ".arrow" / name]
    cache = user_cache_folder()
    if cache is not None:
        digest = hashlib.sha256(os.fsencode(split.absolute())).hexdigest()[:16]
        paths.append(cache / "stores" / digest / name)
    return paths


def _is_writable(path: Path) -> bool:
    test = path.with_name(f"{path.name}.test")
    try:
        with atomic_write(test) as part:
            part.touch()
        test.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _open(path: Path, schema: pa.Schema) -> pa.RecordBatchFileReader:
    """Opens a derived file.

    Raises:
        OSError: if it cannot be read.
        pyarrow.ArrowException: if it is damaged.
        ValueError: if it has another schema or fingerprint.
    """
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    if not reader.schema.equals(schema, check_metadata=True):
        raise ValueError(f"{path} is not derived from the present split")
    return reader
