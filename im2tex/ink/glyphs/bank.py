r"""`GlyphBank`: drawn samples of every symbol, by many people, in one portable file.

This is the paper's "font" of its synthetic handwriting (its makers took the glyphs of Detexify; the
generator was never released). A glyph is a symbol written alone: its strokes from the left top
corner of their box, the box's longer side 1 long, y downwards. Where the baseline lies cannot be
known from a symbol alone: whoever composes fits the glyph's box to the box that TeX gives.

`im2tex.ink.recombination.swap_bank.SwapBank` is another class: symbols of the training split
in use, in the size that they have within their own formula, for exchange in handwritten samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.ink.flat import FlatStrokes
from im2tex.ink.glyphs.simplify import simplify
from im2tex.ink.ink import Stroke
from im2tex.utils.files import atomic_write

FORMAT = 1
GRID = 1000
"""Steps of the stored grid along the longer side of a glyph's box."""
_TOLERANCE = 4.0  # grid steps that a line may be off: a sixth of a pixel in a symbol of 40 pixels
_CHUNK = 2000  # glyphs put on the grid at a time
_META = b"im2tex_glyphs"
_NAMES = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        ("token", _NAMES),
        ("source", _NAMES),
        ("writer", _NAMES),
        # x0 y0 x1 y1 … on the grid; but for a glyph's first point, what is added to the one before.
        ("steps", pa.list_(pa.int16())),
        ("points", pa.list_(pa.int16())),  # of each stroke
    ]
)


@dataclass(frozen=True, slots=True)
class GlyphSample:
    """One drawing of a symbol.

    Attributes:
        token: what it shows, as `im2tex.ink.glyphs.names.glyph_token` spells it.
        strokes: at least one, of at least one point each; any unit, y downwards.
        source: where it comes from: `crohme`, `detexify`, `composed` or `built-in`.
        writer: who drew it, or "" where nobody knows.
    """

    token: str
    strokes: tuple[Stroke, ...]
    source: str
    writer: str = ""


class GlyphBank:
    """Samples of symbols by token; made by `of`, `load` or `im2tex.ink.glyphs.making`.

    The order is that of tokens in code-point order, and within one of the samples as they were
    given: a token and an index mean the same glyph wherever the same file is read.

    Args:
        shapes: all glyphs, on the grid, sorted by token.
        rows: each token's own glyphs, first and behind the last.
        sources: names of the sources, and each glyph's number among them.
        writers: names of the writers ("" for unknown), and each glyph's number among them.
        substitutes: tokens without samples of their own, and whose samples they take.
        metadata: what is known of the whole: licences, counts, how it was made.

    Attributes:
        tokens: all that there are samples for, stand-ins included, sorted.
        substitutes: as given.
        metadata: as given.

    Raises:
        ValueError: if a stand-in has samples of its own, or takes those of a token without any.
    """

    def __init__(
        self,
        shapes: FlatStrokes,
        rows: Mapping[str, tuple[int, int]],
        sources: tuple[Sequence[str], NDArray[np.integer[Any]]],
        writers: tuple[Sequence[str], NDArray[np.integer[Any]]],
        substitutes: Mapping[str, Sequence[str]],
        metadata: Mapping[str, Any],
    ) -> None:
        self._shapes = shapes
        self._source_names, self._source_of = sources
        self._writer_names, self._writer_of = writers
        self._numbers = {name: number for number, name in enumerate(self._writer_names)}
        self.substitutes = {token: tuple(names) for token, names in substitutes.items()}
        self.metadata = dict(metadata)
        self._rows = {token: np.arange(*bounds) for token, bounds in rows.items()}
        for token, names in self.substitutes.items():
            if token in rows or not names or not all(name in rows for name in names):
                raise ValueError(f"{names} cannot stand in for {token}")
            self._rows[token] = np.concatenate([self._rows[name] for name in names])
        self.tokens = tuple(sorted(self._rows))
        ends = shapes.stroke_ends[shapes.symbol_ends]
        starts = ends[:-1]
        self._sizes = np.zeros((0, 2), np.float32)
        if len(starts):
            largest = np.maximum.reduceat(shapes.points, starts)
            self._sizes = largest.astype(np.float32) * np.float32(1 / GRID)  # (S, 2)

    @classmethod
    def of(
        cls,
        drawn: Iterable[GlyphSample],
        substitutes: Mapping[str, Sequence[str]] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> GlyphBank:
        """Puts drawings on the grid, in the order they come within each token.

        Points that a stroke's shape does not need are left out.

        Args:
            drawn: the drawings.
            substitutes: tokens without drawings, and whose drawings they take.
            metadata: what is to be known of the whole, in values that JSON can hold.
        """
        ordered = sorted(drawn, key=lambda one: one.token)
        rows: dict[str, tuple[int, int]] = {}
        for row, one in enumerate(ordered):
            rows[one.token] = (rows.get(one.token, (row, 0))[0], row + 1)
        return cls(
            _gridded([one.strokes for one in ordered]),
            rows,
            _numbered([one.source for one in ordered]),
            _numbered([one.writer for one in ordered]),
            substitutes or {},
            metadata or {},
        )

    @classmethod
    def load(cls, path: Path | str) -> GlyphBank:
        """Reads a bank.

        Raises:
            Im2TexError: if the file is missing, is no glyph bank, or has another format.
        """
        path = Path(path)
        try:
            file = pq.ParquetFile(path, memory_map=True)
            raw = (file.schema_arrow.metadata or {}).get(_META)
            table = file.read() if raw else None
        except FileNotFoundError:
            raise Im2TexError(
                f"{path} does not exist. `im2tex data glyphs --out {path}` makes it."
            ) from None
        except (pa.ArrowException, OSError) as error:
            raise Im2TexError(f"{path} cannot be read as a glyph bank: {error}") from error
        if raw is None or table is None:
            raise Im2TexError(f"{path} is a Parquet file, but no glyph bank.")
        metadata = json.loads(raw)
        if metadata.get("format") != FORMAT:
            raise Im2TexError(
                f"{path} has glyph bank format {metadata.get('format')}; this version reads "
                f"{FORMAT}. "
                "Make it again with `im2tex data glyphs`."
            )
        try:
            return cls._of_table(table.combine_chunks(), metadata)
        except (KeyError, ValueError, IndexError, pa.ArrowException) as error:
            raise Im2TexError(
                f"{path} is damaged ({error}). Make it again with `im2tex data glyphs`."
            ) from error

    @classmethod
    def _of_table(cls, table: pa.Table, metadata: dict[str, Any]) -> GlyphBank:
        columns = {name: _one(table.column(name)) for name in table.column_names}
        counts = columns["points"]
        stroke_ends = np.concatenate([[0], np.cumsum(counts.flatten().to_numpy())])
        symbol_ends = np.asarray(counts.offsets, dtype=np.int64)
        steps = columns["steps"].flatten().to_numpy().reshape(-1, 2)  # (P, 2)
        starts = stroke_ends[symbol_ends[:-1]]
        if stroke_ends[-1] != len(steps) or (starts >= len(steps)).any():
            raise ValueError("strokes and points do not match")
        points = np.cumsum(steps, axis=0, dtype=np.int32)
        # Each glyph begins anew: what was summed up before it is taken away.
        before = points[starts] - steps[starts]
        lengths = np.diff(np.append(starts, len(points)))
        points = (points - np.repeat(before, lengths, axis=0)).astype(np.int16)
        tokens, token_of = _names_of(columns["token"])
        if (np.diff(token_of) < 0).any() or list(tokens) != sorted(tokens):
            raise ValueError("the glyphs are not in the order of their tokens")
        bounds = np.searchsorted(token_of, np.arange(len(tokens) + 1)).tolist()
        rows = {token: (bounds[i], bounds[i + 1]) for i, token in enumerate(tokens)}
        substitutes = metadata.pop("substitutes", None) or metadata.pop("stand_ins", {})
        metadata.pop("format")
        return cls(
            FlatStrokes(points, stroke_ends, symbol_ends),
            rows,
            _names_of(columns["source"]),
            _names_of(columns["writer"]),
            substitutes,
            metadata,
        )

    def save(self, path: Path | str) -> None:
        """Writes the bank as one Parquet file, a glyph a row; `load` gives the same bank.

        Raises:
            Im2TexError: if it cannot be written.
        """
        path = Path(path)
        shapes = self._shapes
        starts = shapes.stroke_ends[shapes.symbol_ends]
        steps = np.diff(shapes.points, axis=0, prepend=np.zeros((1, 2), np.int16))
        steps[starts[:-1]] = shapes.points[starts[:-1]]
        own = sorted(set(self.tokens) - set(self.substitutes))
        token_of = np.repeat(np.arange(len(own)), [len(self._rows[token]) for token in own])
        metadata = {"format": FORMAT, "substitutes": self.substitutes, **self.metadata}
        table = pa.Table.from_arrays(
            [
                _dictionary(own, token_of),
                _dictionary(self._source_names, self._source_of),
                _dictionary(self._writer_names, self._writer_of),
                pa.ListArray.from_arrays(
                    pa.array(2 * starts, pa.int32()), pa.array(steps.astype(np.int16).ravel())
                ),
                pa.ListArray.from_arrays(
                    pa.array(shapes.symbol_ends, pa.int32()),
                    pa.array(np.diff(shapes.stroke_ends).astype(np.int16)),
                ),
            ],
            schema=_SCHEMA.with_metadata({_META: json.dumps(metadata).encode()}),
        )
        try:
            with atomic_write(path) as part:
                pq.write_table(table, part, compression="zstd", compression_level=19)
        except OSError as error:
            raise Im2TexError(
                f"cannot write {path}: {error.strerror or error}. Name another file, or make room."
            ) from error

    def __len__(self) -> int:
        """Glyphs, each counted once."""
        return len(self._shapes)

    def __contains__(self, token: str) -> bool:
        return token in self._rows

    def count(self, token: str) -> int:
        """How many samples there are for a token: its own, or those that stand in; else 0."""
        return len(self._rows.get(token, ()))

    def strokes(self, token: str, index: int) -> list[Stroke]:
        """One sample's strokes in the order they were written, each (n, 2) float32.

        From the left top corner of its box, y downwards; the box's longer side is 1, and a glyph
        that is a mere point lies at (0, 0).

        Raises:
            KeyError: for a token without samples.
            IndexError: for an index not below `count(token)`.
        """
        scale = np.float32(1 / GRID)
        return [stroke * scale for stroke in self._shapes.strokes(int(self._rows[token][index]))]

    def sizes(self, token: str) -> NDArray[np.float32]:
        """Width and height of each sample's box, (n, 2): the larger of the two is 1, or both 0.

        To choose a sample whose shape is near to that of the place it goes to.

        Raises:
            KeyError: for a token without samples.
        """
        return self._sizes[self._rows[token]]

    def writer(self, token: str, index: int) -> str:
        """Who drew a sample, or "" where nobody knows."""
        return self._writer_names[int(self._writer_of[self._rows[token][index]])]

    def source(self, token: str, index: int) -> str:
        """Where a sample comes from: `crohme`, `detexify`, `composed` or `built-in`."""
        return self._source_names[int(self._source_of[self._rows[token][index]])]

    @property
    def writers(self) -> tuple[str, ...]:
        """The writers known by name, sorted."""
        return tuple(sorted(name for name in self._writer_names if name))

    def by_writer(self, token: str, writer: str) -> NDArray[np.int64]:
        """Indices of a token's samples that one writer drew, ascending; none for an unknown one."""
        if token not in self._rows or not writer:
            return np.zeros(0, np.int64)
        number = self._numbers.get(writer, -1)
        return np.flatnonzero(self._writer_of[self._rows[token]] == number)

    def sources(self, token: str) -> dict[str, int]:
        """How many of a token's samples come from where."""
        numbers, counts = np.unique(self._source_of[self._rows[token]], return_counts=True)
        names = [self._source_names[int(number)] for number in numbers]
        return dict(zip(names, counts.tolist(), strict=True))


def _gridded(symbols: Sequence[Sequence[Stroke]]) -> FlatStrokes:
    """Symbols on the grid: moved to their box's corner, the longer side `GRID` long."""
    done: list[list[NDArray[Any]]] = []
    for first in range(0, len(symbols), _CHUNK):
        flat = FlatStrokes.of(symbols[first : first + _CHUNK])
        ends = flat.stroke_ends[flat.symbol_ends]
        starts, lengths = ends[:-1], np.diff(ends)
        points = flat.points.astype(np.float64)
        corner = np.minimum.reduceat(points, starts)
        sides = (np.maximum.reduceat(points, starts) - corner).max(axis=1)
        scale = GRID / np.where(sides > 0, sides, 1.0)
        points = (points - np.repeat(corner, lengths, 0)) * np.repeat(scale, lengths)[:, None]
        moved = FlatStrokes(np.rint(points).astype(np.int16), flat.stroke_ends, flat.symbol_ends)
        thin = simplify(moved, _TOLERANCE)
        done += [thin.strokes(i) for i in range(len(thin))]
    flat = FlatStrokes.of(done)
    return FlatStrokes(flat.points.astype(np.int16), flat.stroke_ends, flat.symbol_ends)


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    distinct = tuple(sorted(set(names)))
    numbers = {name: number for number, name in enumerate(distinct)}
    return distinct, np.array([numbers[name] for name in names], dtype=np.int32)


def _dictionary(names: Sequence[str], numbers: NDArray[Any]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(
        pa.array(numbers, pa.int32()), pa.array(list(names), pa.string())
    )


def _names_of(column: Any) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """A dictionary column's names, sorted, and each row's number among them."""
    names = column.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    return tuple(names[i] for i in order), place[column.indices.to_numpy()]


def _one(column: Any) -> Any:
    """A column's only chunk, or an empty array of its type."""
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
