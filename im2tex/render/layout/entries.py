r"""Matched glyphs to placed symbols: what belongs together becomes one, names become letters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from im2tex.render.layout.commands import ACCENTS, FENCED, FRAMES, PAIRED
from im2tex.render.layout.dvi import RULE
from im2tex.render.layout.fonts import Extent
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
from im2tex.render.layout.marks import Mark
from im2tex.render.layout.trace import MatchedGlyph, UnmatchedGlyphError
from im2tex.render.markup.allowlist import words
from im2tex.render.tex.dvi import POINT

EM = 12 * POINT
"""The em of the text size, in DVI units."""

_RADICALS = words("sqrt sqrtsign root")
_NAMES = words(
    """
    arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf injlim ker lg lim
    liminf limsup ln log max min Pr projlim sec sin sinh sup tan tanh varinjlim varliminf varlimsup
    varprojlim bmod mod pmod pod imreference
    """
)
"""What is written letter by letter: names of functions, and the ?? of a reference."""

_DELIMITERS = frozenset("()[]|") | words(
    """
    { } | langle rangle lbrace rbrace lbrack rbrack lceil rceil lfloor rfloor lgroup rgroup
    lmoustache rmoustache vert Vert lvert rvert lVert rVert ulcorner urcorner llcorner lrcorner
    """
)
_LETTERS = range(33, 127)  # where a text font has the characters of ASCII
_LEVELS = (10 * POINT, 7 * POINT)  # fonts of 12, 8 and 6 points are the three sizes
_ONE_SIZE = "cmex"


class Ink(NamedTuple):
    """One glyph, rule or part of a ligature, in units, y downwards."""

    traced: MatchedGlyph
    left: float
    top: float
    right: float
    bottom: float
    level: int
    baseline: float


def lay_out(
    tokens: Sequence[str],
    starts: Sequence[int],
    marks: Sequence[Mark],
    traced: Sequence[MatchedGlyph],
    boxes: Mapping[str, Mapping[int, Extent]],
) -> Layout | None:
    """Joins traced glyphs to symbols.

    Args:
        tokens: of the formula.
        starts: where each begins in the source, in characters.
        marks: by number.
        traced: every glyph with its mark.
        boxes: ink of glyphs, by font and number.

    Returns:
        The layout; None if it is larger than one can be.

    Raises:
        UnmatchedGlyphError: if a mark has more ink than its token can have.
    """
    placed: list[PlacedSymbol] = []
    for number, runs in _runs(marks, traced, boxes).items():
        mark = marks[number]
        inks = [ink for run in runs for ink in run]
        position = bisect_right(starts, mark.start) - 1
        if mark.token[:7] == "\\begin{":
            placed += _environment(mark, position, runs, tokens, starts)
        elif mark.token in PAIRED:
            placed += _pair(mark, position, runs)
        elif mark.carried is not None:
            letter = bisect_right(starts, mark.carried.start) - 1
            placed += _accented(mark, position, mark.carried.text, letter, inks)
        else:
            placed += _symbol(mark, position, inks)
    return normalized_layout(tokens, placed)


def _ink(traced: MatchedGlyph, mark: Mark, boxes: Mapping[str, Mapping[int, Extent]]) -> Ink:
    item = traced.item
    scale = UNIT / EM
    x, y = item.x * scale, item.y * scale
    baseline = y + traced.drop * scale
    # TeX takes rules and the largest glyphs from one font in every size.
    level = max(0, mark.size - 1)
    if item.code == RULE:
        right, top = x + item.width * scale, y - item.height * scale
        return Ink(traced, x, top, right, y, level, baseline)
    if not item.font.startswith(_ONE_SIZE):
        level = 0 if item.size >= _LEVELS[0] else 1 if item.size >= _LEVELS[1] else 2
    size = item.size * scale
    left, bottom, right, top = (side * size for side in boxes[item.font][item.code])
    part, parts = traced.part
    share = (right - left) / parts
    first = x + left + part * share
    return Ink(traced, first, y - top, first + share, y - bottom, level, baseline)


def _runs(
    marks: Sequence[Mark], traced: Sequence[MatchedGlyph], boxes: Mapping[str, Mapping[int, Extent]]
) -> dict[int, list[list[Ink]]]:
    """The ink of each mark, in stretches without another's in between."""
    runs: dict[int, list[list[Ink]]] = {}
    last = -1
    for one in traced:
        if one.mark != last:
            runs.setdefault(one.mark, []).append([])
            last = one.mark
        runs[last][-1].append(_ink(one, marks[last], boxes))
    return runs


def _symbol(mark: Mark, position: int, inks: list[Ink]) -> list[PlacedSymbol]:
    """What a token draws that is no array and no pair of brackets."""
    token = mark.token
    if token in _NAMES:
        return _name(mark, position, inks)
    if token in _RADICALS:
        kind = SymbolKind.RADICAL
    elif token in ACCENTS:
        kind = SymbolKind.ACCENT
    elif token in FRAMES:
        kind = SymbolKind.FRAME
    elif mark.delimiter or token in _DELIMITERS:
        kind = SymbolKind.DELIMITER
    elif all(ink.traced.item.code == RULE for ink in inks):
        kind = SymbolKind.RULE
    else:
        kind = SymbolKind.SYMBOL
    return [_joined(token, position, kind, mark.style, inks)]


def _name(mark: Mark, position: int, inks: list[Ink]) -> list[PlacedSymbol]:
    r"""A name's letters, and what stands under or over it, as in `\varlimsup`."""
    placed: list[PlacedSymbol] = []
    rest: list[Ink] = []
    for ink in inks:
        item = ink.traced.item
        if item.font.startswith(("cmr", "cmb")) and item.code in _LETTERS:
            placed.append(_joined(chr(item.code), position, SymbolKind.LETTER, "\\mathrm", [ink]))
        else:
            rest.append(ink)
    if rest:
        placed.append(_joined(mark.token, position, SymbolKind.ACCENT, mark.style, rest))
    return placed


def _accented(
    mark: Mark, position: int, letter: str, at: int, inks: list[Ink]
) -> list[PlacedSymbol]:
    """An accent of text and the letter under it."""
    own = [ink for ink in inks if ink.traced.item.code == ord(letter[0])]
    rest = [ink for ink in inks if ink.traced.item.code != ord(letter[0])]
    placed = [_joined(letter, at, SymbolKind.SYMBOL, mark.style, own)] if own else []
    if rest:
        placed.append(_joined(mark.token, position, SymbolKind.ACCENT, mark.style, rest))
    return placed


def _pair(mark: Mark, position: int, runs: list[list[Ink]]) -> list[PlacedSymbol]:
    r"""The two brackets of a `\binom`."""
    if len(runs) != 2:
        raise UnmatchedGlyphError(f"{mark.token} with nothing between its brackets")
    return [
        _joined(token, position, SymbolKind.DELIMITER, mark.style, run)
        for token, run in zip(PAIRED[mark.token], runs, strict=True)
    ]


def _environment(
    mark: Mark,
    position: int,
    runs: list[list[Ink]],
    tokens: Sequence[str],
    starts: Sequence[int],
) -> list[PlacedSymbol]:
    """An array's own ink: its brackets, and the lines between its columns."""
    name = mark.token[7:-1]
    glyphs = [[ink for ink in run if ink.traced.item.code != RULE] for run in runs]
    groups = [run for run in glyphs if run]
    fences = FENCED.get(name, ())
    if len(groups) > len(fences):
        raise UnmatchedGlyphError("ink of a column specification")
    end = bisect_right(starts, mark.end) - 1 if mark.end is not None else position
    placed = [
        _joined(token, where, SymbolKind.DELIMITER, mark.style, group)
        for token, where, group in zip(fences, (position, end), groups, strict=False)
    ]
    columns: dict[int, list[Ink]] = {}
    for ink in (ink for run in runs for ink in run):
        if ink.traced.item.code == RULE:
            columns.setdefault(round(ink.left), []).append(ink)
    bars = _bars(tokens, position)
    if len(bars) != len(columns):
        bars = [position] * len(columns)
    placed += [
        _joined("|", where, SymbolKind.RULE, mark.style, columns[x])
        for x, where in zip(sorted(columns), bars, strict=True)
    ]
    return placed


def _bars(tokens: Sequence[str], position: int) -> list[int]:
    """Where the bars of a column specification are among the tokens."""
    if list(tokens[position + 1 : position + 2]) != ["{"]:
        return []
    bars = []
    for at in range(position + 2, len(tokens)):
        if tokens[at] == "}":
            break
        if tokens[at] == "|":
            bars.append(at)
    return bars


def _joined(
    token: str, position: int, kind: SymbolKind, style: str, inks: list[Ink]
) -> PlacedSymbol:
    """Several pieces of ink as one symbol."""
    box = _around(inks)
    inner: Box | None = None
    if kind is SymbolKind.RADICAL:
        inner = _inside(inks, box)
    first = next((ink for ink in inks if ink.traced.item.code != RULE), inks[0])
    return PlacedSymbol(
        strip_delimiter(token),
        position,
        kind,
        first.level,
        style if style in STYLES else "",
        box,
        round(first.baseline),
        inner,
    )


def _inside(inks: list[Ink], box: Box) -> Box:
    """Where the content of a radical lies: under its bar."""
    bars = [ink for ink in inks if ink.traced.item.code == RULE]
    if not bars:
        return box
    bar = bars[-1]
    return round(bar.left), round(bar.bottom), round(bar.right), box[3]


def _around(inks: list[Ink]) -> Box:
    return (
        round(min(ink.left for ink in inks)),
        round(min(ink.top for ink in inks)),
        round(max(ink.right for ink in inks)),
        round(max(ink.bottom for ink in inks)),
    )
