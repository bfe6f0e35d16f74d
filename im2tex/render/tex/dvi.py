r"""Reads TeX's DVI files: one interpreter of their pages, which tells a watcher what it comes upon.

`page_sizes` watches how much paper a page's ink takes, `layout.dvi` what lies where. The format is
that of D. Knuth's DVItype.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from im2tex.render.tex.tfm import Metrics

POINT = 65536  # DVI units (TeX's scaled points) in one of TeX's points
FAR = 1 << 30  # a position beyond \maxdimen, TeX's largest length


class DviError(ValueError):
    """A file that is not DVI as TeX writes it."""


class Font(NamedTuple):
    """A font at a size.

    Attributes:
        name: of its files.
        size: in DVI units.
        metrics: from its TFM file.
    """

    name: str
    size: int
    metrics: Metrics


class Watcher(Protocol):
    """What is told of a page, in the order in which TeX wrote it.

    Positions are in DVI units, x to the right and y downwards.
    """

    def glyph(self, code: int, font: Font, x: int, y: int) -> None:
        """A character, its reference point at a position."""

    def rule(self, width: int, height: int, x: int, y: int) -> None:
        """A rule that can be seen, its left bottom corner at a position."""

    def special(self, text: bytes, x: int, y: int) -> None:
        r"""A `\special`, which draws nothing by itself."""

    def lost(self) -> None:
        """A position is further away than TeX can measure."""


def read(data: bytes, metrics: Callable[[str], Metrics], watch: Callable[[int], Watcher]) -> None:
    r"""Goes through every page of a file that TeX has finished.

    Args:
        data: the file.
        metrics: gives a font's metrics by its name.
        watch: gives the watcher of a page by its number, TeX's `\count0`.

    Raises:
        DviError: if the file does not follow the format, or a font is missing.
    """
    try:
        end = _postamble(data)
        known = {n: Font(name, size, metrics(name)) for n, (name, size) in fonts(data).items()}
        at = 15 + data[14]
        while at < end:
            if data[at] == 138:
                at += 1
            elif data[at] == 139:
                number = struct.unpack_from(">i", data, at + 1)[0]
                at = _page(data, at + 45, known, watch(number))
            else:
                raise DviError(f"instruction {data[at]} between pages")
    except (IndexError, struct.error, KeyError) as error:
        raise DviError(f"not as TeX writes it: {error!r}") from None


def fonts(data: bytes) -> dict[int, tuple[str, int]]:
    """The fonts of a file that TeX has finished: name and size in DVI units, by number.

    Raises:
        DviError: if the file has no end.
    """
    found: dict[int, tuple[str, int]] = {}
    at = _postamble(data) + 29
    while 243 <= data[at] <= 246:
        at, number, name, size = _font_definition(data, at)
        found[number] = (name, size)
    return found


def complete(data: bytes) -> bool:
    """Whether TeX came to the end of the file."""
    return len(data) > 8 and data[-4:] == b"\xdf" * 4


def _postamble(data: bytes) -> int:
    """Where the pages of a finished file end.

    Raises:
        DviError: if it has no end.
    """
    if not complete(data):
        raise DviError("it has no end")
    at = len(data)
    while data[at - 1] == 0xDF:
        at -= 1
    return int(struct.unpack_from(">I", data, at - 5)[0])


def _font_definition(data: bytes, at: int) -> tuple[int, int, str, int]:
    """A font definition: where it ends, the font's number, name and size."""
    length = data[at] - 242
    number = int.from_bytes(data[at + 1 : at + 1 + length], "big")
    at += 1 + length
    size = struct.unpack_from(">I", data, at + 4)[0]
    start = at + 14
    end = start + data[at + 12] + data[at + 13]
    return end, number, data[start:end].decode("latin-1"), int(size)


# Moves by instruction: which (0 right, 1 w, 2 x, 3 down, 4 y, 5 z), and the bytes that say how far.
# Those of none repeat the last move of their kind; right and down have no such instruction.
_MOVES = {143 + i: (0, i + 1) for i in range(4)}
_MOVES |= {147 + i: (1, i) for i in range(5)}
_MOVES |= {152 + i: (2, i) for i in range(5)}
_MOVES |= {157 + i: (3, i + 1) for i in range(4)}
_MOVES |= {161 + i: (4, i) for i in range(5)}
_MOVES |= {166 + i: (5, i) for i in range(5)}


def _page(  # noqa: PLR0912, PLR0915 - one branch an instruction reads best in one place
    data: bytes, at: int, known: Mapping[int, Font], watcher: Watcher
) -> int:
    """Tells what is on one page; gives where it ends. The most frequent instructions come first."""
    glyph = watcher.glyph
    h = v = 0
    moves = [0] * 6
    stack: list[tuple[int, int, list[int]]] = []
    font = Font("", 0, Metrics(0, [], [], []))
    widths, first, size = font.metrics.widths, 0, 0
    while True:
        code = data[at]
        at += 1
        if code < 128:
            glyph(code, font, h, v)
            h += widths[code - first] * size >> 20
        elif 143 <= code <= 170:
            which, length = _MOVES[code]
            if length:
                moves[which] = int.from_bytes(data[at : at + length], "big", signed=True)
                at += length
            if which < 3:
                h += moves[which]
                lost = not -FAR < h < FAR
            else:
                v += moves[which]
                lost = not -FAR < v < FAR
            if lost:
                watcher.lost()
        elif code == 141:
            stack.append((h, v, moves.copy()))
        elif code == 142:
            h, v, moves = stack.pop()
        elif 171 <= code <= 238:
            number = code - 171
            if code >= 235:
                number = int.from_bytes(data[at : at + code - 234], "big")
                at += code - 234
            font = known[number]
            widths, first, size = font.metrics.widths, font.metrics.first, font.size
        elif code in (132, 137):  # set and put
            height, width = struct.unpack_from(">2i", data, at)
            at += 8
            if height > 0 and width > 0:
                watcher.rule(width, height, h, v)
            h += width if code == 132 else 0
        elif code < 137:  # set 128-131, put 133-136
            length = code - 127 if code < 132 else code - 132
            number = int.from_bytes(data[at : at + length], "big")
            at += length
            glyph(number, font, h, v)
            h += widths[number - first] * size >> 20 if code < 132 else 0
        elif 239 <= code <= 242:
            start = at + code - 238
            length = int.from_bytes(data[at:start], "big")
            at = start + length
            watcher.special(data[start:at], h, v)
        elif code == 140:
            return at
        elif 243 <= code <= 246:
            at = _font_definition(data, at - 1)[0]
        elif code != 138:
            raise DviError(f"instruction {code} inside of a page")
