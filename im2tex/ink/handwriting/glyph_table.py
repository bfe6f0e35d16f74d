"""`GlyphTable`: a bank's glyphs in flat arrays; `GlyphSampler` chooses those of one formula."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.glyphs.bank import SCALE, GlyphBank
from im2tex.ink.ink import Stroke

_BLOCK = 128  # random numbers drawn at a time
_MIN_SIDE = 0.05  # of a glyph's longer side, for its aspect ratio


class GlyphTable:
    """The glyphs of a bank, by the index of their token in `GlyphBank.tokens`.

    Example:
        >>> table = GlyphTable(bank)
        >>> ranges = table.ranges([table.numbers["x"]], writer=3)
        >>> sampler = GlyphSampler(ranges, 0.85, np.random.default_rng(0))
        >>> strokes = table.strokes(table.rows[sampler.draw(0)])

    Args:
        bank: the bank.

    Attributes:
        numbers: index of each token.
        rows: (2 R,) glyphs of each token in the order of the bank, then again sorted by writer.
        centres: (S, 2) float32 centre of each glyph's box.
        sizes: (S, 2) float32 width and height of each glyph.
        aspects: (S,) float32 logarithm of the aspect ratio of each glyph.
    """

    def __init__(self, bank: GlyphBank) -> None:
        self._shapes = shapes = bank.shapes
        self._point_starts = starts = shapes.point_starts
        self._stroke_lengths = np.diff(shapes.stroke_ends)
        self.numbers = {token: number for number, token in enumerate(bank.tokens)}
        low = high = np.zeros((0, 2), np.float32)
        if len(shapes):
            low = np.minimum.reduceat(shapes.points, starts[:-1]) * SCALE
            high = np.maximum.reduceat(shapes.points, starts[:-1]) * SCALE
        self.centres, self.sizes = (low + high) / 2, high - low
        width, height = np.maximum(high, _MIN_SIDE).T
        self.aspects = np.log(width / height)
        rows = [bank.rows(token) for token in bank.tokens]
        counts = [len(indices) for indices in rows]
        flat = np.concatenate([*rows, np.zeros(0, np.int64)])
        # Glyphs of unknown writers have the key of writer -1.
        self._keys_per_token = len(bank.writers) + 1
        keys = np.repeat(np.arange(len(rows)), counts) * self._keys_per_token
        keys = keys + bank.writer_ids[flat] + 1
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._bounds = np.cumsum([0, *counts])
        self.rows = np.concatenate([flat, flat[order]])

    def ranges(self, numbers: Sequence[int], writer: int) -> Iterator[tuple[int, ...]]:
        """First index in `rows` and count of the glyphs of tokens: all, and those of one writer.

        Args:
            numbers: indices of the tokens.
            writer: index of the writer; -1 for none.

        Returns:
            Four numbers for each token.
        """
        indices = np.array(numbers)
        first, end = self._bounds[indices], self._bounds[indices + 1]
        keys = indices * self._keys_per_token + (writer + 1)
        own = self._keys.searchsorted(keys)
        own_end = self._keys.searchsorted(keys + (writer >= 0))
        columns = (first, end - first, own + len(self._keys), own_end - own)
        return zip(*(column.tolist() for column in columns), strict=True)

    def points(self, glyphs: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Points of glyphs, (P, 2), and the number of points of each, (n,)."""
        starts = self._point_starts[glyphs]
        counts = self._point_starts[glyphs + 1] - starts
        index = np.repeat(starts - np.cumsum(counts) + counts, counts)
        index += np.arange(len(index))
        return self._shapes.points.take(index, axis=0) * SCALE, counts

    def stroke_lengths(self, glyphs: NDArray[np.int64]) -> list[list[int]]:
        """Number of points of each stroke of each glyph."""
        ends = self._shapes.symbol_ends
        bounds = zip(ends[glyphs].tolist(), ends[glyphs + 1].tolist(), strict=True)
        return [self._stroke_lengths[first:end].tolist() for first, end in bounds]

    def strokes(self, glyph: int) -> list[Stroke]:
        """Strokes of one glyph."""
        return [stroke * SCALE for stroke in self._shapes.strokes(glyph)]


class GlyphSampler:
    """Chooses glyphs for the symbols of one formula.

    Args:
        ranges: of each symbol, see `GlyphTable.ranges`.
        same_writer_prob: see `HandwritingStyle`.
        rng: source of randomness.
        in_blocks: draw random numbers many at a time, which is faster.
    """

    def __init__(
        self,
        ranges: Iterable[Sequence[int]],
        same_writer_prob: float,
        rng: np.random.Generator,
        in_blocks: bool = False,
    ) -> None:
        self._ranges = list(ranges)
        self._same_writer_prob = same_writer_prob
        self._random: Callable[[], float] = rng.random
        self._integers: Callable[[int], int] = rng.integers
        if in_blocks:
            self._random = random = _uniforms(rng).__next__
            self._integers = lambda count: int(random() * count)
        self._previous: dict[int, int] = {}

    def draw(self, k: int) -> int:
        """Draws a glyph for a symbol, as an index in `GlyphTable.rows`.

        With `same_writer_prob`, it is one of the formula's writer, or one used before.
        """
        first, count, own, own_count = self._ranges[k]
        probability = self._same_writer_prob
        if probability and self._random() < probability:
            if own_count:
                return own + int(self._integers(own_count))
            previous = self._previous.get(first)
            if previous is not None and self._random() < probability:
                return previous
        row = self._previous[first] = first + int(self._integers(count))
        return row


def _uniforms(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(_BLOCK).tolist()
