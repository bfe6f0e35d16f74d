"""`RowBatches`: random access to the rows of a memory-mapped Arrow file as samples.

Rows are cut out of NumPy views of the columns; objects of pyarrow for single values would take most
of the time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from im2tex.data.sample import Sample, StoredLayout
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Symbol
from im2tex.render.layout.layout import Layout

_MAX_OPEN = 2048  # record batches; an open one takes a few kilobytes


class RowBatches:
    """Record batches of samples; a batch is checked and opened when one of its rows is needed.

    Args:
        file: its record batches have the columns of the store.
        path: of the file, for messages.
    """

    def __init__(self, file: pa.RecordBatchFileReader, path: Path) -> None:
        self._file = file
        self._path = path
        counts = [file.get_batch(k).num_rows for k in range(file.num_record_batches)]
        self._ends = np.cumsum(counts, dtype=np.int64)
        self._open: OrderedDict[int, _OpenBatch] = OrderedDict()

    def __len__(self) -> int:
        """Number of rows."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def sample(self, row: int) -> Sample:
        """Reads a row.

        Raises:
            Im2TexError: if the file is damaged.
            ValueError: if the sample has an invalid layout.
        """
        number = int(np.searchsorted(self._ends, row, side="right"))
        batch = self._open.get(number)
        if batch is None:
            with self._explain_damage():
                batch = self._open[number] = _OpenBatch(self._file.get_batch(number))
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
        return batch.sample(row - int(self._ends[number]) + batch.rows)

    def column(self, name: str) -> Iterator[pa.Array]:
        """A column, batch by batch.

        Raises:
            Im2TexError: if the file is damaged.
        """
        for number in range(len(self._ends)):
            yield self._column(name, number)

    def take(self, name: str, rows: NDArray[np.int64]) -> Iterator[pa.Array]:
        """Values of a column in the order of `rows`, in parts.

        Raises:
            Im2TexError: if the file is damaged.
        """
        numbers = np.searchsorted(self._ends, rows, side="right")
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))  # of rows in the same batch
        parts = np.split(rows, starts[1:]) if len(rows) else []
        for part, number in zip(parts, numbers[starts], strict=True):
            column = self._column(name, number)
            yield column.take(pa.array(part - self._ends[number] + len(column)))

    def _column(self, name: str, number: int) -> pa.Array:
        with self._explain_damage():
            column = self._file.get_batch(number).column(name)
            column.validate(full=True)
        return column

    @contextmanager
    def _explain_damage(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise Im2TexError(
                f"{self._path} is damaged: {reason}. Remove it; it is made again when it is needed."
            ) from error


def check_rows(batch: pa.RecordBatch) -> None:
    """Checks that each row can be read as a sample, except for its layout.

    Raises:
        ValueError: if one cannot.
        pyarrow.ArrowException: if the batch is invalid.
    """
    _OpenBatch(batch)


class _OpenBatch:
    """Views of the columns of a record batch."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        batch.validate(full=True)  # so that no index below leads out of the data
        self.rows = batch.num_rows
        self._key, self._latex = (_Texts(batch.column(name)) for name in ("key", "latex"))
        tokens, strokes = batch.column("tokens"), batch.column("strokes")
        self._token_ends, self._tokens = _ends(tokens), _Texts(tokens.values)
        self._has_ink = _valid(strokes)
        self._stroke_ends, self._point_ends = _ends(strokes), _ends(strokes.values)
        self._points = strokes.values.values.to_numpy()
        self._image, self._layout = (_Bytes(batch.column(name)) for name in ("image", "layout"))
        self._extent = batch.column("ink_extent").values.to_numpy(zero_copy_only=False)
        symbols = batch.column("symbols")
        groups = symbols.values.field("strokes")
        self._symbol_ends, self._group_ends = _ends(symbols), _ends(groups)
        self._symbol_tokens = _Texts(symbols.values.field("token"))
        self._positions = symbols.values.field("position").to_numpy()
        self._groups = groups.values.to_numpy()
        extra = batch.column("extra")
        self._extra_ends = _ends(extra)
        self._extra_keys, self._extra_values = _Texts(extra.keys), _Texts(extra.items)
        self._check()

    def _check(self) -> None:
        """Checks what `validate` does not know.

        Raises:
            ValueError: if a stroke or a symbol is not one.
        """
        if np.any(self._point_ends % 2) or np.any(np.diff(self._point_ends) == 0):
            raise ValueError("a stroke has no point, or an odd number of coordinates")
        if not np.isfinite(self._points[self._point_ends[0] : self._point_ends[-1]]).all():
            raise ValueError("a point of a stroke is not finite")
        strokes = np.repeat(np.diff(self._stroke_ends), np.diff(self._symbol_ends))  # by symbol
        strokes = np.repeat(strokes, np.diff(self._group_ends))
        groups = self._groups[self._group_ends[0] : self._group_ends[-1]]
        if np.any((groups < 0) | (groups >= strokes)):
            raise ValueError("a symbol has a stroke that its ink does not have")

    def sample(self, row: int) -> Sample:
        tokens = tuple(self._tokens.slice(*self._token_ends[row : row + 2].tolist()))
        layout = self._layout.value(row)
        first, end = self._extra_ends[row : row + 2].tolist()
        return Sample(
            key=self._key.value(row),
            latex=self._latex.value(row),
            tokens=tokens,
            ink=self._ink(row) if self._has_ink[row] else None,
            image=self._image.value(row),
            layout=None if layout is None else self._stored_layout(layout, tokens, row),
            extra=dict(
                zip(
                    self._extra_keys.slice(first, end),
                    self._extra_values.slice(first, end),
                    strict=True,
                )
            )
            if end > first
            else {},
        )

    def _stored_layout(self, data: bytes, tokens: tuple[str, ...], row: int) -> StoredLayout:
        extent = self._extent[3 * row : 3 * row + 3].tolist()
        return StoredLayout(Layout.from_bytes(data, tokens), *extent)

    def _ink(self, row: int) -> Ink:
        first, end = self._stroke_ends[row : row + 2].tolist()
        ends = self._point_ends[first : end + 1].tolist()
        points = self._points[ends[0] : ends[-1]].reshape(-1, 2)
        offsets = [(end - ends[0]) // 2 for end in ends]
        return Ink.of_points(points, offsets, self._symbols(row))

    def _symbols(self, row: int) -> tuple[Symbol, ...]:
        first, end = self._symbol_ends[row : row + 2].tolist()
        tokens = self._symbol_tokens.slice(first, end)
        positions = self._positions[first:end].tolist()
        ends = self._group_ends[first : end + 1].tolist()
        start = ends[0]
        strokes = self._groups[start : ends[-1]].tolist()
        return tuple(
            Symbol(token, tuple(strokes[a - start : b - start]), position)
            for token, position, (a, b) in zip(tokens, positions, pairwise(ends), strict=True)
        )


class _Bytes:
    """A column of byte strings."""

    def __init__(self, column: pa.Array) -> None:
        self._valid = _valid(column)
        self._ends = _ends(column)
        self._data = memoryview(column.buffers()[2] or b"")

    def value(self, row: int) -> bytes | None:
        if not self._valid[row]:
            return None
        first, end = self._ends[row : row + 2].tolist()
        return bytes(self._data[first:end])


class _Texts:
    """A column of strings."""

    def __init__(self, column: pa.Array) -> None:
        self._ends = _ends(column)
        self._data = memoryview(column.buffers()[2] or b"")

    def value(self, row: int) -> str:
        first, end = self._ends[row : row + 2].tolist()
        return str(self._data[first:end], "utf-8")

    def slice(self, first: int, end: int) -> list[str]:
        """The strings of the rows `first` to `end`."""
        ends = self._ends[first : end + 1].tolist()
        start = ends[0]
        data = self._data[start : ends[-1]]
        text = str(data, "utf-8")
        if len(text) == len(data):  # only ASCII
            return [text[a - start : b - start] for a, b in pairwise(ends)]
        return [str(data[a - start : b - start], "utf-8") for a, b in pairwise(ends)]


def _ends(column: pa.Array) -> NDArray[np.int32]:
    """(n + 1,) bounds of the n lists or strings of a column in its values."""
    if not len(column):
        return np.zeros(1, np.int32)
    return np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, 4 * column.offset)


def _valid(column: pa.Array) -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = column.is_valid().to_numpy(zero_copy_only=False)
    return valid
