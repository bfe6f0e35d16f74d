"""Glyphs to marks: what is on a formula's own page, told by what the marked one says.

The two pages hold the same glyphs in the same order, but for what the marks cost: a ligature is
letters there, a bracket may have another number of pieces, and a script of an accent in braces
comes elsewhere. Where they differ, glyphs of the two pages are paired only if what they belong to
is sure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from im2tex.render.layout_dvi import MARK, Item

_LIGATURES = {11: 2, 12: 2, 13: 2, 14: 3, 15: 3, 123: 2, 124: 3, 92: 2, 34: 2, 60: 2, 62: 2}
"""How many characters the ligatures of TeX's text fonts stand for: ff fi fl ffi ffl -- --- …"""


class Traced(NamedTuple):
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


class Untraced(Exception):
    """Ink whose token is not known; its message says which."""


def trace(plain: Sequence[Item], marked: Sequence[Item]) -> list[Traced]:
    """Gives every glyph and rule its mark.

    Args:
        plain: the page of the formula as it is.
        marked: its page with marks.

    Returns:
        All ink of the plain page, in its order.

    Raises:
        Untraced: if some of it cannot be.
    """
    if any(item.code == MARK for item in plain):
        raise Untraced("a mark where none was put")
    keys, owners = _owners(marked)
    own = [(item.font, item.code) for item in plain]
    if own == keys:
        traced = [Traced(item, *owner) for item, owner in zip(plain, owners, strict=True)]
    else:
        traced = _matched(plain, own, keys, owners)
    if any(one.mark < 0 for one in traced):
        raise Untraced("ink in front of every mark")
    return traced


class _Owner(NamedTuple):
    """The mark that ink stands under, and how far below its reference point that was."""

    mark: int
    drop: int


def _owners(page: Sequence[Item]) -> tuple[list[tuple[str, int]], list[_Owner]]:
    """The ink of a marked page, and what each of it belongs to."""
    keys: list[tuple[str, int]] = []
    owners: list[_Owner] = []
    stack: list[tuple[int, int]] = []
    mark, line = -1, 0
    for item in page:
        if item.code != MARK:
            keys.append((item.font, item.code))
            owners.append(_Owner(mark, line - item.y))
        elif item.font == "+":
            stack.append((mark, line))
        elif item.font == "-":
            if not stack:
                raise Untraced("a mark closes what none has opened")
            mark, line = stack.pop()
        elif not item.font.isdecimal():
            raise Untraced(f"a mark that says {item.font[:20]!r}")
        else:
            # TeX puts a mark on the baseline of the line that it stands in.
            mark, line = int(item.font), item.y
    return keys, owners


def _matched(
    plain: Sequence[Item],
    own: list[tuple[str, int]],
    keys: list[tuple[str, int]],
    owners: list[_Owner],
) -> list[Traced]:
    """Pairs pages that differ in places."""
    paired: list[list[Traced]] = [[] for _ in plain]
    spare: list[int] = []  # ink of the marked page that is elsewhere on the plain one
    lost: list[int] = []
    matcher = SequenceMatcher(None, own, keys, autojunk=False)
    for _, first, last, start, stop in matcher.get_opcodes():
        items, theirs = plain[first:last], owners[start:stop]
        if len(items) == len(theirs):
            found = [[Traced(item, *one)] for item, one in zip(items, theirs, strict=True)]
        elif items and len({owner.mark for owner in theirs}) == 1:
            found = [[Traced(item, *theirs[0])] for item in items]
        elif sum(_letters(item) for item in items) == len(theirs):
            rest = iter(theirs)
            found = [_shared(item, rest) for item in items]
        elif items and not theirs and first and set(own[first:last]) == {own[first - 1]}:
            # A tall bracket with more pieces.
            found = [[paired[first - 1][0]._replace(item=item)] for item in items]
        else:
            lost += range(first, last)
            spare += range(start, stop)
            continue
        paired[first:last] = found
    for at in lost:
        same = [other for other in spare if keys[other] == own[at]]
        if len(same) != 1:
            raise Untraced(f"a glyph that the marks change: {own[at][0]} {own[at][1]}")
        spare.remove(same[0])
        paired[at] = [Traced(plain[at], *owners[same[0]])]
    return [one for ones in paired for one in ones]


def _shared(item: Item, owners: Iterator[_Owner]) -> list[Traced]:
    """A ligature, divided among its letters."""
    count = _letters(item)
    return [Traced(item, *next(owners), (part, count)) for part in range(count)]


def _letters(item: Item) -> int:
    return _LIGATURES.get(item.code, 1) if item.font.startswith("cm") else 1
