r"""`Composer`: a layout and a bank of glyphs to an `Ink`, as a person might have written it.

Section 4.2 of the paper: every symbol of a formula is replaced by a drawn sample of it, bars of
fractions too. The ink knows its symbols, so that what is trained on it can be taught where to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, pairwise

import numpy as np

from im2tex.ink.glyphs.bank import GlyphBank
from im2tex.ink.glyphs.names import glyph_token
from im2tex.ink.handwriting.fitting import Points, fit_to_box, radical_bar_start, stretch_to_box
from im2tex.ink.handwriting.overlaps import resolve_overlaps
from im2tex.ink.handwriting.pieces import (
    Box,
    Piece,
    RadicalStrokes,
    StretchedStrokes,
    SymbolStrokes,
)
from im2tex.ink.handwriting.spacing import HorizontalSpacing, reaches
from im2tex.ink.handwriting.style import NATURAL, HandwritingStyle, WriterStyle
from im2tex.ink.ink import Ink, Symbol
from im2tex.render.layout.layout import UNIT, Layout, PlacedSymbol, SymbolKind

_STRETCHED = frozenset([SymbolKind.DELIMITER, SymbolKind.RULE, SymbolKind.ACCENT, SymbolKind.FRAME])
_SPANNING = frozenset([SymbolKind.RULE, SymbolKind.RADICAL, SymbolKind.ACCENT, SymbolKind.FRAME])
_BAR, _FRACTION, _ROOT = "-", "\\frac", "\\sqrt"
_NAMES = r"+ - = < > \pm \mp \times \div \cdot \leq \geq \neq \in \rightarrow \leftarrow \approx"
_SIGNS = frozenset(_NAMES.split())
_TRIES = 6  # samples of a root looked at for one with a clear bar
_SPARE = 0.08  # em before and after what is under a root, where symbols have room
_WIDE = 1.5  # em: an accent wider than that spans what it goes with


class Composer:
    """Writes formulas by hand.

    Args:
        bank: the glyphs.
        style: how the handwriting varies.
    """

    def __init__(self, bank: GlyphBank, style: HandwritingStyle = NATURAL) -> None:
        self.bank = bank
        self.style = style
        self._writers = bank.writers

    def missing(self, layout: Layout) -> list[str]:
        """The symbols of a layout that the bank has no glyph of, each once."""
        pieces = [part for _, _, parts in self._words(layout) for part in parts]
        return list(dict.fromkeys(name for one in pieces if (name := self._lacks(one))))

    def compose(self, layout: Layout, rng: np.random.Generator) -> Ink:
        """Writes a formula.

        Args:
            layout: at least one symbol; each has a glyph in the bank (`missing`).
            rng: what the result depends on besides; the same gives the same ink.

        Returns:
            Strokes in the layout's unit, and the symbols they write, in the order of the tokens.

        Raises:
            KeyError: for a symbol without a glyph.
        """
        writer = self.style.sample_writer(rng)
        chosen = _Chosen(self.bank, self.style.same_writer_prob, self._writer(rng), rng)
        pieces: list[Piece] = []
        words: list[tuple[int, str, slice]] = []
        for position, token, parts in self._words(layout):
            words.append((position, token, slice(len(pieces), len(pieces) + len(parts))))
            pieces += [self._write(part, writer, chosen, rng) for part in parts]
        strokes: list[Points] = []
        symbols: list[Symbol] = []
        placed = self._placed(pieces)
        for position, token, own in words:
            written = [stroke for piece in placed[own] for stroke in piece]
            numbers = range(len(strokes), len(strokes) + len(written))
            strokes += written
            symbols.append(Symbol(token, tuple(numbers), position))
        points = writer.transform(np.concatenate(strokes), UNIT).astype(np.float32)  # (P, 2)
        ends = accumulate(map(len, strokes), initial=0)
        return Ink(tuple(points[a:b] for a, b in pairwise(ends)), tuple(symbols))

    def _writer(self, rng: np.random.Generator) -> str:
        return self._writers[int(rng.integers(len(self._writers)))] if self._writers else ""

    def _lacks(self, one: PlacedSymbol) -> str | None:
        name = _name(one)
        return (
            None if name in self.bank or one.kind in (SymbolKind.RADICAL, SymbolKind.RULE) else name
        )

    def _words(self, layout: Layout) -> Iterator[tuple[int, str, Sequence[PlacedSymbol]]]:
        """Position, token and pieces of each symbol; a name is one where the bank has it whole."""
        for position, group in groupby(layout.placed, key=lambda one: one.position):
            parts = list(group)
            token = layout.tokens[position]
            if parts[0].kind is SymbolKind.LETTER and glyph_token(token) in self.bank:
                left, top, right, bottom = np.array([part.box for part in parts]).T
                box = (int(left.min()), int(top.min()), int(right.max()), int(bottom.max()))
                parts = [parts[0]._replace(token=token, kind=SymbolKind.SYMBOL, box=box)]
            yield position, _BAR if token == _FRACTION else token, parts

    def _write(
        self, one: PlacedSymbol, writer: WriterStyle, chosen: _Chosen, rng: np.random.Generator
    ) -> Piece:
        style = self.style
        box = _moved(one, writer)
        width, height = box[2] - box[0], box[3] - box[1]
        straight = style.straight_above * UNIT
        if one.kind is SymbolKind.RADICAL:
            return self._root(box, _inner(one, writer), chosen)
        name = _name(one)
        if one.kind is SymbolKind.RULE and name not in self.bank:
            return StretchedStrokes(box, (), np.zeros(2), straight)
        if name not in self.bank:
            raise KeyError(name)
        sample = self.bank.strokes(name, chosen.index(name, width, height))
        if one.kind in _STRETCHED:
            shift = style.position_std * UNIT * rng.normal(size=2)
            if _spanning(one):
                return StretchedStrokes(box, sample, shift, straight, name == _FRACTION)
            shape = stretch_to_box(sample, width, height)
        else:
            size = float(np.exp(style.size_std * rng.normal()))
            size *= writer.script_scale if one.level else 1.0
            size *= style.operator_scale if name in _SIGNS else 1.0
            shape = fit_to_box(sample, width * size, height * size, style.max_stretch)
            angle = style.rotation_std * rng.normal()
            turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            shape = [points @ turn for points in shape]
            shift = style.position_std * UNIT * rng.normal(size=2)
        return SymbolStrokes(box, [points + shift for points in shape])

    def _root(self, box: Box, inner: Box, chosen: _Chosen) -> RadicalStrokes:
        spare = _SPARE * UNIT * self.style.widening
        box = (box[0], box[1], box[2] + spare, box[3])
        inner = (inner[0] - spare, *inner[1:])
        if _ROOT in self.bank:
            for _ in range(_TRIES):
                sample = self.bank.strokes(_ROOT, chosen.fresh(_ROOT))
                begins = radical_bar_start(sample)
                if begins is not None:
                    return RadicalStrokes(box, inner, sample, begins)
        return RadicalStrokes(box, inner, (), 0.0)

    def _placed(self, pieces: Sequence[Piece]) -> list[list[Points]]:
        """The strokes of each piece where they belong."""
        room = self.style.widening
        if not room:
            unmoved = HorizontalSpacing([], [], 0)
            return [piece.put(unmoved) for piece in pieces]
        standing = [piece for piece in pieces if isinstance(piece, SymbolStrokes)]
        places = [(piece.box[0], piece.box[2]) for piece in standing]
        ruler = HorizontalSpacing(places, reaches([piece.strokes for piece in standing], 0), room)
        return resolve_overlaps(pieces, ruler)


class _Chosen:
    """Which samples stand for the symbols of one formula."""

    def __init__(
        self, bank: GlyphBank, keeping: float, writer: str, rng: np.random.Generator
    ) -> None:
        self.bank = bank
        self.keeping = keeping
        self.writer = writer
        self.rng = rng
        self._before: dict[str, int] = {}

    def fresh(self, name: str) -> int:
        """Any sample, of the formula's writer if there are any and they are to be kept."""
        if self.keeping and self.rng.random() < self.keeping:
            own = self.bank.by_writer(name, self.writer)
            if len(own):
                return int(own[self.rng.integers(len(own))])
            if name in self._before and self.rng.random() < self.keeping:
                return self._before[name]
        index = int(self.rng.integers(self.bank.count(name)))
        self._before[name] = index
        return index

    def index(self, name: str, width: float, height: float) -> int:
        """A sample for a place: of two, the one whose proportions are nearer to its own.

        Only where samples are free to choose: a writer's own are few, and the paper's are random.
        """
        first = self.fresh(name)
        if not self.keeping:
            return first
        second = self.fresh(name)
        if first == second:
            return first
        sizes = self.bank.sizes(name)[[first, second]]
        own = np.log(np.maximum(sizes[:, 0], 0.05) / np.maximum(sizes[:, 1], 0.05))
        wanted = np.log(max(width, 1.0) / max(height, 1.0))
        return (first, second)[int(np.argmin(np.abs(own - wanted)))]


def _name(one: PlacedSymbol) -> str:
    return glyph_token(one.token, one.style or None)


def _spanning(one: PlacedSymbol) -> bool:
    wide = one.box[2] - one.box[0] > _WIDE * UNIT
    return one.kind in _SPANNING and (one.kind is not SymbolKind.ACCENT or wide)


def _moved(one: PlacedSymbol, writer: WriterStyle) -> Box:
    """A place in the writer's own spacing: symbols move, what spans others grows along."""
    left, top, right, bottom = one.box
    if _spanning(one):
        across = (left * writer.horizontal_scale, right * writer.horizontal_scale)
    else:
        middle = (left + right) / 2 * writer.horizontal_scale
        across = (middle - (right - left) / 2, middle + (right - left) / 2)
    tall = one.kind in (SymbolKind.RADICAL, SymbolKind.FRAME, SymbolKind.DELIMITER)
    if tall:
        down = (top * writer.vertical_scale, bottom * writer.vertical_scale)
    else:
        middle = (top + bottom) / 2 * writer.vertical_scale
        down = (middle - (bottom - top) / 2, middle + (bottom - top) / 2)
    return across[0], down[0], across[1], down[1]


def _inner(one: PlacedSymbol, writer: WriterStyle) -> Box:
    left, top, right, bottom = one.inner or one.box
    return (
        left * writer.horizontal_scale,
        top * writer.vertical_scale,
        right * writer.horizontal_scale,
        bottom * writer.vertical_scale,
    )
