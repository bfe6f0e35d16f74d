"""What lies where on the pages of a DVI file: glyphs, rules, and the marks between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from im2tex.render.tex import dvi
from im2tex.render.tex.dvi import Font
from im2tex.render.tex.tfm import Metrics

RULE = -1
"""Stands in place of a rule's character."""

MARK = -2
"""Stands in place of a mark's."""


class Item(NamedTuple):
    """A glyph, a rule or a mark.

    Attributes:
        code: number of the glyph in its font, `RULE` or `MARK`.
        font: name of the font; a mark's text.
        size: of the font, in DVI units.
        x: of the reference point, to the right, in DVI units.
        y: likewise, downwards.
        width: of a rule.
        height: of a rule, above the reference point.
    """

    code: int
    font: str
    size: int
    x: int
    y: int
    width: int = 0
    height: int = 0


def pages(data: bytes, metrics: Callable[[str], Metrics]) -> dict[int, list[Item]]:
    """What lies on every page of a file that TeX has finished, by page number.

    Args:
        data: the file.
        metrics: gives a font's metrics by its name.

    Raises:
        DviError: if the file does not follow the format, or a font is missing.
    """
    found: dict[int, list[Item]] = {}

    def watch(number: int) -> _Items:
        found[number] = []
        return _Items(found[number])

    dvi.read(data, metrics, watch)
    return found


class _Items:
    """Adds to a list what is seen of a page; a `dvi.Watcher`."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items

    def glyph(self, code: int, font: Font, x: int, y: int) -> None:
        self.items.append(Item(code, font.name, font.size, x, y))

    def rule(self, width: int, height: int, x: int, y: int) -> None:
        self.items.append(Item(RULE, "", 0, x, y, width, height))

    def special(self, text: bytes, x: int, y: int) -> None:
        self.items.append(Item(MARK, text.decode("latin-1"), 0, x, y))

    def lost(self) -> None:
        """What is too far away for a layout shows in its size."""
