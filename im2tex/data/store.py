"""The store: one Parquet file a split, `ROOT/SOURCE/SPLIT.parquet`.

Read as Arrow: no Python object is made for a row until that row is asked for, and worker
processes share the pages. A split is one portable file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from im2tex.data.handwriting_synthesizer import HandwritingSynthesizer
from im2tex.data.sample import LaidOut, Sample
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Symbol
from im2tex.render.layout.layout import Layout
from im2tex.utils.files import atomic_write

FORMAT = 1
_META = b"im2tex"
# What a damaged or hostile file makes the libraries raise; text that is not UTF-8, or no JSON, is a
# ValueError.
_DAMAGE = (pa.ArrowException, OSError, ValueError)
_LATER_COLUMNS = ("layout", "written")  # which stores made before have not
_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("latex", pa.string()),
        ("tokens", pa.list_(pa.string())),
        ("strokes", pa.list_(pa.list_(pa.float32()))),  # x0 y0 x1 y1 … a stroke
        ("image", pa.binary()),
        ("layout", pa.binary()),  # as `Layout.to_bytes` has it
        ("written", pa.list_(pa.float32(), 3)),  # unit, width and height, see `LaidOut`
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
    path: Path, samples: Iterable[Sample], about: Mapping[str, Any], chunk: int = 2048
) -> int:
    """Writes a split: to a temporary file first, so that a failure leaves no half a split.

    Args:
        path: the file, `ROOT/SOURCE/SPLIT.parquet`; folders are made.
        samples: in the order they are to be kept.
        about: what is known of the split as a whole (source, counts, licence, …), kept as JSON.
        chunk: samples held in memory at a time.

    Returns:
        The number of samples written.

    Raises:
        Im2TexError: if the folder cannot be written, the disk is full, or two keys are equal.
    """
    schema = _SCHEMA.with_metadata({_META: json.dumps({"format": FORMAT, **about}).encode()})
    seen: set[str] = set()
    try:
        with (
            atomic_write(path) as part,
            pq.ParquetWriter(part, schema, compression="zstd", write_page_checksum=True) as writer,
        ):
            rows: list[dict[str, Any]] = []
            for sample in samples:
                if sample.key in seen:
                    raise Im2TexError(f"{path}: the key '{sample.key}' occurs twice in one split.")
                seen.add(sample.key)
                rows.append(_row(sample))
                if len(rows) == chunk:
                    writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                    rows.clear()
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    except OSError as error:
        raise Im2TexError(
            f"cannot write {path}: {error.strerror or error}. "
            "Choose another folder with --root, or make room there."
        ) from error
    return len(seen)


def read_about(path: Path) -> dict[str, Any]:
    """What was said of a split when it was written, without reading its samples.

    Raises:
        Im2TexError: as for `Split`.
    """
    try:
        return _about(path, pq.read_schema(path).metadata)
    except FileNotFoundError:
        raise Im2TexError(f"{path} does not exist.") from None
    except _DAMAGE as error:
        raise Im2TexError(_damaged(path, error)) from error


class Split(Sequence[Sample]):
    """A stored split, read row by row.

    Args:
        path: the Parquet file.

    Attributes:
        about: what was said of the split when it was written.
        synthesizer: composes the ink of layout-only samples; set by the source.

    Raises:
        Im2TexError: if the file is missing, is no store, or has a format this version cannot read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.synthesizer: HandwritingSynthesizer | None = None
        try:
            table = pq.read_table(path, memory_map=True, page_checksum_verification=True)
            self.about = _about(path, table.schema.metadata)
            missing = {*_SCHEMA.names} - {*table.column_names, *_LATER_COLUMNS}
            if missing:
                raise ValueError(f"it has no column {', '.join(sorted(missing))}")
        except FileNotFoundError:
            raise Im2TexError(f"{path} does not exist.") from None
        except _DAMAGE as error:
            raise Im2TexError(_damaged(path, error)) from error
        self._table = table.combine_chunks()

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        try:
            return self._sample(index)
        except (*_DAMAGE, KeyError, TypeError) as error:
            raise Im2TexError(_damaged(self.path, f"row {index}: {error}")) from error

    def _sample(self, index: int) -> Sample:
        row = {name: self._table.column(name)[index] for name in self._table.column_names}
        strokes = row["strokes"]
        ink = None
        if strokes.is_valid:
            symbols = row["symbols"].as_py() or []
            ink = Ink(
                tuple(
                    np.asarray(stroke.values, dtype=np.float32).reshape(-1, 2) for stroke in strokes
                ),
                tuple(Symbol(s["token"], tuple(s["strokes"]), s["position"]) for s in symbols),
            )
        tokens = tuple(row["tokens"].as_py())
        laid_out = None
        if "layout" in row and row["layout"].is_valid:  # stores made before have no such column
            layout = Layout.from_bytes(row["layout"].as_py(), tokens)
            laid_out = LaidOut(layout, *row["written"].as_py())
        return Sample(
            key=row["key"].as_py(),
            latex=row["latex"].as_py(),
            tokens=tokens,
            ink=ink,
            image=row["image"].as_py(),
            laid_out=laid_out,
            extra=dict(row["extra"].as_py() or ()),
        )

    def tokens(self) -> Iterator[list[str]]:
        """The token lists alone, without reading any ink."""
        for tokens in self._table.column("tokens"):
            yield tokens.as_py()

    def latex(self) -> Iterator[str]:
        """The markup as found, of each sample."""
        for latex in self._table.column("latex"):
            yield latex.as_py()

    def extras(self, name: str) -> Iterator[str]:
        """What the source knows of each sample under a name; empty where it knows nothing."""
        for extra in self._table.column("extra"):
            yield dict(extra.as_py() or ()).get(name, "")

    def take(self, numbers: Sequence[int], about: Mapping[str, Any]) -> Split:
        """Some of the samples, in the order given.

        Args:
            numbers: of the samples.
            about: what to add to what is known of the split.
        """
        return self._changed(self._table.take(pa.array(numbers, pa.int64())), about)

    def relabel(self, labels: Iterable[Sequence[str]], about: Mapping[str, Any]) -> Split:
        """The same samples with other tokens.

        Args:
            labels: tokens of each sample, in order.
            about: what to add to what is known of the split.
        """
        column = self._table.schema.get_field_index("tokens")
        field = self._table.schema.field(column)
        tokens = pa.chunked_array([pa.array(map(list, labels), field.type)])
        return self._changed(self._table.set_column(column, field, tokens), about)

    def _changed(self, table: pa.Table, about: Mapping[str, Any]) -> Split:
        other = copy(self)
        other._table = table.combine_chunks()
        other.about = {**self.about, **about}
        return other

    def all_keys(self) -> list[str]:
        """The keys, in order."""
        return list(self._table.column("key").to_pylist())


def _damaged(path: Path, reason: object) -> str:
    text = " ".join(str(reason).split())
    return f"{path} cannot be read as a store: {text}. Make it again with `im2tex data prepare`."


def _about(path: Path, metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    if _META not in (metadata or {}):
        raise Im2TexError(f"{path} is a Parquet file, but not one of im2tex's stores.")
    assert metadata is not None
    about: dict[str, Any] = json.loads(metadata[_META])
    if not isinstance(about, dict):
        raise ValueError("what is said of it is no JSON object")
    if about.get("format") != FORMAT:
        raise Im2TexError(
            f"{path} has store format {about.get('format')}; this version reads {FORMAT}. Make it "
            "again with `im2tex data prepare`."
        )
    return about


def _row(sample: Sample) -> dict[str, Any]:
    ink, laid_out = sample.ink, sample.laid_out
    return {
        "key": sample.key,
        "latex": sample.latex,
        "tokens": list(sample.tokens),
        "strokes": None if ink is None else [stroke.ravel() for stroke in ink.strokes],
        "image": sample.image,
        "layout": None if laid_out is None else laid_out.layout.to_bytes(),
        "written": None if laid_out is None else [laid_out.unit, laid_out.width, laid_out.height],
        "symbols": None
        if ink is None
        else [
            {"token": s.token, "position": s.position, "strokes": list(s.strokes)}
            for s in ink.symbols
        ],
        "extra": list(sample.extra.items()),
    }
