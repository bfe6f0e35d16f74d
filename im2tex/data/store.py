"""The store: a Parquet file or several for each split, `ROOT/SOURCE/SPLIT.parquet`.

A split is read from a derived, memory-mapped file (`arrow_cache`): a row becomes Python objects
only when it is indexed, and processes share the pages.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from im2tex.data.arrow_cache import READ_ERRORS, derived_schema, open_derived
from im2tex.data.geometry import GEOMETRY_SCHEMA, Geometry
from im2tex.data.geometry_workers import measure_split
from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.row_batches import RowBatches, check_rows
from im2tex.data.sample import Sample
from im2tex.data.shards import remove_files, shard_path, split_files
from im2tex.errors import Im2TexError
from im2tex.utils.files import atomic_write, wrap_os_errors
from im2tex.utils.progress import progress_bar

FORMAT = 1
_META = b"im2tex"
_OPTIONAL_COLUMNS = {"layout", "ink_extent"}  # absent from older stores
_BATCH_ROWS = 1024  # of the derived file
_RENAMED_COLUMNS = {"written": "ink_extent"}
_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("latex", pa.string()),
        ("tokens", pa.list_(pa.string())),
        ("strokes", pa.list_(pa.list_(pa.float32()))),  # x0 y0 x1 y1 ... of each stroke
        ("image", pa.binary()),
        ("layout", pa.binary()),  # `Layout.to_bytes`
        ("ink_extent", pa.list_(pa.float32(), 3)),  # size, width and height of `StoredLayout`
        (
            "symbols",
            pa.list_(
                pa.struct(
                    [
                        ("token", pa.string()),
                        ("position", pa.int32()),
                        ("strokes", pa.list_(pa.int32())),
                    ]
                )
            ),
        ),
        ("extra", pa.map_(pa.string(), pa.string())),
    ]
)


def write_split(
    path: Path,
    samples: Iterable[Sample],
    metadata: Mapping[str, Any],
    chunk: int = 2048,
    rows_per_file: int | None = None,
) -> int:
    """Writes a split; after an error an earlier one is unchanged.

    Args:
        path: the file, `ROOT/SOURCE/SPLIT.parquet`. Folders are created.
        samples: in the order of the rows.
        metadata: of the whole split (source, counts, licence, ...), stored as JSON.
        chunk: number of samples held in memory.
        rows_per_file: writes shards of this many samples, `SPLIT-00000-of-00003.parquet`; one file
            if not given.

    Returns:
        The number of samples written.

    Raises:
        Im2TexError: if the file cannot be written, or two samples have the same key.
    """
    schema = _SCHEMA.with_metadata({_META: json.dumps({"format": FORMAT, **metadata}).encode()})
    pending = _rows(path, samples)
    with wrap_os_errors(f"write {path}", "Choose another folder with --root, or free disk space."):
        if rows_per_file is None:
            with atomic_write(path) as part:
                count = _write_rows(part, pending, schema, chunk)
            remove_files(path, keep=[path])
            return count
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
            counts: list[int] = []
            while not counts or counts[-1] == rows_per_file:
                part = Path(folder) / str(len(counts))
                counts.append(_write_rows(part, islice(pending, rows_per_file), schema, chunk))
            if len(counts) > 1 and not counts[-1]:
                counts.pop()
            shards = [shard_path(path, k, len(counts)) for k in range(len(counts))]
            for k, shard in enumerate(shards):
                (Path(folder) / str(k)).replace(shard)
            remove_files(path, keep=shards)
    return sum(counts)


def _rows(path: Path, samples: Iterable[Sample]) -> Iterator[dict[str, Any]]:
    keys: set[str] = set()
    for sample in samples:
        if sample.key in keys:
            raise Im2TexError(f"{path}: the key '{sample.key}' occurs twice in one split.")
        keys.add(sample.key)
        yield _row(sample)


def _write_rows(path: Path, rows: Iterator[dict[str, Any]], schema: pa.Schema, chunk: int) -> int:
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        while batch := list(islice(rows, chunk)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata of a split, read without its samples.

    Args:
        path: the Parquet file; if it does not exist, the first of its shards is read.

    Raises:
        Im2TexError: as for `Split`.
    """
    file = split_files(path)[0]
    with _explain_damage(file):
        schema = pq.read_schema(file)
        metadata = _parse_metadata(file, schema.metadata)
        names = {_RENAMED_COLUMNS.get(name, name) for name in schema.names}
        missing = {*_SCHEMA.names} - names - _OPTIONAL_COLUMNS
        if missing:
            raise ValueError(f"it has no column {', '.join(sorted(missing))}")
        return metadata


class Split(Sequence[Sample]):
    """A stored split, a sequence of samples, memory-mapped from a derived file (`arrow_cache`).

    Example:
        >>> split = Split(Path("data/grammar/test.parquet"))
        >>> len(split), split[0].tokens

    Args:
        path: the Parquet file; if it does not exist, its shards `SPLIT-00000-of-00003.parquet`.

    Attributes:
        metadata: as given to `write_split`.
        synthesizer: renders samples that have a layout as ink; set by the source.

    Raises:
        Im2TexError: if a file is missing, damaged, or of another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.synthesizer: HandwritingSynthesizer | None = None
        self._files = split_files(path)
        self.metadata = _common_metadata(self._files)
        self._indices: NDArray[np.int64] | None = None  # of the selected rows
        self._labels: list[tuple[str, ...]] | None = None  # in place of the stored ones
        with _explain_damage(path):
            schema = derived_schema(_SCHEMA, self._files)
        self._rows = open_derived(path, "samples", schema, self._write_samples, RowBatches)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the mapped files, which a worker process opens again."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_rows", "geometry")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        opened = Split(state["path"])
        self.__dict__.update({**opened.__dict__, **state})

    def __len__(self) -> int:
        return len(self._rows) if self._indices is None else len(self._indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        row = index if self._indices is None else int(self._indices[index])
        with _explain_damage(self.path, row):
            sample = self._rows.sample(row)
        return sample if self._labels is None else replace(sample, tokens=self._labels[index])

    @cached_property
    def geometry(self) -> Geometry:
        """Sizes of the samples for the planner of an epoch; measured on first use and stored."""
        with _explain_damage(self.path):
            schema = derived_schema(GEOMETRY_SCHEMA, self._files)
        geometry = open_derived(
            self.path, "geometry", schema, self._write_geometry, self._load_geometry
        )
        if self._indices is not None:
            geometry = geometry.take(self._indices)
        if self._labels is not None:
            geometry = geometry.relabel([len(label) for label in self._labels])
        return geometry

    def build_cache(self) -> None:
        """Makes the derived files, if they do not exist."""
        _ = self.geometry

    def tokens(self) -> Iterator[list[str]]:
        """The tokens of each sample, read without the strokes."""
        if self._labels is not None:
            return map(list, self._labels)
        return self._column("tokens")

    def token_counts(self) -> Counter[str]:
        """Number of occurrences of each token in the labels."""
        counts: Counter[str] = Counter()
        if self._indices is not None or self._labels is not None:
            for tokens in self.tokens():
                counts.update(tokens)
            return counts
        for column in self._rows.column("tokens"):
            tokens, numbers = column.flatten().value_counts().flatten()
            for token, number in zip(tokens.to_pylist(), numbers.to_pylist(), strict=True):
                counts[token] += number
        return counts

    def latex(self) -> Iterator[str]:
        """The original markup of each sample."""
        return self._column("latex")

    def extras(self, name: str) -> Iterator[str]:
        """`extra[name]` of each sample; "" for a sample without it."""
        for extra in self._column("extra"):
            yield dict(extra or ()).get(name, "")

    def all_keys(self) -> list[str]:
        """The key of each sample."""
        return list(self._column("key"))

    def take(self, indices: Sequence[int], metadata: Mapping[str, Any]) -> Split:
        """A split of the samples at `indices`, in that order; `metadata` is added to its own."""
        chosen = np.asarray(indices, dtype=np.int64)
        labels = None if self._labels is None else [self._labels[i] for i in chosen]
        rows = chosen if self._indices is None else self._indices[chosen]
        return self._replace(metadata, _indices=rows, _labels=labels)

    def relabel(self, labels: Iterable[Sequence[str]], metadata: Mapping[str, Any]) -> Split:
        """A split of the same samples with other tokens; `metadata` is added to its own."""
        return self._replace(metadata, _labels=list(map(tuple, labels)))

    def _replace(self, metadata: Mapping[str, Any], **attributes: Any) -> Split:
        other = copy(self)
        other.__dict__.pop("geometry", None)
        other._rows = self._rows
        other.__dict__.update(attributes)
        other.metadata = {**self.metadata, **metadata}
        return other

    def _column(self, name: str) -> Iterator[Any]:
        columns = (
            self._rows.column(name)
            if self._indices is None
            else self._rows.take(name, self._indices)
        )
        for column in columns:
            yield from column.to_pylist()

    def _load_geometry(self, reader: pa.RecordBatchFileReader, _: Path) -> Geometry:
        batch = reader.get_batch(0)
        batch.validate(full=True)
        if batch.num_rows != len(self._rows):
            raise ValueError("it has another number of samples")
        return Geometry.from_batch(batch)

    def _write_samples(self, path: Path, schema: pa.Schema) -> None:
        """Writes the rows of all files, uncompressed."""
        with (
            progress_bar(f"unpacking {self.path.name}", _count_rows(self._files)) as bar,
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, schema) as writer,
        ):
            for batch in _read_batches(self._files, schema):
                writer.write_batch(batch)
                bar.advance(batch.num_rows)

    def _write_geometry(self, path: Path, schema: pa.Schema) -> None:
        """Measures all samples, in several processes if there are many."""
        geometry = measure_split(Split, self.path)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(geometry.to_batch(schema))


def _common_metadata(files: Sequence[Path]) -> dict[str, Any]:
    """The metadata of the files of a split.

    Raises:
        Im2TexError: if they differ, or a file is damaged.
    """
    first, *others = map(read_metadata, files)
    for file, metadata in zip(files[1:], others, strict=True):
        if metadata != first:
            raise Im2TexError(
                f"{file} and {files[0].name} are from different preparations. Make the split again "
                "with `im2tex data prepare`."
            )
    return first


def _count_rows(files: Sequence[Path]) -> int:
    return sum(pq.read_metadata(file).num_rows for file in files)


def _read_batches(files: Sequence[Path], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Reads the rows of Parquet files, checked and with all columns of the schema.

    Raises:
        Im2TexError: if a file is damaged.
    """
    for file in files:
        with _explain_damage(file):
            opened = pq.ParquetFile(file, page_checksum_verification=True)
            for batch in opened.iter_batches(_BATCH_ROWS):
                complete = _complete(batch, schema)
                check_rows(complete)
                yield complete


def _complete(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch of an older store with all columns of the schema."""
    names = [_RENAMED_COLUMNS.get(name, name) for name in batch.schema.names]
    columns = dict(zip(names, batch.columns, strict=True))
    return pa.RecordBatch.from_arrays(
        [
            columns[field.name].cast(field.type)
            if field.name in columns
            else pa.nulls(batch.num_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )


@contextmanager
def _explain_damage(path: Path, row: int | None = None) -> Iterator[None]:
    """Replaces the errors of the libraries for a damaged file by one message.

    Raises:
        Im2TexError: if the file is missing or damaged.
    """
    try:
        yield
    except FileNotFoundError:
        raise Im2TexError(f"{path} does not exist.") from None
    except (*READ_ERRORS, KeyError, TypeError) as error:
        where = "" if row is None else f"row {row}: "
        reason = " ".join(str(error).split())
        raise Im2TexError(
            f"{path} cannot be read as a store: {where}{reason}. Make it again with `im2tex data "
            "prepare`."
        ) from error


def _parse_metadata(path: Path, stored: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    if not stored or _META not in stored:
        raise Im2TexError(f"{path} is a Parquet file, but not one of im2tex's stores.")
    metadata: dict[str, Any] = json.loads(stored[_META])
    if not isinstance(metadata, dict):
        raise ValueError("its metadata must be a JSON object")
    if metadata.get("format") != FORMAT:
        raise Im2TexError(
            f"{path} has store format {metadata.get('format')}; this version reads {FORMAT}. Make "
            "it again with `im2tex data prepare`."
        )
    return metadata


def _row(sample: Sample) -> dict[str, Any]:
    ink, layout = sample.ink, sample.layout
    return {
        "key": sample.key,
        "latex": sample.latex,
        "tokens": list(sample.tokens),
        "strokes": None if ink is None else [stroke.ravel() for stroke in ink.strokes],
        "image": sample.image,
        "layout": None if layout is None else layout.layout.to_bytes(),
        "ink_extent": None if layout is None else [layout.ink_size, layout.width, layout.height],
        "symbols": None if ink is None else [asdict(symbol) for symbol in ink.symbols],
        "extra": list(sample.extra.items()),
    }
