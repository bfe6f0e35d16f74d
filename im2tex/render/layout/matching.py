"""Matches the glyphs of a formula's plain page with the markers of its marked page.

Both pages hold the same glyphs in the same order, with exceptions on the marked page: a
ligature is split into letters, a bracket may have another number of pieces, and a script of an
accent in braces may move. Where the pages differ, glyphs are matched only if their markers are
unambiguous.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from im2tex.render.tex.dvi import SPECIAL, DviItem

_TEXT_FONT = re.compile(r"cm(r|bx|b|ss|ssbx|ssi|ti|bxti|sl|bxsl|csc|dunh|u)\d")
_LIGATURES = {11: "ff", 12: "fi", 13: "fl", 14: "ffi", 15: "ffl", 123: "--", 124: "---"}
_LIGATURES |= {34: "''", 92: "``", 60: "!`", 62: "?`"}
_PIECES_FONT = "cmex"  # tall brackets are built of its glyphs
_MAX_PAIRS = 250_000  # of glyphs compared where two pages differ: some 500 against as many

_Key = tuple[str, int]
"""Font and code, by which glyphs of the two pages are compared."""


class MatchedGlyph(NamedTuple):
    """A glyph or rule and its marker.

    Attributes:
        item: the glyph or rule on the plain page.
        marker: number of the marker.
        drop: from its reference point down to the baseline of its line, in DVI units.
        part: of a ligature, index of the letter and number of letters.
    """

    item: DviItem
    marker: int
    drop: int
    part: tuple[int, int] = (0, 1)


class UnmatchedGlyphError(Exception):
    """Ink whose token cannot be determined; the message names it."""


class _Glyph(NamedTuple):
    """A glyph, a rule or a letter of a ligature."""

    key: _Key
    item: DviItem
    part: tuple[int, int]


class _MarkerRef(NamedTuple):
    """The marker of a glyph on the marked page, and its `drop` there."""

    marker: int
    drop: int


def match_glyphs(plain: Sequence[DviItem], marked: Sequence[DviItem]) -> list[MatchedGlyph]:
    """Finds the marker of every glyph and rule.

    Args:
        plain: page of the formula.
        marked: page of the formula with markers.

    Returns:
        All ink of the plain page, in its order, ligatures letter by letter.

    Raises:
        UnmatchedGlyphError: if the marker of a glyph is ambiguous.
    """
    if any(item.code == SPECIAL for item in plain):
        raise UnmatchedGlyphError("a marker on the plain page")
    keys, refs = _read_markers(marked)
    glyphs = [glyph for item in plain for glyph in _split_ligature(item)]
    if [glyph.key for glyph in glyphs] != keys:
        refs = _align([glyph.key for glyph in glyphs], keys, refs)
    if any(ref.marker < 0 for ref in refs):
        raise UnmatchedGlyphError("ink in front of the first marker")
    return [
        MatchedGlyph(glyph.item, ref.marker, ref.drop, glyph.part)
        for glyph, ref in zip(glyphs, refs, strict=True)
    ]


def _split_ligature(item: DviItem) -> list[_Glyph]:
    """Returns the letters of a ligature, or the glyph itself."""
    letters = _LIGATURES.get(item.code)
    if letters is None or not _TEXT_FONT.match(item.font):
        return [_Glyph((item.font, item.code), item, (0, 1))]
    count = len(letters)
    return [
        _Glyph((item.font, ord(letter)), item, (part, count)) for part, letter in enumerate(letters)
    ]


def _read_markers(page: Sequence[DviItem]) -> tuple[list[_Key], list[_MarkerRef]]:
    """Returns the glyphs of a marked page, and the marker of each."""
    keys: list[_Key] = []
    refs: list[_MarkerRef] = []
    stack: list[tuple[int, int]] = []
    marker, baseline = -1, 0
    for item in page:
        text = item.font
        if item.code != SPECIAL:
            for glyph in _split_ligature(item):
                keys.append(glyph.key)
                refs.append(_MarkerRef(marker, baseline - item.y))
        elif text == "+":
            stack.append((marker, baseline))
        elif text == "-":
            if not stack:
                raise UnmatchedGlyphError("a marker closes an argument that none opened")
            marker, baseline = stack.pop()
        elif not text.isdecimal():
            raise UnmatchedGlyphError(f"an unknown marker {text[:20]!r}")
        else:
            # TeX puts a marker on the baseline of the line that it stands in.
            marker, baseline = int(text), item.y
    return keys, refs


def _align(
    plain: list[_Key], marked: list[_Key], marked_refs: list[_MarkerRef]
) -> list[_MarkerRef]:
    """Returns the markers of the plain page's glyphs if the marked page differs in places."""
    # One equal glyph stays at either end, since the stretch beside it may continue it.
    head = max(0, _common_prefix(plain, marked) - 1)
    tail = max(0, _common_prefix(plain[head + 1 :][::-1], marked[head + 1 :][::-1]) - 1)
    plain, marked = plain[head : len(plain) - tail], marked[head : len(marked) - tail]
    if len(plain) * len(marked) > _MAX_PAIRS:
        raise UnmatchedGlyphError("too many glyphs change with the markers")
    middle = marked_refs[head : len(marked_refs) - tail]
    found: dict[int, _MarkerRef] = {}
    gaps: list[tuple[list[int], list[int]]] = []
    matcher = SequenceMatcher(None, plain, marked, autojunk=False)
    for tag, first, last, start, stop in matcher.get_opcodes():
        if tag == "equal":
            found |= zip(range(first, last), middle[start:stop], strict=True)
        else:
            gaps.append((list(range(first, last)), list(range(start, stop))))
    for ours, theirs in _take_moved(plain, marked, gaps):
        found[ours] = middle[theirs]
    for gap, others in gaps:
        _fill_gap(gap, [middle[other] for other in others], plain, found)
    end = len(marked_refs) - tail
    refs = [*marked_refs[:head], *(found[at] for at in range(len(plain))), *marked_refs[end:]]
    if {ref.marker for ref in marked_refs} - {ref.marker for ref in refs}:
        raise UnmatchedGlyphError("glyphs that stand on the marked page only")
    return refs


def _take_moved(
    plain: list[_Key], marked: list[_Key], gaps: list[tuple[list[int], list[int]]]
) -> list[tuple[int, int]]:
    """Removes moved glyphs from the gaps: glyphs that occur once in the gaps of either page.

    Returns:
        The indices of each moved glyph on the plain and on the marked page.
    """
    moved: list[tuple[int, int]] = []
    ours = Counter(plain[at] for gap, _ in gaps for at in gap)
    theirs = Counter(marked[at] for _, gap in gaps for at in gap)
    for key, count in ours.items():
        if count == theirs[key] == 1 and not key[0].startswith(_PIECES_FONT):
            (own, at), *_ = [(gap, at) for gap, _ in gaps for at in gap if plain[at] == key]
            (other, to), *_ = [(gap, to) for _, gap in gaps for to in gap if marked[to] == key]
            own.remove(at)
            other.remove(to)
            moved.append((at, to))
    return moved


def _fill_gap(
    gap: list[int], refs: list[_MarkerRef], keys: list[_Key], found: dict[int, _MarkerRef]
) -> None:
    """Finds the markers of a stretch of glyphs that differs from the marked page.

    Args:
        gap: indices of the glyphs.
        refs: markers of the glyphs at the same position of the marked page.
        keys: all glyphs of the plain page.
        found: known markers by index; extended by those of the stretch.

    Raises:
        UnmatchedGlyphError: if they are ambiguous.
    """
    # Brackets beside the stretch may continue in it, on either page.
    while len(gap) > len(refs) and gap[0] - 1 in found and keys[gap[0]] == keys[gap[0] - 1]:
        found[gap[0]] = found[gap[0] - 1]
        gap = gap[1:]
    while len(gap) > len(refs) and gap[-1] + 1 in found and keys[gap[-1]] == keys[gap[-1] + 1]:
        found[gap[-1]] = found[gap[-1] + 1]
        gap = gap[:-1]
    if not gap:
        return
    before, after = found.get(gap[0] - 1), found.get(gap[-1] + 1)
    while len(refs) > len(gap) and before is not None and refs[0].marker == before.marker:
        refs = refs[1:]
    while len(refs) > len(gap) and after is not None and refs[-1].marker == after.marker:
        refs = refs[:-1]
    runs = [next(run) for _, run in groupby(refs, key=lambda ref: ref.marker)]
    if len(gap) == len(refs):
        found |= zip(gap, refs, strict=True)
    elif len(runs) == len(gap):
        found |= zip(gap, runs, strict=True)
    elif len(runs) == 1:
        found |= dict.fromkeys(gap, runs[0])
    else:
        font, code = keys[gap[0]]
        raise UnmatchedGlyphError(f"a glyph that changes with the markers: {font} {code}")


def _common_prefix(first: Sequence[_Key], second: Sequence[_Key]) -> int:
    """Returns how many glyphs are equal from the start."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
