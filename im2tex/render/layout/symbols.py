r"""Joins matched glyphs to the symbols of a layout; names such as `\sin` become letters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from im2tex.render.layout import commands
from im2tex.render.layout.layout import (
    STYLES,
    UNIT,
    Box,
    Layout,
    PlacedSymbol,
    SymbolKind,
    normalized_layout,
    strip_delimiter,
)
from im2tex.render.layout.markers import Marker
from im2tex.render.layout.matching import MatchedGlyph, UnmatchedGlyphError
from im2tex.render.markup.allowlist import BRACKETS
from im2tex.render.tex.dvi import POINT, RULE
from im2tex.render.tex.fonts import InkBox

_SCALE = UNIT / (12 * POINT)  # units of a layout in a DVI unit: the text size is 12 point
_LETTERS = range(33, 127)  # codes at which a text font has the characters of ASCII
_LEVEL_SIZES = (10 * POINT, 7 * POINT)  # fonts of 12, 8 and 6 points are the three sizes
_ONE_SIZE_FONT = "cmex"


class _GlyphInk(NamedTuple):
    """The ink of a matched glyph in units of the layout, y downwards."""

    glyph: MatchedGlyph
    box: tuple[float, float, float, float]
    level: int
    baseline: float

    @property
    def is_rule(self) -> bool:
        return self.glyph.item.code == RULE


def build_layout(
    tokens: Sequence[str],
    starts: Sequence[int],
    markers: Sequence[Marker],
    glyphs: Sequence[MatchedGlyph],
    boxes: Mapping[str, Mapping[int, InkBox]],
) -> Layout | None:
    """Joins matched glyphs to symbols.

    Args:
        tokens: of the formula.
        starts: where each token begins in the source, in characters.
        markers: by number.
        glyphs: all glyphs of the page.
        boxes: ink boxes by font and glyph code.

    Returns:
        The layout, or None if it exceeds the size of a layout.

    Raises:
        UnmatchedGlyphError: if a marker has more ink than its token can have.
    """
    placed: list[PlacedSymbol] = []
    for number, runs in _group_by_marker(markers, glyphs, boxes).items():
        marker = markers[number]
        inks = [ink for run in runs for ink in run]
        position = bisect_right(starts, marker.start) - 1
        if marker.token[:7] == "\\begin{":
            placed += _environment(marker, position, runs, tokens, starts)
        elif marker.token in commands.PAIRED:
            placed += _pair(marker, position, runs)
        elif marker.base is not None:
            base_position = bisect_right(starts, marker.base.start) - 1
            placed += _accented_letter(marker, position, marker.base.text, base_position, inks)
        elif marker.token in commands.NAMES:
            placed += _name(marker, position, inks)
        else:
            placed.append(
                _join(marker.token, position, _symbol_kind(marker, inks), marker.style, inks)
            )
    return normalized_layout(tokens, placed)


def _ink(
    glyph: MatchedGlyph, marker: Marker, boxes: Mapping[str, Mapping[int, InkBox]]
) -> _GlyphInk:
    item = glyph.item
    x, y = item.x * _SCALE, item.y * _SCALE
    baseline = y + glyph.drop * _SCALE
    # Rules and the largest glyphs have the same font in every size.
    level = max(0, marker.math_style - 1)
    if item.code == RULE:
        box = x, y - item.height * _SCALE, x + item.width * _SCALE, y
        return _GlyphInk(glyph, box, level, baseline)
    if not item.font.startswith(_ONE_SIZE_FONT):
        level = sum(item.size < size for size in _LEVEL_SIZES)
    size = item.size * _SCALE
    left, bottom, right, top = (side * size for side in boxes[item.font][item.code])
    part, parts = glyph.part
    width = (right - left) / parts
    left = x + left + part * width
    return _GlyphInk(glyph, (left, y - top, left + width, y - bottom), level, baseline)


def _group_by_marker(
    markers: Sequence[Marker],
    glyphs: Sequence[MatchedGlyph],
    boxes: Mapping[str, Mapping[int, InkBox]],
) -> dict[int, list[list[_GlyphInk]]]:
    """Returns the ink of each marker, in runs without another marker's ink in between."""
    runs: dict[int, list[list[_GlyphInk]]] = {}
    last = -1
    for glyph in glyphs:
        if glyph.marker != last:
            runs.setdefault(glyph.marker, []).append([])
            last = glyph.marker
        runs[last][-1].append(_ink(glyph, markers[last], boxes))
    return runs


def _symbol_kind(marker: Marker, inks: list[_GlyphInk]) -> SymbolKind:
    token = marker.token
    if token in commands.RADICALS:
        return SymbolKind.RADICAL
    if token in commands.ACCENTS:
        return SymbolKind.ACCENT
    if token in commands.FRAMES:
        return SymbolKind.FRAME
    if marker.delimiter or token in BRACKETS:
        return SymbolKind.DELIMITER
    return SymbolKind.RULE if all(ink.is_rule for ink in inks) else SymbolKind.SYMBOL


def _name(marker: Marker, position: int, inks: list[_GlyphInk]) -> list[PlacedSymbol]:
    r"""Returns a name's letters, and the ink over or under it, as in `\varlimsup`."""
    placed: list[PlacedSymbol] = []
    rest: list[_GlyphInk] = []
    for ink in inks:
        item = ink.glyph.item
        if item.font.startswith(("cmr", "cmb")) and item.code in _LETTERS:
            letter = chr(item.code)
            placed.append(_join(letter, position, SymbolKind.LETTER, "\\mathrm", [ink]))
        else:
            rest.append(ink)
    if rest:
        placed.append(_join(marker.token, position, SymbolKind.ACCENT, marker.style, rest))
    return placed


def _accented_letter(
    marker: Marker, position: int, letter: str, letter_position: int, inks: list[_GlyphInk]
) -> list[PlacedSymbol]:
    """Returns an accent of text and the letter under it."""
    base = [ink for ink in inks if ink.glyph.item.code == ord(letter[0])]
    accent = [ink for ink in inks if ink.glyph.item.code != ord(letter[0])]
    placed = []
    if base:
        placed.append(_join(letter, letter_position, SymbolKind.SYMBOL, marker.style, base))
    if accent:
        placed.append(_join(marker.token, position, SymbolKind.ACCENT, marker.style, accent))
    return placed


def _pair(marker: Marker, position: int, runs: list[list[_GlyphInk]]) -> list[PlacedSymbol]:
    r"""Returns the two brackets of a `\binom`."""
    if len(runs) != 2:
        raise UnmatchedGlyphError(f"{marker.token} with nothing between its brackets")
    return [
        _join(token, position, SymbolKind.DELIMITER, marker.style, run)
        for token, run in zip(commands.PAIRED[marker.token], runs, strict=True)
    ]


def _environment(
    marker: Marker,
    position: int,
    runs: list[list[_GlyphInk]],
    tokens: Sequence[str],
    starts: Sequence[int],
) -> list[PlacedSymbol]:
    """Returns the ink of an array itself: its brackets, and the lines between its columns."""
    fences = commands.FENCED.get(marker.token[7:-1], ())
    groups = [run for run in ([ink for ink in run if not ink.is_rule] for run in runs) if run]
    if len(groups) > len(fences):
        raise UnmatchedGlyphError("ink of a column specification")
    end = bisect_right(starts, marker.end) - 1 if marker.end is not None else position
    placed = [
        _join(token, where, SymbolKind.DELIMITER, marker.style, group)
        for token, where, group in zip(fences, (position, end), groups, strict=False)
    ]
    columns: dict[int, list[_GlyphInk]] = {}
    for ink in (ink for run in runs for ink in run):
        if ink.is_rule:
            columns.setdefault(round(ink.box[0]), []).append(ink)
    bars = _bar_positions(tokens, position)
    if len(bars) != len(columns):
        bars = [position] * len(columns)
    placed += [
        _join("|", where, SymbolKind.RULE, marker.style, columns[x])
        for x, where in zip(sorted(columns), bars, strict=True)
    ]
    return placed


def _bar_positions(tokens: Sequence[str], position: int) -> list[int]:
    """Returns the positions of the bars of the column specification behind a position."""
    start = position + 2
    if list(tokens[position + 1 : start]) != ["{"]:
        return []
    end = next((at for at in range(start, len(tokens)) if tokens[at] == "}"), len(tokens))
    return [at for at in range(start, end) if tokens[at] == "|"]


def _join(
    token: str, position: int, kind: SymbolKind, style: str, inks: list[_GlyphInk]
) -> PlacedSymbol:
    """Joins ink to a symbol."""
    lefts, tops, rights, bottoms = zip(*(ink.box for ink in inks), strict=True)
    box = round(min(lefts)), round(min(tops)), round(max(rights)), round(max(bottoms))
    first = next((ink for ink in inks if not ink.is_rule), inks[0])
    return PlacedSymbol(
        strip_delimiter(token),
        position,
        kind,
        first.level,
        style if style in STYLES else "",
        box,
        round(first.baseline),
        _content_box(inks, box) if kind is SymbolKind.RADICAL else None,
    )


def _content_box(inks: list[_GlyphInk], box: Box) -> Box:
    """Returns the box of a radical's content: under its bar."""
    bars = [ink for ink in inks if ink.is_rule]
    if not bars:
        return box
    left, _, right, bottom = bars[-1].box
    return round(left), round(bottom), round(right), box[3]
