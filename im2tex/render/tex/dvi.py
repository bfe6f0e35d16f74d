"""Reads the pages of TeX's DVI files: glyphs, rules and specials with their positions.

The format is described in D. Knuth's DVItype.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from im2tex.render.tex.fonts import Metrics

POINT = 65536  # DVI units (TeX's scaled points) in one of TeX's points
MAX_POSITION = 1 << 30  # \maxdimen, TeX's largest length

RULE = -1
"""Code of an item that is a rule."""
SPECIAL = -2
r"""Code of an item that is a `\special`."""


class DviError(ValueError):
    """A file that is not DVI as TeX writes it."""


class DviItem(NamedTuple):
    r"""A glyph, a visible rule or a `\special`.

    Attributes:
        code: glyph code in its font, `RULE` or `SPECIAL`.
        font: name of the font; for a special, its text.
        size: of the font, in DVI units.
        x: reference point (of a rule the left bottom corner), rightwards, in DVI units.
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


@dataclass(slots=True)
class DviPage:
    r"""One page.

    Attributes:
        items: in the order in which TeX wrote them.
        out_of_bounds: whether a position on it exceeds `MAX_POSITION`.
    """

    items: list[DviItem] = field(default_factory=list)
    out_of_bounds: bool = False


class _Font(NamedTuple):
    name: str
    size: int
    metrics: Metrics


def read(
    data: bytes, load_metrics: Callable[[set[str]], Mapping[str, Metrics]]
) -> dict[int, DviPage]:
    r"""Reads all pages of a complete file.

    Args:
        data: content of the file.
        load_metrics: returns the metrics of fonts by name.

    Returns:
        The pages by number, TeX's `\count0`.

    Raises:
        DviError: if the file does not follow the format, or a font is missing.
    """
    pages: dict[int, DviPage] = {}
    try:
        end = _postamble(data)
        fonts = _fonts(data, end + 29, load_metrics)
        at = 15 + data[14]
        while at < end:
            if data[at] == 138:
                at += 1
            elif data[at] == 139:
                page = DviPage()
                pages[struct.unpack_from(">i", data, at + 1)[0]] = page
                at = _read_page(data, at + 45, fonts, page)
            else:
                raise DviError(f"instruction {data[at]} between pages")
    except (IndexError, struct.error, KeyError) as error:
        raise DviError(f"not as TeX writes it: {error!r}") from None
    return pages


def is_complete(data: bytes) -> bool:
    """Whether TeX wrote the file to its end."""
    return len(data) > 8 and data[-4:] == b"\xdf" * 4


def ink_size(items: Sequence[DviItem], metrics: Mapping[str, Metrics]) -> tuple[int, int]:
    """Returns width and height of the bounding box of glyphs and rules, in DVI units."""
    boxes: list[tuple[int, int, int, int]] = []
    for item in items:
        if item.code == RULE:
            boxes.append((item.x, item.y - item.height, item.x + item.width, item.y))
        elif item.code != SPECIAL:
            first, *tables = metrics[item.font]
            width, height, depth = (table[item.code - first] * item.size >> 20 for table in tables)
            boxes.append((item.x, item.y - height, item.x + width, item.y + depth))
    if not boxes:
        return 0, 0
    left, top, right, bottom = zip(*boxes, strict=True)
    return max(0, max(right) - min(left)), max(0, max(bottom) - min(top))


def _postamble(data: bytes) -> int:
    """Returns where the pages of a complete file end.

    Raises:
        DviError: if the file is not complete.
    """
    if not is_complete(data):
        raise DviError("it has no end")
    at = len(data)
    while data[at - 1] == 0xDF:
        at -= 1
    return int(struct.unpack_from(">I", data, at - 5)[0])


def _fonts(
    data: bytes, at: int, load_metrics: Callable[[set[str]], Mapping[str, Metrics]]
) -> dict[int, _Font]:
    """Returns the fonts that the postamble defines, by number."""
    found: dict[int, tuple[str, int]] = {}
    while 243 <= data[at] <= 246:
        at, number, name, size = _font_definition(data, at)
        found[number] = name, size
    metrics = load_metrics({name for name, _ in found.values()})
    return {number: _Font(name, size, metrics[name]) for number, (name, size) in found.items()}


def _font_definition(data: bytes, at: int) -> tuple[int, int, str, int]:
    """Returns the end of a font definition, and the font's number, name and size."""
    length = data[at] - 242
    number = int.from_bytes(data[at + 1 : at + 1 + length], "big")
    at += 1 + length
    size = struct.unpack_from(">I", data, at + 4)[0]
    start = at + 14
    end = start + data[at + 12] + data[at + 13]
    return end, number, data[start:end].decode("latin-1"), int(size)


# Moves by instruction: register (0 right, 1 w, 2 x, 3 down, 4 y, 5 z) and bytes of the distance. An
# instruction without bytes repeats the last move of its register; right and down have none.
_MOVES = {143 + i: (0, i + 1) for i in range(4)}
_MOVES |= {147 + i: (1, i) for i in range(5)}
_MOVES |= {152 + i: (2, i) for i in range(5)}
_MOVES |= {157 + i: (3, i + 1) for i in range(4)}
_MOVES |= {161 + i: (4, i) for i in range(5)}
_MOVES |= {166 + i: (5, i) for i in range(5)}


def _read_page(  # noqa: PLR0912, PLR0915 - a branch for each instruction
    data: bytes, at: int, fonts: Mapping[int, _Font], page: DviPage
) -> int:
    """Reads the instructions of a page, the most frequent first; returns where the page ends."""
    add = page.items.append
    h = v = 0
    moves = [0] * 6
    stack: list[tuple[int, int, list[int]]] = []
    name, size, metrics = "", 0, Metrics(0, [], [], [])
    widths, first = metrics.widths, 0
    while True:
        code = data[at]
        at += 1
        if code < 128:
            add(DviItem(code, name, size, h, v))
            h += widths[code - first] * size >> 20
        elif 143 <= code <= 170:
            register, length = _MOVES[code]
            if length:
                moves[register] = int.from_bytes(data[at : at + length], "big", signed=True)
                at += length
            if register < 3:
                h += moves[register]
            else:
                v += moves[register]
            if not (-MAX_POSITION < h < MAX_POSITION and -MAX_POSITION < v < MAX_POSITION):
                page.out_of_bounds = True
        elif code == 141:
            stack.append((h, v, moves.copy()))
        elif code == 142:
            h, v, moves = stack.pop()
        elif 171 <= code <= 238:
            number = code - 171
            if code >= 235:
                number = int.from_bytes(data[at : at + code - 234], "big")
                at += code - 234
            name, size, metrics = fonts[number]
            widths, first = metrics.widths, metrics.first
        elif code in (132, 137):  # set and put a rule
            height, width = struct.unpack_from(">2i", data, at)
            at += 8
            if height > 0 and width > 0:
                add(DviItem(RULE, "", 0, h, v, width, height))
            h += width if code == 132 else 0
        elif code < 137:  # set a glyph 128-131, put it 133-136
            length = code - 127 if code < 132 else code - 132
            number = int.from_bytes(data[at : at + length], "big")
            at += length
            add(DviItem(number, name, size, h, v))
            h += widths[number - first] * size >> 20 if code < 132 else 0
        elif 239 <= code <= 242:
            start = at + code - 238
            length = int.from_bytes(data[at:start], "big")
            at = start + length
            add(DviItem(SPECIAL, data[start:at].decode("latin-1"), 0, h, v))
        elif code == 140:
            return at
        elif 243 <= code <= 246:
            at = _font_definition(data, at - 1)[0]
        elif code != 138:
            raise DviError(f"instruction {code} inside of a page")
