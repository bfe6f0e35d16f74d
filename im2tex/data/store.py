"""The store: one Parquet file for each split, `ROOT/SOURCE/SPLIT.parquet`.

The file is memory-mapped as an Arrow table: a row becomes Python objects only when it is indexed,
and worker processes share the pages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from im2tex.data.geometry import Geometry
from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.sample import Sample, StoredLayout
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Symbol
from im2tex.render.layout.layout import Layout
from im2tex.utils.files import atomic_write, wrap_os_errors

FORMAT = 1
_META = b"im2tex"
_READ_ERRORS = (pa.ArrowException, OSError, ValueError)  # of a damaged or hostile file
_OPTIONAL_COLUMNS = {"layout", "ink_extent"}  # absent from older stores
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
    path: Path, samples: Iterable[Sample], metadata: Mapping[str, Any], chunk: int = 2048
) -> int:
    """Writes a split; after an error an earlier file is unchanged.

    Args:
        path: the file, `ROOT/SOURCE/SPLIT.parquet`. Folders are created.
        samples: in the order of the rows.
        metadata: of the whole split (source, counts, licence, ...), stored as JSON.
        chunk: number of samples held in memory.

    Returns:
        The number of samples written.

    Raises:
        Im2TexError: if the file cannot be written, or two samples have the same key.
    """
    schema = _SCHEMA.with_metadata({_META: json.dumps({"format": FORMAT, **metadata}).encode()})
    keys: set[str] = set()

    def rows() -> Iterator[dict[str, Any]]:
        for sample in samples:
            if sample.key in keys:
                raise Im2TexError(f"{path}: the key '{sample.key}' occurs twice in one split.")
            keys.add(sample.key)
            yield _row(sample)

    pending = rows()
    with (
        wrap_os_errors(f"write {path}", "Choose another folder with --root, or free disk space."),
        atomic_write(path) as part,
        pq.ParquetWriter(part, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        while batch := list(islice(pending, chunk)):
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    return len(keys)


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata of a split, read without its samples.

    Raises:
        Im2TexError: as for `Split`.
    """
    with _explain_damage(path):
        return _parse_metadata(path, pq.read_schema(path).metadata)


class Split(Sequence[Sample]):
    """A stored split, a sequence of samples.

    Example:
        >>> split = Split(Path("data/grammar/test.parquet"))
        >>> len(split), split[0].tokens

    Args:
        path: the Parquet file.

    Attributes:
        metadata: as given to `write_split`.
        synthesizer: renders samples that have a layout as ink; set by the source.

    Raises:
        Im2TexError: if the file is missing, damaged, or of another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.synthesizer: HandwritingSynthesizer | None = None
        with _explain_damage(path):
            table = pq.read_table(path, memory_map=True, page_checksum_verification=True)
            self.metadata = _parse_metadata(path, table.schema.metadata)
            names = [_RENAMED_COLUMNS.get(name, name) for name in table.column_names]
            missing = {*_SCHEMA.names} - {*names} - _OPTIONAL_COLUMNS
            if missing:
                raise ValueError(f"it has no column {', '.join(sorted(missing))}")
        self._table = table.rename_columns(names).combine_chunks()

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        with _explain_damage(self.path, index):
            return self._sample(index)

    def _sample(self, index: int) -> Sample:
        row = {name: self._table.column(name)[index] for name in self._table.column_names}
        ink = None
        if row["strokes"].is_valid:
            strokes = (np.asarray(one.values, dtype=np.float32) for one in row["strokes"])
            symbols = row["symbols"].as_py() or ()
            ink = Ink(
                tuple(points.reshape(-1, 2) for points in strokes),
                tuple(Symbol(s["token"], tuple(s["strokes"]), s["position"]) for s in symbols),
            )
        tokens = tuple(row["tokens"].as_py())
        layout = None
        if "layout" in row and row["layout"].is_valid:
            stored = Layout.from_bytes(row["layout"].as_py(), tokens)
            layout = StoredLayout(stored, *row["ink_extent"].as_py())
        return Sample(
            key=row["key"].as_py(),
            latex=row["latex"].as_py(),
            tokens=tokens,
            ink=ink,
            image=row["image"].as_py(),
            layout=layout,
            extra=dict(row["extra"].as_py() or ()),
        )

    @cached_property
    def geometry(self) -> Geometry:
        """Sizes of the samples, for the planner of an epoch."""
        return Geometry.of(self)

    def tokens(self) -> Iterator[list[str]]:
        """The tokens of each sample, read without the strokes."""
        for tokens in self._table.column("tokens"):
            yield tokens.as_py()

    def latex(self) -> Iterator[str]:
        """The original markup of each sample."""
        for latex in self._table.column("latex"):
            yield latex.as_py()

    def extras(self, name: str) -> Iterator[str]:
        """`extra[name]` of each sample; "" for a sample without it."""
        for extra in self._table.column("extra"):
            yield dict(extra.as_py() or ()).get(name, "")

    def all_keys(self) -> list[str]:
        """The key of each sample."""
        return list(self._table.column("key").to_pylist())

    def take(self, indices: Sequence[int], metadata: Mapping[str, Any]) -> Split:
        """A split of the samples at `indices`, in that order; `metadata` is added to its own."""
        return self._replace(self._table.take(pa.array(indices, pa.int64())), metadata)

    def relabel(self, labels: Iterable[Sequence[str]], metadata: Mapping[str, Any]) -> Split:
        """A split of the same samples with other tokens; `metadata` is added to its own."""
        column = self._table.schema.get_field_index("tokens")
        field = self._table.schema.field(column)
        tokens = pa.chunked_array([pa.array(map(list, labels), field.type)])
        return self._replace(self._table.set_column(column, field, tokens), metadata)

    def _replace(self, table: pa.Table, metadata: Mapping[str, Any]) -> Split:
        other = copy(self)
        other._table = table.combine_chunks()
        other.metadata = {**self.metadata, **metadata}
        return other


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
    except (*_READ_ERRORS, KeyError, TypeError) as error:
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
