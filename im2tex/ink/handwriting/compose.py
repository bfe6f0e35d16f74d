r"""`Composer`: composes an `Ink` of a formula's layout and the glyphs of a bank.

Section 4.2 of the paper: every symbol of a formula is replaced by a drawn sample, fraction bars
included. The symbols of the ink are known, so that attention can be supervised on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, islice, pairwise

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.glyphs.bank import GlyphBank
from im2tex.ink.handwriting.fitting import (
    Points,
    RadicalStrokes,
    StretchedStrokes,
    fit_scales,
    radical_bar_start,
    stretch_scales,
)
from im2tex.ink.handwriting.glyph_table import GlyphSampler, GlyphTable
from im2tex.ink.handwriting.overlaps import resolve_overlaps
from im2tex.ink.handwriting.parts import GlyphNames, Parts
from im2tex.ink.handwriting.spacing import HorizontalSpacing
from im2tex.ink.handwriting.style import NATURAL, HandwritingStyle, WriterStyle
from im2tex.ink.ink import Ink, Stroke, Symbol
from im2tex.render.layout.layout import UNIT, Layout, SymbolKind

Values = NDArray[np.float64]

_FRACTION = "\\frac"
_RULE, _RADICAL = int(SymbolKind.RULE), int(SymbolKind.RADICAL)
_RADICAL_TRIES = 6  # samples of a radical tried to find one with a clear bar
_RADICAL_MARGIN = 0.08  # em before and after the contents of a radical, if spacing varies


class Composer:
    """Composes handwritten formulas of the glyphs of a bank.

    Example:
        >>> composer = Composer(built_in_bank())
        >>> ink = composer.compose(layout, np.random.default_rng(0))

    Args:
        bank: the glyphs.
        style: the variation of the handwriting.
    """

    def __init__(self, bank: GlyphBank, style: HandwritingStyle = NATURAL) -> None:
        self.bank = bank
        self.style = style
        self._table = GlyphTable(bank)
        self._names = GlyphNames(self._table.numbers)
        self._bar_starts: dict[int, float | None] = {}

    def missing(self, layout: Layout) -> list[str]:
        """The symbols of a layout without a glyph in the bank, each once."""
        parts = Parts.of(layout, self._names)
        names = {
            name.token: None
            for name, kind in zip(parts.names, parts.kinds, strict=True)
            if name.number < 0 and kind not in (_RULE, _RADICAL)
        }
        return list(names)

    def compose(
        self, layout: Layout, rng: np.random.Generator, writer: WriterStyle | None = None
    ) -> Ink:
        """Composes a formula.

        Args:
            layout: at least one symbol; each has a glyph in the bank (`missing`).
            rng: source of randomness.
            writer: style of the writer; drawn with `rng` if not given.

        Returns:
            Strokes in the layout's unit, and their symbols, in the order of the tokens.

        Raises:
            KeyError: for a symbol without a glyph.
        """
        style, in_blocks = self.style, writer is not None
        writer = style.sample_writer(rng) if writer is None else writer
        parts = Parts.of(layout, self._names)
        boxes = parts.spaced_boxes(writer)  # (n, 4)
        glyphs, noise = self._sample(parts, boxes, rng, in_blocks)
        covers = bool(parts.covers.any())
        # Indices are slower.
        plain = np.flatnonzero(~parts.covers) if covers else slice(None)
        points, counts = self._fit(plain, parts, boxes, glyphs, noise, writer)
        starts = counts.cumsum() - counts
        low, high = (reduce.reduceat(points, starts) for reduce in (np.minimum, np.maximum))
        lengths = self._table.stroke_lengths(glyphs[plain])
        inner = layout.inner[:, 0].astype(np.float64) * writer.horizontal_scale  # (r,)
        if len(inner):
            margin = _RADICAL_MARGIN * UNIT * style.widening
            boxes[parts.kinds == _RADICAL, 2] += margin
            inner -= margin
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2  # (n, 2)
        if style.widening:
            left, right = boxes[plain, ::2].T
            spacing = HorizontalSpacing(left, right, low[:, 0], high[:, 0], style.widening)
            centres[:, 0] = spacing(centres[:, 0])
            if covers:
                boxes[:, ::2], inner = spacing(boxes[:, ::2]), spacing(inner)
        if covers:
            pieces = self._covering_pieces(parts, glyphs, noise, inner)
            drawn = {k: piece.draw(boxes[k].tolist()) for k, piece in pieces.items()}
            if style.widening:
                extents = np.zeros((2, len(boxes)))
                extents[:, plain] = np.stack([low[:, 1], high[:, 1]]) + centres[plain, 1]
                centres[:, 1] += resolve_overlaps(pieces, boxes, extents[0], extents[1], drawn)
        points += centres[plain].repeat(counts, axis=0)
        order: Iterable[int] = range(len(boxes))
        if covers:
            points = np.concatenate([points, *chain.from_iterable(drawn.values())])
            lengths += [[*map(len, strokes)] for strokes in drawn.values()]
            order = chain(np.flatnonzero(~parts.covers).tolist(), drawn)
        return _ink(writer.transform(points, UNIT), lengths, order, parts.spans)

    def _sample(
        self, parts: Parts, boxes: Values, rng: np.random.Generator, in_blocks: bool
    ) -> tuple[NDArray[np.int64], Values]:
        """Draws a glyph of each part, (n,), -1 for straight lines, and its variation, (n, 4).

        Of two samples, it is the one whose aspect ratio is closer to that of the box; in the
        paper's style (`same_writer_prob` 0) a single sample.
        """
        table, style = self._table, self.style
        writers = len(self.bank.writers)
        writer = int(rng.integers(writers)) if writers else -1
        numbers = [name.number for name in parts.names]
        ranges = table.ranges(numbers, writer)
        sampler = GlyphSampler(ranges, style.same_writer_prob, rng, in_blocks)
        noise = rng.standard_normal((len(numbers), 4)) if in_blocks else np.zeros((len(numbers), 4))
        rows = [(-1, -1)] * len(numbers)
        columns = zip(numbers, parts.kinds.tolist(), parts.fills.tolist(), strict=True)
        for k, (number, kind, fills) in enumerate(columns):
            if number < 0:
                if kind not in (_RULE, _RADICAL):
                    raise KeyError(parts.names[k].token)
            elif kind == _RADICAL:
                row = self._sample_radical(sampler, k)
                rows[k] = row, row
            else:
                row = sampler.draw(k)
                rows[k] = row, sampler.draw(k) if style.same_writer_prob else row
                if not in_blocks:
                    count = 2 if fills else 4
                    noise[k, -count:] = rng.standard_normal(count)
        pairs = np.array(rows).T  # (2, n)
        glyphs = table.rows[pairs]
        width, height = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0).T
        error = np.abs(table.aspects[glyphs] - np.log(width / height))
        chosen = np.where(error[1] < error[0], glyphs[1], glyphs[0])
        chosen[pairs[0] < 0] = -1
        return chosen, noise

    def _sample_radical(self, sampler: GlyphSampler, k: int) -> int:
        """Draws a radical with a clear bar; -1 if none is found."""
        for _ in range(_RADICAL_TRIES):
            row = sampler.draw(k)
            if self._bar_start(int(self._table.rows[row])) is not None:
                return row
        return -1

    def _bar_start(self, glyph: int) -> float | None:
        if glyph not in self._bar_starts:
            self._bar_starts[glyph] = radical_bar_start(self._table.strokes(glyph))
        return self._bar_starts[glyph]

    def _fit(
        self,
        plain: NDArray[np.int64] | slice,
        parts: Parts,
        boxes: Values,
        glyphs: NDArray[np.int64],
        noise: Values,
        writer: WriterStyle,
    ) -> tuple[Points, NDArray[np.int64]]:
        """Points of the parts that cover no others, relative to the centres of their boxes.

        Returns:
            (P, 2), and the number of points of each part.
        """
        style, table = self.style, self._table
        glyphs, noise, fills = glyphs[plain], noise[plain], parts.fills[plain]
        sides = (boxes[:, 2:] - boxes[:, :2])[plain]  # (m, 2)
        factors = np.exp(style.size_std * noise[:, 0])
        factors[parts.levels[plain] > 0] *= writer.script_scale
        factors[parts.operators[plain]] *= style.operator_scale
        sizes = table.sizes[glyphs]
        scales = fit_scales(sides * factors[:, None], sizes, style.max_stretch).astype(np.float64)
        angle = style.rotation_std * noise[:, 1]
        if fills.any():
            scales[fills], angle[fills] = stretch_scales(sides[fills], sizes[fills]), 0.0
        rotation = np.cos(angle) + 1j * np.sin(angle)
        shift = _complex(style.position_std * UNIT * noise[:, 2:])
        points, counts = table.points(glyphs)
        points -= table.centres[glyphs].repeat(counts, axis=0)
        fitted = points * scales.repeat(counts, axis=0)  # (P, 2)
        plane = _complex(fitted)
        plane *= rotation.repeat(counts)
        plane += shift.repeat(counts)
        return fitted, counts

    def _covering_pieces(
        self, parts: Parts, glyphs: NDArray[np.int64], noise: Values, inner: Values
    ) -> dict[int, StretchedStrokes | RadicalStrokes]:
        """The parts that cover others.

        Args:
            parts: of the formula.
            glyphs: (n,) of each.
            noise: (n, 4) variation of each.
            inner: (r,) left side of the contents of each radical.
        """
        pieces: dict[int, StretchedStrokes | RadicalStrokes] = {}
        content_left = iter(inner.tolist())
        for k in np.flatnonzero(parts.covers).tolist():
            glyph = int(glyphs[k])
            sample = self._table.strokes(glyph) if glyph >= 0 else ()
            if parts.kinds[k] == _RADICAL:
                start = self._bar_start(glyph) if sample else None
                pieces[k] = RadicalStrokes(sample, start or 0.0, next(content_left))
            else:
                pieces[k] = StretchedStrokes(
                    sample,
                    self.style.position_std * UNIT * noise[k, 2:],
                    self.style.straight_above * UNIT,
                    bool(sample) and parts.names[k].token == _FRACTION,
                )
        return pieces


def _complex(points: Values) -> NDArray[np.complex128]:
    """Points (n, 2) as x + iy, (n,), in the same memory."""
    return np.ascontiguousarray(points).view(np.complex128)[:, 0]


def _ink(
    points: Points,
    lengths: Sequence[Sequence[int]],
    order: Iterable[int],
    spans: Sequence[tuple[int, str, int]],
) -> Ink:
    """Divides points into strokes, and strokes into symbols.

    Args:
        points: (P, 2).
        lengths: points of each stroke of each part.
        order: index of each of these parts in the formula.
        spans: see `Parts`.
    """
    ends = accumulate(chain.from_iterable(lengths), initial=0)
    rounded = points.astype(np.float32)
    pieces = iter([rounded[a:b] for a, b in pairwise(ends)])
    parts = {k: [*islice(pieces, len(own))] for k, own in zip(order, lengths, strict=True)}
    strokes: list[Stroke] = []
    symbols, part = [], 0
    for position, token, count in spans:
        first = len(strokes)
        for k in range(part, part + count):
            strokes += parts[k]
        part += count
        symbols.append(Symbol(token, tuple(range(first, len(strokes))), position))
    return Ink(tuple(strokes), tuple(symbols))
