r"""`Composer`: composes an `Ink` of a formula's layout and the glyphs of a bank.

Section 4.2 of the paper: every symbol of a formula is replaced by a drawn sample, fraction bars
included. The symbols of the ink are known, so that attention can be supervised on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, pairwise

import numpy as np

from im2tex.ink.glyphs.bank import GlyphBank
from im2tex.ink.glyphs.names import glyph_token
from im2tex.ink.handwriting.fitting import (
    Box,
    Piece,
    Points,
    RadicalStrokes,
    StretchedStrokes,
    SymbolStrokes,
    fit_to_box,
    radical_bar_start,
    stretch_to_box,
)
from im2tex.ink.handwriting.overlaps import resolve_overlaps
from im2tex.ink.handwriting.spacing import HorizontalSpacing, stroke_extents
from im2tex.ink.handwriting.style import NATURAL, HandwritingStyle, WriterStyle
from im2tex.ink.ink import Ink, Symbol
from im2tex.render.layout.layout import UNIT, Layout, PlacedSymbol, SymbolKind

_FILLING = frozenset([SymbolKind.DELIMITER, SymbolKind.RULE, SymbolKind.ACCENT, SymbolKind.FRAME])
_COVERING = frozenset([SymbolKind.RULE, SymbolKind.RADICAL, SymbolKind.ACCENT, SymbolKind.FRAME])
_TALL = frozenset([SymbolKind.RADICAL, SymbolKind.FRAME, SymbolKind.DELIMITER])
_BAR, _FRACTION, _SQRT = "-", "\\frac", "\\sqrt"
_NAMES = r"+ - = < > \pm \mp \times \div \cdot \leq \geq \neq \in \rightarrow \leftarrow \approx"
_OPERATORS = frozenset(_NAMES.split())
_RADICAL_TRIES = 6  # samples of a radical tried to find one with a clear bar
_RADICAL_MARGIN = 0.08  # em before and after the contents of a radical, if spacing varies
_WIDE_ACCENT = 1.5  # em: a wider accent covers several symbols


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
        self._writers = bank.writers

    def missing(self, layout: Layout) -> list[str]:
        """The symbols of a layout without a glyph in the bank, each once."""
        names = {
            _glyph_name(part): None
            for _, _, parts in self._symbols(layout)
            for part in parts
            if part.kind not in (SymbolKind.RADICAL, SymbolKind.RULE)
        }
        return [name for name in names if name not in self.bank]

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
        writer = self.style.sample_writer(rng) if writer is None else writer
        names = self._writers
        name = names[int(rng.integers(len(names)))] if names else ""
        sampler = _GlyphSampler(self.bank, self.style.same_writer_prob, name, rng)
        pieces: list[Piece] = []
        spans: list[tuple[int, str, slice]] = []  # position, token, indices of the pieces
        for position, token, parts in self._symbols(layout):
            spans.append((position, token, slice(len(pieces), len(pieces) + len(parts))))
            pieces += [self._write(part, writer, sampler, rng) for part in parts]
        strokes: list[Points] = []
        symbols: list[Symbol] = []
        drawn = self._draw(pieces)
        for position, token, span in spans:
            first = len(strokes)
            for piece in drawn[span]:
                strokes += piece
            symbols.append(Symbol(token, tuple(range(first, len(strokes))), position))
        points = writer.transform(np.concatenate(strokes), UNIT).astype(np.float32)  # (P, 2)
        ends = accumulate(map(len, strokes), initial=0)
        return Ink(tuple(points[a:b] for a, b in pairwise(ends)), tuple(symbols))

    def _symbols(self, layout: Layout) -> Iterator[tuple[int, str, Sequence[PlacedSymbol]]]:
        """Position, token and parts of each symbol; a name in the bank is one part."""
        for position, group in groupby(layout.placed, key=lambda part: part.position):
            parts = list(group)
            token = layout.tokens[position]
            if parts[0].kind is SymbolKind.LETTER and glyph_token(token) in self.bank:
                left, top, right, bottom = np.array([part.box for part in parts]).T
                box = (int(left.min()), int(top.min()), int(right.max()), int(bottom.max()))
                parts = [parts[0]._replace(token=token, kind=SymbolKind.SYMBOL, box=box)]
            yield position, _BAR if token == _FRACTION else token, parts

    def _write(
        self,
        part: PlacedSymbol,
        writer: WriterStyle,
        sampler: _GlyphSampler,
        rng: np.random.Generator,
    ) -> Piece:
        style = self.style
        box = _spaced_box(part, writer)
        width, height = box[2] - box[0], box[3] - box[1]
        if part.kind is SymbolKind.RADICAL:
            left, top, right, bottom = part.inner or part.box
            x, y = writer.horizontal_scale, writer.vertical_scale
            return self._radical(box, (left * x, top * y, right * x, bottom * y), sampler)
        name = _glyph_name(part)
        straight_above = style.straight_above * UNIT
        if part.kind is SymbolKind.RULE and name not in self.bank:
            return StretchedStrokes(box, (), np.zeros(2), straight_above)
        if name not in self.bank:
            raise KeyError(name)
        sample = self.bank.strokes(name, sampler.index_for_box(name, width, height))
        if part.kind in _FILLING:
            shift = style.position_std * UNIT * rng.normal(size=2)
            if _covers_symbols(part):
                return StretchedStrokes(box, sample, shift, straight_above, name == _FRACTION)
            shape = stretch_to_box(sample, width, height)
        else:
            size = float(np.exp(style.size_std * rng.normal()))
            size *= writer.script_scale if part.level else 1.0
            size *= style.operator_scale if name in _OPERATORS else 1.0
            shape = fit_to_box(sample, width * size, height * size, style.max_stretch)
            angle = style.rotation_std * rng.normal()
            rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            shape = [points @ rotation for points in shape]
            shift = style.position_std * UNIT * rng.normal(size=2)
        return SymbolStrokes(box, [points + shift for points in shape])

    def _radical(self, box: Box, inner: Box, sampler: _GlyphSampler) -> RadicalStrokes:
        margin = _RADICAL_MARGIN * UNIT * self.style.widening
        box = (box[0], box[1], box[2] + margin, box[3])
        inner = (inner[0] - margin, *inner[1:])
        if _SQRT in self.bank:
            for _ in range(_RADICAL_TRIES):
                sample = self.bank.strokes(_SQRT, sampler.index(_SQRT))
                bar_start = radical_bar_start(sample)
                if bar_start is not None:
                    return RadicalStrokes(box, inner, sample, bar_start)
        return RadicalStrokes(box, inner, (), 0.0)

    def _draw(self, pieces: Sequence[Piece]) -> list[list[Points]]:
        """The strokes of each piece at their final position."""
        if not self.style.widening:
            unchanged = HorizontalSpacing([], [], 0)
            return [piece.draw(unchanged) for piece in pieces]
        symbols = [piece for piece in pieces if isinstance(piece, SymbolStrokes)]
        boxes = [(piece.box[0], piece.box[2]) for piece in symbols]
        extents = stroke_extents([piece.strokes for piece in symbols], axis=0)
        spacing = HorizontalSpacing(boxes, extents, self.style.widening)
        return resolve_overlaps(pieces, spacing)


class _GlyphSampler:
    """Samples glyphs for the symbols of one formula."""

    def __init__(
        self, bank: GlyphBank, same_writer_prob: float, writer: str, rng: np.random.Generator
    ) -> None:
        self.bank = bank
        self.same_writer_prob = same_writer_prob
        self.writer = writer
        self.rng = rng
        self._previous: dict[str, int] = {}

    def index(self, name: str) -> int:
        """Index of a sample, with `same_writer_prob` of the formula's writer or used before."""
        if self.same_writer_prob and self.rng.random() < self.same_writer_prob:
            own = self.bank.by_writer(name, self.writer)
            if len(own):
                return int(own[self.rng.integers(len(own))])
            if name in self._previous and self.rng.random() < self.same_writer_prob:
                return self._previous[name]
        index = int(self.rng.integers(self.bank.count(name)))
        self._previous[name] = index
        return index

    def index_for_box(self, name: str, width: float, height: float) -> int:
        """Of two samples, the one whose aspect ratio is closer to that of the box.

        In the paper's style (`same_writer_prob` 0) a single random sample.
        """
        first = self.index(name)
        if not self.same_writer_prob:
            return first
        second = self.index(name)
        if first == second:
            return first
        sizes = self.bank.sizes(name)[[first, second]]
        aspects = np.log(np.maximum(sizes[:, 0], 0.05) / np.maximum(sizes[:, 1], 0.05))
        target = np.log(max(width, 1.0) / max(height, 1.0))
        return (first, second)[int(np.argmin(np.abs(aspects - target)))]


def _glyph_name(part: PlacedSymbol) -> str:
    return glyph_token(part.token, part.style or None)


def _covers_symbols(part: PlacedSymbol) -> bool:
    is_wide = part.box[2] - part.box[0] > _WIDE_ACCENT * UNIT
    return part.kind in _COVERING and (part.kind is not SymbolKind.ACCENT or is_wide)


def _spaced_box(part: PlacedSymbol, writer: WriterStyle) -> Box:
    """A box with the writer's spacing: symbols are moved, parts that cover others are scaled."""
    left, top, right, bottom = part.box
    x = _scale_interval(left, right, writer.horizontal_scale, _covers_symbols(part))
    y = _scale_interval(top, bottom, writer.vertical_scale, part.kind in _TALL)
    return x[0], y[0], x[1], y[1]


def _scale_interval(
    low: float, high: float, factor: float, scale_size: bool
) -> tuple[float, float]:
    if scale_size:
        return low * factor, high * factor
    centre, half = (low + high) / 2 * factor, (high - low) / 2
    return centre - half, centre + half
