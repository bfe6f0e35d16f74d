r"""Canonical tokens to placed glyphs: a very small typesetter for the built-in handwriting.

Rows, scripts, fractions, radicals, limits above and below, brackets that grow with their contents,
by the proportions of TeX's rules (The TeXbook, appendix G) in simplest form. Every written token
becomes one symbol of the ink, at its own position, so that what is drawn is aligned by
construction. No TeX is needed and nothing else is attempted.

The same places can be had as a `Layout`, for handwriting made of other shapes than these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.ink.builtin_font.hershey import AXIS, glyph, letters
from im2tex.ink.ink import Ink, Stroke, Symbol
from im2tex.render.layout.layout import (
    UNIT,
    Box,
    Layout,
    PlacedSymbol,
    SymbolKind,
    normalized_layout,
)

# In units of the current size, a capital's height.
_SCRIPT = 0.66  # size of a script
_SMALLEST = 0.42  # of the formula's own size; scripts of scripts shrink no further
_FRACTION = 0.86  # size of a nested fraction's parts
_GAP = 0.2  # between a fraction bar and its parts, a radical and its content
_LIMIT = 0.16  # between an operator and its limits
_SPACES = {
    **dict.fromkeys(["+", "-", "\\pm", "\\times", "\\div", "\\cdot"], 0.16),
    **dict.fromkeys(
        ["=", "<", ">", "\\lt", "\\gt", "\\leq", "\\geq", "\\neq", "\\rightarrow", "\\to", "\\in"],
        0.24,
    ),
}
_LIMITED = frozenset(["\\sum", "\\prod", "\\lim", "\\max", "\\min", "\\sup", "\\inf"])
_PARTNER = {"(": ")", "[": "]", "\\{": "\\}", "|": "|"}
_CAPITAL = 0.683 * UNIT  # a capital's height in TeX's fonts, in units of a layout
_PEN = 2  # half of a pen's width, likewise
_LEVELS = (0.7, 0.5)  # sizes from which on symbols are text or scripts
_KINDS = {
    "\\frac": SymbolKind.RULE,
    "\\sqrt": SymbolKind.RADICAL,
    **dict.fromkeys([*_PARTNER, *_PARTNER.values()], SymbolKind.DELIMITER),
}
_CLOSED = frozenset([*_PARTNER.values(), "}", "\\infty", "!", "\\prime"])


class _Item(NamedTuple):
    """A symbol set: its strokes, and the size and line that it was set in."""

    position: int
    token: str
    strokes: list[NDArray[np.float64]]
    size: float
    line: float = 0.0

    def moved(self, by: NDArray[np.float64]) -> _Item:
        """The same elsewhere."""
        strokes = [stroke + by for stroke in self.strokes]
        return self._replace(strokes=strokes, line=self.line + float(by[1]))


@dataclass(slots=True)
class _Box:
    """Something set: symbols from an origin on the baseline, with y downwards."""

    width: float = 0.0
    ascent: float = -1e9
    descent: float = -1e9
    symbols: list[_Item] = field(default_factory=list)

    def add(self, other: _Box, x: float, y: float) -> None:
        """Takes over another box, its origin at (x, y)."""
        by = np.array([x, y])
        self.symbols += [item.moved(by) for item in other.symbols]
        self.width = max(self.width, x + other.width)
        self.ascent = max(self.ascent, other.ascent - y)
        self.descent = max(self.descent, other.descent + y)


def typeset(tokens: Sequence[str], *, cursive: bool = False) -> Ink:
    r"""Sets a formula in the built-in glyphs, neatly.

    Args:
        tokens: canonical: every argument braced.
        cursive: takes lower-case letters from a running hand.

    Returns:
        Its ink, in capital heights, every symbol aligned to its token.

    Raises:
        Im2TexError: for a token without a glyph, or markup that is not canonical.
    """
    strokes: list[Stroke] = []
    symbols: list[Symbol] = []
    for item in _set(tokens, cursive):
        # Drawn by hand, the bar of a fraction is a minus.
        token = "-" if item.token == "\\frac" else item.token
        own = tuple(range(len(strokes), len(strokes) + len(item.strokes)))
        symbols.append(Symbol(token, own, item.position))
        strokes += [shape.astype(np.float32) for shape in item.strokes]
    return Ink(tuple(strokes), tuple(symbols))


def typeset_layout(tokens: Sequence[str]) -> Layout:
    """The places of a formula's symbols, without TeX.

    Args:
        tokens: canonical: every argument braced.

    Returns:
        Its layout, as TeX's would be: in the same units, names letter by letter.

    Raises:
        Im2TexError: for a token without a glyph, markup that is not canonical, or a formula that
            is larger than a layout can be.
    """
    placed = [one for item in _set(tokens, cursive=False) for one in _placed(item)]
    layout = normalized_layout(tokens, placed)
    if layout is None:
        raise Im2TexError(f"a formula of {len(tokens)} tokens is too wide for a layout.")
    return layout


def _set(tokens: Sequence[str], cursive: bool) -> list[_Item]:
    """A formula's symbols in the order of their tokens."""
    box, end = _Setter(tokens, cursive).row(0, 1.0, None)
    if end < len(tokens) or not box.symbols:
        raise Im2TexError(f"'{' '.join(tokens)}' is not a formula in canonical form.")
    return sorted(box.symbols, key=lambda item: item.position)


def _placed(item: _Item) -> list[PlacedSymbol]:
    """A symbol as pieces of a layout."""
    level = sum(item.size < least for least in _LEVELS)
    line = round(item.line * _CAPITAL)
    spelled = letters(item.token)
    if spelled:
        placed = []
        strokes = iter(item.strokes)
        for letter, count in spelled:
            box = _box([next(strokes) for _ in range(count)])
            placed.append(
                PlacedSymbol(letter, item.position, SymbolKind.LETTER, level, "", box, line)
            )
        return placed
    kind = _KINDS.get(item.token, SymbolKind.SYMBOL)
    box = _box(item.strokes)
    inner: Box | None = None
    if kind is SymbolKind.RADICAL:
        # The sign's last two points are the ends of its bar.
        (left, top), (right, _) = item.strokes[0][-2:] * _CAPITAL
        inner = round(left), round(top), round(right), box[3]
    return [PlacedSymbol(item.token, item.position, kind, level, "", box, line, inner)]


def _box(strokes: Sequence[NDArray[np.float64]]) -> Box:
    """What a pen covers that draws some strokes, in a layout's units."""
    points = np.concatenate(strokes) * _CAPITAL
    left, top = (points.min(axis=0) - _PEN).round().astype(int).tolist()
    right, bottom = (points.max(axis=0) + _PEN).round().astype(int).tolist()
    return left, top, right, bottom


class _Setter:
    """One formula being set; each method gives a box and the index behind what it read."""

    def __init__(self, tokens: Sequence[str], cursive: bool) -> None:
        self.tokens = list(tokens)
        self.cursive = cursive

    def row(self, at: int, size: float, closing: str | None) -> tuple[_Box, int]:
        """Items side by side, up to `closing` or the end."""
        box = _Box()
        before: str | None = None
        while at < len(self.tokens) and self.tokens[at] != closing:
            token = self.tokens[at]
            space = _SPACES.get(token, 0.0) * size
            if not _is_operand(before) and token in ("+", "-", "\\pm"):
                space = 0.0  # a sign, not an operation
            item, at = self.item(at, size)
            if token.startswith("\\") and token[1:].isalpha() and len(token) > 3:
                # Names and large operators keep clear of what follows.
                item.width += 0.2 * size
            box.add(item, box.width + space, 0.0)
            box.width += space
            before = self.tokens[at - 1]
        return box, at

    def item(self, at: int, size: float) -> tuple[_Box, int]:
        """A nucleus with its scripts."""
        start = at
        token = self.tokens[at]
        if token == "\\frac":
            box, at = self.fraction(at, size)
        elif token == "\\sqrt":
            box, at = self.radical(at, size)
        elif token in _PARTNER and (end := self.partner(at)) is not None:
            box, at = self.fence(at, end, size)
        else:
            box, at = self.symbol(at, size), at + 1
        scripts: dict[str, _Box] = {}
        while at < len(self.tokens) and self.tokens[at] in ("_", "^"):
            mark = self.tokens[at]
            small = max(size * _SCRIPT, _SMALLEST)
            scripts[mark], at = self.group(at + 1, small)
        if scripts and token in _LIMITED:
            return self.limits(box, scripts, size), at
        if scripts:
            self.attach(box, scripts, size, tall=token == "\\int" or at - start > 8)
        return box, at

    def symbol(self, at: int, size: float, height: float | None = None) -> _Box:
        """One glyph; stretched about the axis to `height` where that is more than its own."""
        token = self.tokens[at]
        if token in ("{", "}", "_", "^", "&"):
            raise Im2TexError(f"'{' '.join(self.tokens)}' is not in canonical form at '{token}'.")
        shape = glyph(token, self.cursive)
        strokes = [stroke * np.float64(size) for stroke in shape.strokes]
        ascent, descent = shape.ascent * size, shape.descent * size
        if height is not None and height > ascent + descent:
            factor = height / (ascent + descent)
            middle = (descent - ascent) / 2
            strokes = [
                (s - (0, middle)) * (factor**0.25, factor) + (0, AXIS * size) for s in strokes
            ]
            ascent, descent = height / 2 - AXIS * size, height / 2 + AXIS * size
        return _Box(shape.width * size, ascent, descent, [_Item(at, token, strokes, size)])

    def group(self, at: int, size: float) -> tuple[_Box, int]:
        """The content of a pair of braces."""
        if self.tokens[at : at + 1] == ["{"]:
            box, at = self.row(at + 1, size, "}")
            if at < len(self.tokens) and box.symbols:
                return box, at + 1
        raise Im2TexError(
            f"'{' '.join(self.tokens)}' is not in canonical form: every argument is a "
            "group in braces."
        )

    def fraction(self, at: int, size: float) -> tuple[_Box, int]:
        """Numerator and denominator, centred about a bar on the axis."""
        inner = max(size * _FRACTION, _SMALLEST) if at else size
        above, end = self.group(at + 1, inner)
        below, end = self.group(end, inner)
        width = max(above.width, below.width) + 0.3 * size
        margin = 0.08 * size
        axis = AXIS * size
        bar = np.array([(margin, axis), (margin + width, axis)])
        box = _Box(width + 2 * margin, -axis, axis, [_Item(at, "\\frac", [bar], size)])
        gap = _GAP * size
        box.add(above, margin + (width - above.width) / 2, axis - gap - above.descent)
        box.add(below, margin + (width - below.width) / 2, axis + gap + below.ascent)
        return box, end

    def radical(self, at: int, size: float) -> tuple[_Box, int]:
        """A root sign drawn round its content, with a degree in its crook."""
        degree = None
        end = at + 1
        if self.tokens[end : end + 1] == ["["]:
            degree, end = self.row(end + 1, max(size * 0.55, 0.8 * _SMALLEST), "]")
            end += 1
        body, end = self.group(end, size)
        top = -max(body.ascent, 0.7 * size) - 0.8 * _GAP * size
        foot = max(body.descent, 0.0) + 0.06 * size
        left = max(0.0, degree.width - 0.3 * size) if degree else 0.05 * size
        crook = foot - min(0.55 * (foot - top), 0.6 * size)
        sign = np.array(
            [
                (left, crook + 0.06 * size),
                (left + 0.12 * size, crook),
                (left + 0.3 * size, foot),
                (left + 0.55 * size, top),
                (left + 0.62 * size + body.width, top),
            ]
        )
        width = left + 0.7 * size + body.width
        box = _Box(width, -top, foot, [_Item(at, "\\sqrt", [sign], size)])
        box.add(body, left + 0.55 * size, 0.0)
        if degree is not None:
            box.add(degree, 0.0, crook - 0.12 * size - degree.descent)
        return box, end

    def partner(self, at: int) -> int | None:
        """Where the bracket at `at` is closed in the same row."""
        opening, closing = self.tokens[at], _PARTNER[self.tokens[at]]
        depth = braces = 0
        for i in range(at + 1, len(self.tokens)):
            token = self.tokens[i]
            braces += (token == "{") - (token == "}")
            if braces < 0:
                return None
            if braces == 0 and token == closing:
                if depth == 0:
                    return i if i > at + 1 else None
                depth -= 1
            elif braces == 0 and token == opening:
                depth += 1
        return None

    def fence(self, at: int, end: int, size: float) -> tuple[_Box, int]:
        """Brackets as tall as what they hold."""
        inner, stop = _Setter(self.tokens[:end], self.cursive).row(at + 1, size, None)
        assert stop == end
        reach = max(inner.ascent + AXIS * size, inner.descent - AXIS * size)
        height = 2 * reach + 0.1 * size if reach > 0.8 * size else None
        box = self.symbol(at, size, height)
        box.add(inner, box.width, 0.0)
        box.add(self.symbol(end, size, height), box.width, 0.0)
        return box, end + 1

    def limits(self, box: _Box, scripts: dict[str, _Box], size: float) -> _Box:
        """Scripts below and above an operator."""
        width = max(box.width, *(script.width for script in scripts.values()))
        whole = _Box(width)
        whole.add(box, (width - box.width) / 2, 0.0)
        gap = _LIMIT * size
        if (below := scripts.get("_")) is not None:
            whole.add(below, (width - below.width) / 2, box.descent + gap + below.ascent)
        if (above := scripts.get("^")) is not None:
            whole.add(above, (width - above.width) / 2, -box.ascent - gap - above.descent)
        return whole

    def attach(self, box: _Box, scripts: dict[str, _Box], size: float, *, tall: bool) -> None:
        """Scripts to the right, in place."""
        right = box.width
        ascent, descent = box.ascent, box.descent
        over, under = scripts.get("^"), scripts.get("_")
        if over is not None:
            foot = max(0.52 * size, ascent - (0.45 if tall else 0.4) * size)
            box.add(over, right, -foot - max(over.descent, 0.0))
        if under is not None:
            drop = 0.36 * size if over is None or tall else 0.3 * size
            head = max(-0.3 * size, descent - 0.4 * size) if tall or descent > 0.3 * size else None
            y = max(descent, 0.0) * (1.0 if tall else 0.5) + drop
            if head is not None:
                y = max(y, head + under.ascent * 0.5)
            left = 0.22 * size if tall and self.tokens and over is not None else 0.0
            box.add(under, right - left, y)


def _is_operand(token: str | None) -> bool:
    """Whether a sign behind this token is an operation, not a sign."""
    return token is not None and (
        token in _CLOSED or token.isalnum() or (token[1:].isalpha() and token not in _SPACES)
    )
