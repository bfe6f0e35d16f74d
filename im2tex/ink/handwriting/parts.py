r"""`Parts`: the symbols of a layout as arrays, and the glyphs that can stand for them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.glyphs.names import glyph_token
from im2tex.ink.handwriting.style import WriterStyle
from im2tex.render.layout.layout import STYLES, UNIT, Layout, SymbolKind

_BAR, _FRACTION, _SQRT = "-", "\\frac", "\\sqrt"
_NAMES = r"+ - = < > \pm \mp \times \div \cdot \leq \geq \neq \in \rightarrow \leftarrow \approx"
_OPERATORS = frozenset(_NAMES.split())
# Comparison with the members of the enumeration is slower.
_LETTER, _RADICAL, _ACCENT = map(int, (SymbolKind.LETTER, SymbolKind.RADICAL, SymbolKind.ACCENT))
_SIGNS = np.array([[-1.0], [1.0]])  # of the corners of a box
_WIDE_ACCENT = 1.5 * UNIT  # a wider accent covers several symbols


def _table(*kinds: SymbolKind) -> NDArray[np.bool_]:
    return np.isin(np.arange(len(SymbolKind)), kinds)


_FILLING = _table(SymbolKind.DELIMITER, SymbolKind.RULE, SymbolKind.ACCENT, SymbolKind.FRAME)
_COVERING = _table(SymbolKind.RULE, SymbolKind.RADICAL, SymbolKind.ACCENT, SymbolKind.FRAME)
_TALL = _table(SymbolKind.RADICAL, SymbolKind.FRAME, SymbolKind.DELIMITER)


class GlyphName(NamedTuple):
    """The glyphs that can stand for a symbol.

    Attributes:
        token: their token in the bank.
        number: index of the token in the bank; -1 if it has no glyphs.
        is_operator: whether it is an operator or a relation.
    """

    token: str
    number: int
    is_operator: bool


class GlyphNames(dict[tuple[str, int], GlyphName]):
    """The glyphs of each symbol: of a token in a font, an index in `STYLES`.

    Args:
        numbers: index in the bank of each token that has glyphs.
    """

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self.numbers = numbers

    def __missing__(self, symbol: tuple[str, int]) -> GlyphName:
        token = glyph_token(symbol[0], STYLES[symbol[1]] or None)
        name = GlyphName(token, self.numbers.get(token, -1), token in _OPERATORS)
        self[symbol] = name
        return name


class Parts(NamedTuple):
    r"""The n symbols and rules of a layout.

    Attributes:
        names: glyphs of each.
        kinds: (n,) uint8, a `SymbolKind` each.
        levels: (n,) uint8, 0 in text size.
        boxes: (n, 4) left, top, right and bottom, layout units.
        spans: position and token of each symbol of the ink, and the number of its parts.
        operators: (n,) whether it is an operator or a relation.
        fills: (n,) whether a part fills its box.
        covers: (n,) whether it covers other symbols: bars, radicals, frames, wide accents.
    """

    names: list[GlyphName]
    kinds: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    spans: list[tuple[int, str, int]]
    operators: NDArray[np.bool_]
    fills: NDArray[np.bool_]
    covers: NDArray[np.bool_]

    @classmethod
    def of(cls, layout: Layout, names: GlyphNames) -> Parts:
        r"""Reads a layout; the letters of a name such as `\sin` that has glyphs are one part."""
        kinds, levels, positions = layout.kinds, layout.levels, layout.positions
        letters = (kinds == _LETTER).tolist()
        boxes = layout.boxes.astype(np.float64)
        symbols = [*zip(layout.names, layout.styles, strict=True)]
        firsts = [k for k, (a, b) in enumerate(pairwise((-1, *positions))) if a != b]
        spans: list[tuple[int, str, int]] = []
        merged: list[int] = []
        for first, end in pairwise([*firsts, len(positions)]):
            position, count = positions[first], end - first
            token = layout.tokens[position]
            if letters[first] and names[token, 0].number >= 0:
                symbols[first] = token, layout.styles[first]
                boxes[first, :2] = boxes[first:end, :2].min(axis=0)
                boxes[first, 2:] = boxes[first:end, 2:].max(axis=0)
                merged += range(first + 1, end)
                count = 1
            spans.append((position, _BAR if token == _FRACTION else token, count))
        if merged:
            kept = np.delete(np.arange(len(symbols)), merged)
            kinds, levels, boxes = kinds[kept], levels[kept], boxes[kept]
            symbols = [symbols[k] for k in kept]
        if len(layout.inner):
            radicals = (kinds == _RADICAL).tolist()
            symbols = [
                (_SQRT, 0) if is_radical else symbol
                for symbol, is_radical in zip(symbols, radicals, strict=True)
            ]
        found = [names[symbol] for symbol in symbols]
        is_narrow = boxes[:, 2] - boxes[:, 0] <= _WIDE_ACCENT
        return cls(
            found,
            kinds,
            levels,
            boxes,
            spans,
            np.array([name.is_operator for name in found]),
            _FILLING[kinds],
            _COVERING[kinds] & ~(is_narrow & (kinds == _ACCENT)),
        )

    def spaced_boxes(self, writer: WriterStyle) -> NDArray[np.float64]:
        """Boxes with the writer's spacing, (n, 4).

        Symbols are moved; parts that cover others, and tall parts, are scaled.
        """
        corners = self.boxes.reshape(-1, 2, 2)  # (n, corner, axis)
        low, high = corners[:, :1], corners[:, 1:]
        factors = np.array([writer.horizontal_scale, writer.vertical_scale])
        is_scaled = np.empty((len(self.boxes), 1, 2), np.bool_)
        is_scaled[:, 0, 0], is_scaled[:, 0, 1] = self.covers, _TALL[self.kinds]
        moved = (low + high) / 2 * factors + (high - low) / 2 * _SIGNS
        spaced: NDArray[np.float64] = np.where(is_scaled, corners * factors, moved)
        return spaced.reshape(-1, 4)
