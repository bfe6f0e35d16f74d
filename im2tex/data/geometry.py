"""`Geometry`: what the planner of an epoch must know of each sample, as columns of numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from im2tex.data.sample import Sample, StoredLayout
from im2tex.errors import Im2TexError
from im2tex.ink.images.ink_image import load_ink_image
from im2tex.ink.ink import Ink, Stroke, Symbol
from im2tex.ink.recombination.label_structure import aligned_structure
from im2tex.ink.recombination.recombine import crop, crop_candidates
from im2tex.ink.scale import image_symbol_size, ink_size

DIRECTIONS = np.radians([0, 6, 12, 20, 45, 75, 82, 86, 90, 94, 98, 105, 135, 160, 168, 174])
"""Directions in which the width of an ink is stored, radians; dense around both axes, since
augmentation rotates and slants by small angles."""
VERTICAL = 8
"""Index of the vertical direction; the horizontal one is the first."""
_UNIT_VECTORS = np.stack([np.cos(DIRECTIONS), np.sin(DIRECTIONS)])  # (2, directions)
_UNIT_VECTORS[0, VERTICAL] = 0.0  # instead of 6e-17


_CROP = pa.struct(
    [
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("unit", pa.float64()),
        ("width", pa.float32()),
        ("height", pa.float32()),
        ("key", pa.float64()),
    ]
)
_OF_CROPS = frozenset(f"crop_{field.name}" for field in _CROP)
GEOMETRY_SCHEMA = pa.schema(
    [
        ("kind", pa.int8()),
        ("length", pa.int32()),
        ("unit", pa.float64()),
        ("widths", pa.list_(pa.float32(), len(DIRECTIONS))),
        ("layout_width", pa.float32()),
        ("layout_height", pa.float32()),
        ("aligned", pa.int8()),
        ("crops", pa.large_list(_CROP)),
    ]
)
"""Columns of `Geometry` as they are stored; `crops` has the arrays of the sub-formulas."""


class SampleKind(IntEnum):
    """Kind of a sample."""

    NONE = 0
    """Nothing to draw: no strokes, or an image that cannot be decoded."""
    INK = 1
    IMAGE = 2
    LAYOUT = 3


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of n samples and of their m sub-formulas.

    Lengths are in units of the ink, or in pixels of the original image.

    Example:
        >>> geometry = Geometry.of(split)
        >>> geometry.widths[:, 0] / geometry.unit  # widths in symbol sizes

    Attributes:
        kind: (n,) int8, a `SampleKind`.
        length: (n,) int32 tokens of the label.
        unit: (n,) float64 characteristic symbol size (`im2tex.ink.scale`).
        widths: (n, directions) float32 widths of the ink in `DIRECTIONS`. For an image or a layout,
            those of the box around it.
        layout_width: (n,) float32 width of a layout, from which the size of other inks is
            estimated; 0 for other samples.
        layout_height: (n,) float32 its height.
        aligned: (n,) bool, whether every symbol is aligned to a token, for swaps.
        crop_offsets: (n + 1,) int64 bounds of each sample's sub-formulas in the arrays below.
        crop_start: (m,) int32 index of the first token.
        crop_end: (m,) int32 index after the last token.
        crop_unit: (m,) float64 characteristic symbol size of the sub-formula; that of the whole
            formula for a layout.
        crop_width: (m,) float32 width of its box.
        crop_height: (m,) float32 height of its box.
        crop_key: (m,) float64 index of the sample, plus the cumulative probability of its
            sub-formulas: ascending, so that `np.searchsorted` draws one.
    """

    kind: NDArray[np.int8]
    length: NDArray[np.int32]
    unit: NDArray[np.float64]
    widths: NDArray[np.float32]
    layout_width: NDArray[np.float32]
    layout_height: NDArray[np.float32]
    aligned: NDArray[np.bool_]
    crop_offsets: NDArray[np.int64]
    crop_start: NDArray[np.int32]
    crop_end: NDArray[np.int32]
    crop_unit: NDArray[np.float64]
    crop_width: NDArray[np.float32]
    crop_height: NDArray[np.float32]
    crop_key: NDArray[np.float64]

    @classmethod
    def of(cls, samples: Iterable[Sample], first: int = 0) -> Geometry:
        """Measures samples.

        Args:
            samples: in order.
            first: index of the first of them in its split.
        """
        rows = [_measure(sample) for sample in samples]
        crops = [row.crops for row in rows]
        counts = [len(found) for found in crops]
        table = np.concatenate([np.zeros((0, 6)), *crops])  # (m, 6)
        index = np.repeat(np.arange(first, first + len(rows)), counts)
        return cls(
            np.array([row.kind for row in rows], np.int8),
            np.array([row.length for row in rows], np.int32),
            np.array([row.unit for row in rows], np.float64),
            np.array([row.widths for row in rows], np.float32).reshape(-1, len(DIRECTIONS)),
            np.array([row.layout_width for row in rows], np.float32),
            np.array([row.layout_height for row in rows], np.float32),
            np.array([row.aligned for row in rows], np.bool_),
            np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
            table[:, 0].astype(np.int32),
            table[:, 1].astype(np.int32),
            table[:, 2],
            table[:, 3].astype(np.float32),
            table[:, 4].astype(np.float32),
            index + table[:, 5],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Geometry]) -> Geometry:
        """Joins the geometry of consecutive samples."""
        columns: dict[str, Any] = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
        }
        counts = [np.diff(part.crop_offsets) for part in parts]
        columns["crop_offsets"] = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
        return cls(**columns)

    def __len__(self) -> int:
        return len(self.length)

    def take(self, indices: NDArray[np.int64]) -> Geometry:
        """The geometry of some samples, in their order."""
        first, last = self.crop_offsets[indices], self.crop_offsets[indices + 1]
        counts = last - first
        ranges = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
        crops = np.concatenate([np.zeros(0, np.int64), *ranges])
        moved = np.repeat(np.arange(len(indices)) - indices, counts)
        columns: dict[str, Any] = {
            field.name: getattr(self, field.name)[crops if field.name in _OF_CROPS else indices]
            for field in fields(self)
            if field.name != "crop_offsets"
        }
        columns["crop_key"] = columns["crop_key"] + moved
        return Geometry(crop_offsets=np.concatenate([[0], np.cumsum(counts)]), **columns)

    def relabel(self, lengths: Sequence[int]) -> Geometry:
        """The geometry of the same samples with other labels, to which no symbol is aligned."""
        count = len(self)
        columns = {field.name: getattr(self, field.name)[:0] for field in fields(self)}
        kept = ("kind", "unit", "widths", "layout_width", "layout_height")
        columns |= {name: getattr(self, name) for name in kept}
        columns["length"] = np.asarray(lengths, np.int32)
        columns["aligned"] = np.zeros(count, np.bool_)
        columns["crop_offsets"] = np.zeros(count + 1, np.int64)
        return Geometry(**columns)

    def to_batch(self, schema: pa.Schema) -> pa.RecordBatch:
        """Converts to a record batch of `GEOMETRY_SCHEMA`."""
        crops = pa.StructArray.from_arrays(
            [pa.array(getattr(self, f"crop_{field.name}")) for field in _CROP], fields=list(_CROP)
        )
        widths = pa.FixedSizeListArray.from_arrays(self.widths.ravel(), len(DIRECTIONS))
        return pa.RecordBatch.from_arrays(
            [
                pa.array(self.kind),
                pa.array(self.length),
                pa.array(self.unit),
                widths,
                pa.array(self.layout_width),
                pa.array(self.layout_height),
                pa.array(self.aligned.view(np.int8)),
                pa.LargeListArray.from_arrays(pa.array(self.crop_offsets), crops),
            ],
            schema=schema,
        )

    @classmethod
    def from_batch(cls, batch: pa.RecordBatch) -> Geometry:
        """Views of a record batch; the data are not copied."""
        column = batch.column
        crops = column("crops")
        return cls(
            column("kind").to_numpy(),
            column("length").to_numpy(),
            column("unit").to_numpy(),
            column("widths").values.to_numpy().reshape(-1, len(DIRECTIONS)),
            column("layout_width").to_numpy(),
            column("layout_height").to_numpy(),
            column("aligned").to_numpy().view(np.bool_),
            crops.offsets.to_numpy(),
            *(crops.values.field(field.name).to_numpy() for field in _CROP),
        )


def box_widths(width: ArrayLike, height: ArrayLike) -> NDArray[np.float64]:
    """Widths of boxes in `DIRECTIONS`, (..., directions)."""
    horizontal, vertical = np.abs(_UNIT_VECTORS)
    widths: NDArray[np.float64] = np.multiply.outer(width, horizontal)
    widths += np.multiply.outer(height, vertical)
    return widths


class _Row(NamedTuple):
    kind: SampleKind
    length: int
    unit: float = 1.0
    widths: NDArray[np.float64] = np.zeros(len(DIRECTIONS))
    layout_width: float = 0.0
    layout_height: float = 0.0
    aligned: bool = False
    crops: NDArray[np.float64] = np.zeros((0, 6))  # start, end, unit, width, height, cumulative


def _measure(sample: Sample) -> _Row:
    length = len(sample.tokens)
    if sample.layout is not None:
        return _measure_layout(sample.layout, length)
    if sample.ink is not None and sample.ink.strokes:
        points = sample.ink.points.astype(np.float64)
        return _Row(
            SampleKind.INK,
            length,
            ink_size(sample.ink),
            np.ptp(points @ _UNIT_VECTORS, axis=0),
            aligned=aligned_structure(sample.ink, sample.tokens) is not None,
            crops=_measure_crops(sample.ink, sample.tokens, ink_size),
        )
    if sample.image is not None:
        try:
            image = load_ink_image(sample.image)
        except Im2TexError:
            return _Row(SampleKind.NONE, length)
        height, width = image.shape
        widths = box_widths(width, height)
        return _Row(SampleKind.IMAGE, length, image_symbol_size(image), widths)
    return _Row(SampleKind.NONE, length)


def _measure_layout(stored: StoredLayout, length: int) -> _Row:
    """Measures a layout by the boxes of its symbols, since its ink is composed in training."""
    symbols: dict[int, list[int]] = {}
    for index, part in enumerate(stored.layout.placed):
        symbols.setdefault(part.position, []).append(index)
    tokens = stored.layout.tokens
    ink = Ink(
        tuple(_rectangle(part.box) for part in stored.layout.placed),
        tuple(
            Symbol(tokens[position], tuple(strokes), position)
            for position, strokes in symbols.items()
        ),
    )
    left, top, right, bottom = ink.bounds
    return _Row(
        SampleKind.LAYOUT,
        length,
        stored.ink_size,
        box_widths(stored.width, stored.height),
        right - left,
        bottom - top,
        aligned_structure(ink, tokens) is not None,
        _measure_crops(ink, tokens, lambda _: stored.ink_size),
    )


def _measure_crops(
    ink: Ink, tokens: tuple[str, ...], measure: Callable[[Ink], float]
) -> NDArray[np.float64]:
    candidates = crop_candidates(ink, tokens)
    cumulative = np.cumsum(candidates.probability)
    rows = []
    for start, end, key in zip(candidates.start, candidates.end, cumulative, strict=True):
        part, _ = crop(ink, tokens, int(start), int(end))
        left, top, right, bottom = part.bounds
        rows.append((start, end, measure(part), right - left, bottom - top, key))
    return np.array(rows, dtype=np.float64).reshape(-1, 6)


def _rectangle(box: tuple[int, int, int, int]) -> Stroke:
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
