"""`RowBatches`: random access to the rows of an Arrow table as samples."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from im2tex.data.sample import Sample, StoredLayout
from im2tex.ink.ink import Ink, Symbol
from im2tex.render.layout.layout import Layout

_MAX_OPEN = 2048  # record batches; an open one takes a few kilobytes


class RowBatches:
    """Record batches of samples; a batch is checked and opened when one of its rows is needed.

    Args:
        batches: a memory-mapped file, or batches in memory.
    """

    def __init__(self, batches: pa.RecordBatchFileReader | Sequence[pa.RecordBatch]) -> None:
        self._batches = batches
        count = len(batches) if isinstance(batches, Sequence) else batches.num_record_batches
        self._ends = np.cumsum([self.batch(k).num_rows for k in range(count)], dtype=np.int64)
        self._open: OrderedDict[int, _OpenBatch] = OrderedDict()

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def batch(self, k: int) -> pa.RecordBatch:
        """A record batch."""
        return (
            self._batches[k] if isinstance(self._batches, Sequence) else self._batches.get_batch(k)
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All record batches in order."""
        return map(self.batch, range(len(self._ends)))

    def sample(self, index: int) -> Sample:
        """Reads a row.

        Raises:
            ValueError: if the row is damaged.
            pyarrow.ArrowException: if its batch is damaged.
        """
        k = int(np.searchsorted(self._ends, index, side="right"))
        opened = self._open.get(k)
        if opened is None:
            opened = self._open[k] = _OpenBatch(self.batch(k))
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
        return opened.sample(index - int(self._ends[k]) + opened.rows)


class _OpenBatch:
    """Views of the columns of a record batch."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        batch.validate(full=True)
        self.rows = batch.num_rows
        self._columns = {name: batch.column(name) for name in batch.schema.names}
        strokes, symbols = self._columns["strokes"], self._columns["symbols"]
        self._has_ink = _valid(strokes)
        self._has_symbols = _valid(symbols)
        self._ink_ends = strokes.offsets.to_numpy()
        self._stroke_ends = strokes.values.offsets.to_numpy()
        self._points = strokes.values.values.to_numpy()
        self._symbol_ends = symbols.offsets.to_numpy()
        struct = symbols.values
        self._tokens = struct.field("token")
        self._positions = struct.field("position").to_numpy()
        groups = struct.field("strokes")
        self._group_ends = groups.offsets.to_numpy()
        self._groups = groups.values.to_numpy()

    def sample(self, row: int) -> Sample:
        tokens = tuple(self._value("tokens", row))
        layout = self._value("layout", row)
        if layout is not None:
            extent = self._value("ink_extent", row)
            layout = StoredLayout(Layout.from_bytes(layout, tokens), *extent)
        return Sample(
            key=self._value("key", row),
            latex=self._value("latex", row),
            tokens=tokens,
            ink=self._ink(row) if self._has_ink[row] else None,
            image=self._value("image", row),
            layout=layout,
            extra=dict(self._value("extra", row) or ()),
        )

    def _value(self, name: str, row: int) -> Any:
        return self._columns[name][row].as_py()

    def _ink(self, row: int) -> Ink:
        first, end = self._ink_ends[row : row + 2].tolist()
        ends = self._stroke_ends[first : end + 1].tolist()
        return Ink(
            tuple(self._points[a:b].reshape(-1, 2) for a, b in pairwise(ends)),
            self._symbols(row) if self._has_symbols[row] else (),
        )

    def _symbols(self, row: int) -> tuple[Symbol, ...]:
        first, end = self._symbol_ends[row : row + 2].tolist()
        tokens = self._tokens.slice(first, end - first).to_pylist()
        positions = self._positions[first:end].tolist()
        ends = self._group_ends[first : end + 1].tolist()
        strokes = self._groups[ends[0] : ends[-1]].tolist() if end > first else []
        return tuple(
            Symbol(token, tuple(strokes[a - ends[0] : b - ends[0]]), position)
            for token, position, (a, b) in zip(tokens, positions, pairwise(ends), strict=True)
        )


def _valid(column: pa.Array) -> list[bool]:
    valid: list[bool] = column.is_valid().to_pylist()
    return valid
