"""Glyphs to marks: what is on a formula's own page, told by what the marked one says.

The two pages hold the same glyphs in the same order, but for what the marks cost: a ligature is
letters there, a bracket may have another number of pieces. Where they differ, glyphs of the two
pages are paired only if what they belong to is sure.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        part: of a ligature, which of its letters this is, and of how many.
    """

    item: Item
    mark: int
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
    keys, marks = _owners(marked)
    own = [(item.font, item.code) for item in plain]
    if own == keys:
        traced = [Traced(item, mark) for item, mark in zip(plain, marks, strict=True)]
    else:
        traced = _matched(plain, own, keys, marks)
    if any(one.mark < 0 for one in traced):
        raise Untraced("ink in front of every mark")
    return traced


def _owners(page: Sequence[Item]) -> tuple[list[tuple[str, int]], list[int]]:
    """The ink of a marked page, and the mark that each of it stands under."""
    keys: list[tuple[str, int]] = []
    marks: list[int] = []
    stack: list[int] = []
    mark = -1
    for item in page:
        if item.code != MARK:
            keys.append((item.font, item.code))
            marks.append(mark)
        elif item.font == "+":
            stack.append(mark)
        elif item.font == "-":
            if not stack:
                raise Untraced("marks out of order")
            mark = stack.pop()
        else:
            mark = int(item.font)
    return keys, marks


def _matched(
    plain: Sequence[Item],
    own: list[tuple[str, int]],
    keys: list[tuple[str, int]],
    marks: list[int],
) -> list[Traced]:
    """Pairs pages that differ in places."""
    traced: list[Traced] = []
    matcher = SequenceMatcher(None, own, keys, autojunk=False)
    for _, first, last, start, stop in matcher.get_opcodes():
        items, owners = plain[first:last], marks[start:stop]
        if len(items) == len(owners):
            traced += map(Traced, items, owners)
        elif items and len(set(owners)) == 1:
            traced += [Traced(item, owners[0]) for item in items]
        elif sum(_letters(item) for item in items) == len(owners):
            rest = iter(owners)
            for item in items:
                count = _letters(item)
                traced += [Traced(item, next(rest), (part, count)) for part in range(count)]
        elif items and not owners and _continues(own, first, last):
            before = traced[-1].mark
            traced += [Traced(item, before) for item in items]
        elif items:
            glyphs = ", ".join(f"{item.font} {item.code}" for item in items[:4])
            raise Untraced(f"glyphs that are others among marks: {glyphs}")
        elif not set(owners) <= {*marks[:start], *marks[stop:]}:
            raise Untraced("glyphs that only the marks bring about")
    return traced


def _letters(item: Item) -> int:
    return _LIGATURES.get(item.code, 1) if item.font.startswith("cm") else 1


def _continues(own: list[tuple[str, int]], first: int, last: int) -> bool:
    """Whether glyphs are repeats of the one in front of them, as in a tall bracket."""
    return first > 0 and set(own[first:last]) == {own[first - 1]}
