"""Glyphs to marks: what is on a formula's own page, told by what the marked one says.

The two pages hold the same glyphs in the same order, but for what the marks cost: a ligature is
letters there, a bracket may have another number of pieces, and a script of an accent in braces
comes elsewhere. Where they differ, glyphs of the two pages are paired only if what they belong to
is sure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from im2tex.render.layout.dvi import MARK, Item

_TEXT_FONT = re.compile(r"cm(r|bx|b|ss|ssbx|ssi|ti|bxti|sl|bxsl|csc|dunh|u)\d")
_LIGATURES = {11: "ff", 12: "fi", 13: "fl", 14: "ffi", 15: "ffl", 123: "--", 124: "---"}
_LIGATURES |= {34: "''", 92: "``", 60: "!`", 62: "?`"}
_PIECES = "cmex"  # the font that tall brackets are built of
_MOST = 250_000
"""Pairs of glyphs looked at where two pages differ: some 500 glyphs against as many."""


class MatchedGlyph(NamedTuple):
    """A piece of ink and the mark it belongs to.

    Attributes:
        item: the glyph or rule.
        mark: the mark's number.
        drop: from its reference point down to the baseline of its line, in DVI units.
        part: of a ligature, which of its letters this is, and of how many.
    """

    item: Item
    mark: int
    drop: int
    part: tuple[int, int] = (0, 1)


class UnmatchedGlyphError(Exception):
    """Ink whose token is not known; its message says which."""


class _Glyph(NamedTuple):
    """A glyph, a rule or a letter of a ligature; what pages are compared by is its key."""

    key: tuple[str, int]
    item: Item
    part: tuple[int, int]


class _Owner(NamedTuple):
    """The mark that ink stands under, and how far below its reference point that was."""

    mark: int
    drop: int


def trace(plain: Sequence[Item], marked: Sequence[Item]) -> list[MatchedGlyph]:
    """Gives every glyph and rule its mark.

    Args:
        plain: the page of the formula as it is.
        marked: its page with marks.

    Returns:
        All ink of the plain page, in its order, ligatures letter by letter.

    Raises:
        UnmatchedGlyphError: if some of it cannot be.
    """
    if any(item.code == MARK for item in plain):
        raise UnmatchedGlyphError("a mark where none was put")
    keys, owners = _owners(marked)
    glyphs = [glyph for item in plain for glyph in _spelled(item)]
    if [glyph.key for glyph in glyphs] != keys:
        owners = _matched([glyph.key for glyph in glyphs], keys, owners)
    if any(owner.mark < 0 for owner in owners):
        raise UnmatchedGlyphError("ink in front of every mark")
    return [
        MatchedGlyph(glyph.item, owner.mark, owner.drop, glyph.part)
        for glyph, owner in zip(glyphs, owners, strict=True)
    ]


def _spelled(item: Item) -> list[_Glyph]:
    """A glyph, or what the letters are that it is a ligature of."""
    letters = _LIGATURES.get(item.code)
    if letters is None or not _TEXT_FONT.match(item.font):
        return [_Glyph((item.font, item.code), item, (0, 1))]
    count = len(letters)
    return [
        _Glyph((item.font, ord(letter)), item, (part, count)) for part, letter in enumerate(letters)
    ]


def _owners(page: Sequence[Item]) -> tuple[list[tuple[str, int]], list[_Owner]]:
    """The ink of a marked page, and what each of it belongs to."""
    keys: list[tuple[str, int]] = []
    owners: list[_Owner] = []
    stack: list[tuple[int, int]] = []
    mark, line = -1, 0
    for item in page:
        if item.code != MARK:
            for glyph in _spelled(item):
                keys.append(glyph.key)
                owners.append(_Owner(mark, line - item.y))
        elif item.font == "+":
            stack.append((mark, line))
        elif item.font == "-":
            if not stack:
                raise UnmatchedGlyphError("a mark closes what none has opened")
            mark, line = stack.pop()
        elif not item.font.isdecimal():
            raise UnmatchedGlyphError(f"a mark that says {item.font[:20]!r}")
        else:
            # TeX puts a mark on the baseline of the line that it stands in.
            mark, line = int(item.font), item.y
    return keys, owners


def _matched(
    own: list[tuple[str, int]], keys: list[tuple[str, int]], owners: list[_Owner]
) -> list[_Owner]:
    """The owners of a page's ink, from another page that differs from it in places.

    Args:
        own: the ink of the page.
        keys: that of the marked one.
        owners: of each of these.
    """
    # One glyph of what is the same stays at either end, to see whether others go on from it.
    head = max(0, _common(own, keys) - 1)
    tail = max(0, _common(own[head + 1 :][::-1], keys[head + 1 :][::-1]) - 1)
    own, keys = own[head : len(own) - tail], keys[head : len(keys) - tail]
    if len(own) * len(keys) > _MOST:
        raise UnmatchedGlyphError("it is too long for how much the marks change")
    middle = owners[head : len(owners) - tail]
    found: dict[int, _Owner] = {}
    gaps: list[tuple[list[int], list[int]]] = []
    matcher = SequenceMatcher(None, own, keys, autojunk=False)
    for same, first, last, start, stop in matcher.get_opcodes():
        if same == "equal":
            found |= zip(range(first, last), middle[start:stop], strict=True)
        else:
            gaps.append((list(range(first, last)), list(range(start, stop))))
    for at, other in _elsewhere(own, keys, gaps):
        found[at] = middle[other]
    for ours, theirs in gaps:
        _fill(ours, [middle[other] for other in theirs], own, found)
    whole = [*owners[:head], *(found[at] for at in range(len(own))), *owners[len(owners) - tail :]]
    if {owner.mark for owner in owners} - {owner.mark for owner in whole}:
        raise UnmatchedGlyphError("glyphs that only the marks bring about")
    return whole


def _elsewhere(
    own: list[tuple[str, int]],
    keys: list[tuple[str, int]],
    gaps: list[tuple[list[int], list[int]]],
) -> list[tuple[int, int]]:
    """Takes what has moved out of the gaps: the same glyph on either page, and no other like it."""
    moved: list[tuple[int, int]] = []
    lost = Counter(own[at] for ours, _ in gaps for at in ours)
    spare = Counter(keys[other] for _, theirs in gaps for other in theirs)
    for key, times in lost.items():
        if times == spare[key] == 1 and not key[0].startswith(_PIECES):
            (ours, at), *_ = [(ours, at) for ours, _ in gaps for at in ours if own[at] == key]
            (theirs, to), *_ = [
                (theirs, to) for _, theirs in gaps for to in theirs if keys[to] == key
            ]
            ours.remove(at)
            theirs.remove(to)
            moved.append((at, to))
    return moved


def _fill(
    ours: list[int], theirs: list[_Owner], own: list[tuple[str, int]], found: dict[int, _Owner]
) -> None:
    """Finds the owners of one stretch of glyphs that another one stands for.

    Args:
        ours: places of the glyphs.
        theirs: owners of those that stand for them.
        own: all glyphs of the page.
        found: the owners known so far; gets those of the stretch.

    Raises:
        UnmatchedGlyphError: if it is not clear which is whose.
    """
    # Brackets beside the stretch may go on in it, on either page.
    while len(ours) > len(theirs) and ours[0] - 1 in found and own[ours[0]] == own[ours[0] - 1]:
        found[ours[0]] = found[ours[0] - 1]
        ours = ours[1:]
    while len(ours) > len(theirs) and ours[-1] + 1 in found and own[ours[-1]] == own[ours[-1] + 1]:
        found[ours[-1]] = found[ours[-1] + 1]
        ours = ours[:-1]
    if not ours:
        return
    before, after = found.get(ours[0] - 1), found.get(ours[-1] + 1)
    while len(theirs) > len(ours) and before is not None and theirs[0].mark == before.mark:
        theirs = theirs[1:]
    while len(theirs) > len(ours) and after is not None and theirs[-1].mark == after.mark:
        theirs = theirs[:-1]
    runs = [next(run) for _, run in groupby(theirs, key=lambda owner: owner.mark)]
    if len(ours) == len(theirs):
        found |= zip(ours, theirs, strict=True)
    elif len(runs) in (1, len(ours)):
        found |= zip(ours, runs if len(runs) > 1 else runs * len(ours), strict=True)
    else:
        font, code = own[ours[0]]
        raise UnmatchedGlyphError(f"a glyph that the marks change: {font} {code}")


def _common(one: Sequence[tuple[str, int]], other: Sequence[tuple[str, int]]) -> int:
    """How many glyphs are the same from the start."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
