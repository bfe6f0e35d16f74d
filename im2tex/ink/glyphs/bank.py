r"""`GlyphBank`: drawn samples of every symbol, by many writers, in one file.

This is the paper's "font" of its synthetic handwriting (its makers took the glyphs of Detexify; the
generator was never released). A glyph is a symbol written alone: its strokes relative to the top
left corner of its box, scaled to a longer side of 1, y downwards. The baseline of a single symbol
is unknown: the composer fits the glyph's box to the box that TeX gives.

`im2tex.ink.recombination.swap_bank.SwapBank` is another class: symbols of the training split in
use, in the size they have within their own formula, for exchange in handwritten samples.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.ink.flat import FlatStrokes
from im2tex.ink.glyphs.quantization import GRID, decode_steps, encode_steps, quantize
from im2tex.ink.ink import Stroke
from im2tex.utils.files import atomic_write, wrap_os_errors

FORMAT = 1
SCALE = np.float32(1 / GRID)
"""Factor on the points of `GlyphBank.shapes`."""
_METADATA_KEY = b"im2tex_glyphs"
_NAMES = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    [
        ("token", _NAMES),
        ("source", _NAMES),
        ("writer", _NAMES),
        # x0 y0 x1 y1 … on the grid: the first point of a glyph, then differences between points.
        ("steps", pa.list_(pa.int16())),
        ("points", pa.list_(pa.int16())),  # number of points of each stroke
    ]
)


@dataclass(frozen=True, slots=True)
class GlyphSample:
    """One drawing of a symbol.

    Example:
        >>> minus = GlyphSample("-", (np.array([[0, 0], [10, 0]], np.float32),), "own", "ann")
        >>> bank = GlyphBank.of([minus])

    Attributes:
        token: the symbol, as `im2tex.ink.glyphs.names.glyph_token` spells it.
        strokes: at least one, of at least one point each; any unit, y downwards.
        source: origin: `crohme`, `detexify`, `composed` or `built-in`.
        writer: name of the writer, or "" if unknown.
    """

    token: str
    strokes: tuple[Stroke, ...]
    source: str
    writer: str = ""


class GlyphBank:
    """Samples of symbols by token; made by `of`, `load` or `im2tex.ink.glyphs.making`.

    Tokens are in code-point order, and the samples of each token in the given order: a token and
    an index always refer to the same glyph of the same file.

    Example:
        >>> bank = GlyphBank.load("glyphs.parquet")
        >>> bank.count("x"), bank.writer("x", 0)
        (1000, 'HAMEX/17')
        >>> strokes = bank.strokes("x", 0)

    Args:
        shapes: all glyphs, on the grid, sorted by token.
        tokens: token of each glyph.
        sources: source of each glyph.
        writers: writer of each glyph ("" for unknown).
        substitutes: tokens without samples of their own, and the tokens whose samples they use.
        metadata: licences, counts and settings, in values that JSON can store.

    Attributes:
        tokens: all tokens that have samples, those with substitutes included, sorted.
        shapes: as given.
        writers: the known writers, sorted.
        writer_ids: (S,) index in `writers` of each glyph's writer; -1 if unknown.
        substitutes: as given.
        metadata: as given.

    Raises:
        ValueError: if the glyphs are not sorted, or if a token with substitutes has samples of its
            own, or a substitute has none.
    """

    def __init__(
        self,
        shapes: FlatStrokes,
        tokens: Sequence[str],
        sources: Sequence[str],
        writers: Sequence[str],
        substitutes: Mapping[str, Sequence[str]],
        metadata: Mapping[str, Any],
    ) -> None:
        if list(tokens) != sorted(tokens):
            raise ValueError("the glyphs are not in the order of their tokens")
        self.shapes = shapes
        self._tokens = tokens
        self._sources = sources
        self._writers = writers
        self.writers = tuple(sorted({*writers} - {""}))
        writer_ids = {name: index for index, name in enumerate(self.writers)}
        self.writer_ids = np.array([writer_ids.get(name, -1) for name in writers], np.int32)
        self._rows: dict[str, NDArray[np.int64]] = {
            token: np.array(list(rows))
            for token, rows in groupby(range(len(tokens)), tokens.__getitem__)
        }
        own = set(self._rows)
        self.substitutes = {token: tuple(names) for token, names in substitutes.items()}
        for token, others in self.substitutes.items():
            if token in own or not others or not own.issuperset(others):
                raise ValueError(f"{others} cannot substitute {token}")
            self._rows[token] = np.concatenate([self._rows[name] for name in others])
        self.tokens = tuple(sorted(self._rows))
        self.metadata = dict(metadata)

    @classmethod
    def of(
        cls,
        drawn: Iterable[GlyphSample],
        substitutes: Mapping[str, Sequence[str]] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> GlyphBank:
        """Quantises drawings, and removes points that do not change the shape of a stroke.

        Args:
            drawn: the drawings.
            substitutes: tokens without drawings, and the tokens whose drawings they use.
            metadata: licences, counts and settings, in values that JSON can store.
        """
        samples = sorted(drawn, key=lambda sample: sample.token)
        return cls(
            quantize([sample.strokes for sample in samples]),
            [sample.token for sample in samples],
            [sample.source for sample in samples],
            [sample.writer for sample in samples],
            substitutes or {},
            metadata or {},
        )

    @classmethod
    def load(cls, path: Path | str) -> GlyphBank:
        """Reads a bank.

        Raises:
            Im2TexError: if the file is missing, is not a glyph bank, or has another format.
        """
        path = Path(path)
        again = "Make it again with `im2tex data glyphs`."
        try:
            table = pq.ParquetFile(path, memory_map=True).read()
        except FileNotFoundError:
            raise Im2TexError(
                f"{path} does not exist. `im2tex data glyphs --out {path}` makes it."
            ) from None
        except (pa.ArrowException, OSError) as error:
            raise Im2TexError(f"{path} cannot be read as a glyph bank: {error}") from error
        raw = (table.schema.metadata or {}).get(_METADATA_KEY)
        if raw is None:
            raise Im2TexError(f"{path} is a Parquet file, but not a glyph bank.")
        metadata = json.loads(raw)
        version = metadata.pop("format", None)
        if version != FORMAT:
            raise Im2TexError(
                f"{path} has glyph bank format {version}; this version reads {FORMAT}. {again}"
            )
        # Banks of version 0.1 have the key "stand_ins".
        substitutes = metadata.pop("substitutes", None) or metadata.pop("stand_ins", {})
        try:
            table = table.combine_chunks()
            tokens, sources, writers = (
                table.column(name).cast(pa.string()).to_pylist()
                for name in ("token", "source", "writer")
            )
            return cls(_shapes_of(table), tokens, sources, writers, substitutes, metadata)
        except (KeyError, ValueError, IndexError, pa.ArrowException) as error:
            raise Im2TexError(f"{path} is damaged ({error}). {again}") from error

    def save(self, path: Path | str) -> None:
        """Writes the bank as one Parquet file, one glyph per row; `load` restores the same bank.

        Raises:
            Im2TexError: if it cannot be written.
        """
        path = Path(path)
        shapes = self.shapes
        steps = encode_steps(shapes)
        metadata = {"format": FORMAT, "substitutes": self.substitutes, **self.metadata}
        names = (self._tokens, self._sources, self._writers)
        table = pa.Table.from_arrays(
            [
                *(pa.array(column, pa.string()).dictionary_encode() for column in names),
                pa.ListArray.from_arrays(
                    pa.array(2 * shapes.point_starts, pa.int32()), pa.array(steps.ravel())
                ),
                pa.ListArray.from_arrays(
                    pa.array(shapes.symbol_ends, pa.int32()),
                    pa.array(np.diff(shapes.stroke_ends).astype(np.int16)),
                ),
            ],
            schema=_SCHEMA.with_metadata({_METADATA_KEY: json.dumps(metadata).encode()}),
        )
        with (
            wrap_os_errors(f"write {path}", "Name another file, or free disk space."),
            atomic_write(path) as part,
        ):
            pq.write_table(table, part, compression="zstd", compression_level=19)

    def __len__(self) -> int:
        """Number of glyphs, each counted once."""
        return len(self.shapes)

    def __contains__(self, token: str) -> bool:
        return token in self._rows

    def count(self, token: str) -> int:
        """Number of samples of a token: its own, or those of its substitutes; 0 if unknown."""
        return len(self._rows.get(token, ()))

    def strokes(self, token: str, index: int) -> list[Stroke]:
        """Strokes of one sample in the order they were written, each (n, 2) float32.

        Relative to the top left corner of its box, y downwards; the box's longer side is 1, and a
        single point lies at (0, 0).

        Raises:
            KeyError: for a token without samples.
            IndexError: if index >= `count(token)`.
        """
        return [stroke * SCALE for stroke in self.shapes.strokes(int(self._rows[token][index]))]

    def rows(self, token: str) -> NDArray[np.int64]:
        """Indices of a token's samples in `shapes` and `writer_ids`, in the order of `strokes`.

        Raises:
            KeyError: for a token without samples.
        """
        return self._rows[token]

    def writer(self, token: str, index: int) -> str:
        """Name of a sample's writer, or "" if unknown."""
        return self._writers[int(self._rows[token][index])]

    def source(self, token: str, index: int) -> str:
        """Origin of a sample: `crohme`, `detexify`, `composed` or `built-in`."""
        return self._sources[int(self._rows[token][index])]

    def sources(self, token: str) -> dict[str, int]:
        """Number of a token's samples by source."""
        return dict(Counter(self._sources[i] for i in self._rows[token].tolist()))


def _shapes_of(table: pa.Table) -> FlatStrokes:
    """Shapes of a bank's table, which has at most one chunk."""
    if not len(table):
        return FlatStrokes.of([])
    counts, steps = table.column("points").chunk(0), table.column("steps").chunk(0)
    stroke_ends = np.concatenate([[0], np.cumsum(counts.flatten().to_numpy())])
    symbol_ends = np.asarray(counts.offsets, dtype=np.int64)
    return decode_steps(steps.flatten().to_numpy().reshape(-1, 2), stroke_ends, symbol_ends)
