r"""What lies where on the pages of a DVI file: glyphs, rules, and the marks between them.

As `dvi`, which measures pages, but keeping everything in the order TeX wrote it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from im2tex.render import dvi
from im2tex.render.dvi import DviError, Metrics

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


# Instructions by number: how many bytes follow, and whether they are a signed number.
_MOVES = {143 + i: ("h", i + 1) for i in range(4)}
_MOVES |= {147 + i: ("w", i) for i in range(5)}
_MOVES |= {152 + i: ("x", i) for i in range(5)}
_MOVES |= {157 + i: ("v", i + 1) for i in range(4)}
_MOVES |= {161 + i: ("y", i) for i in range(5)}
_MOVES |= {166 + i: ("z", i) for i in range(5)}


def pages(data: bytes, metrics: Callable[[str], Metrics]) -> dict[int, list[Item]]:
    """What lies on every page of a file that TeX has finished, by page number.

    Args:
        data: the file.
        metrics: gives a font's metrics by its name.

    Raises:
        DviError: if the file does not follow the format, or a font is missing.
    """
    try:
        end = dvi.postamble(data)
        fonts = {n: (name, size, metrics(name)) for n, (name, size) in dvi.fonts(data).items()}
        at = 15 + data[14]
        found: dict[int, list[Item]] = {}
        while at < end:
            at = _page(data, at, fonts, found)
        return found
    except (IndexError, struct.error, KeyError) as error:
        raise DviError(f"not as TeX writes it: {error!r}") from None


def _page(  # noqa: PLR0912, PLR0915 - one branch an instruction reads best in one place
    data: bytes,
    at: int,
    fonts: dict[int, tuple[str, int, Metrics]],
    found: dict[int, list[Item]],
) -> int:
    """Reads one page; gives where it ends."""
    if data[at] == 138:
        return at + 1
    if data[at] != 139:
        raise DviError(f"instruction {data[at]} between pages")
    items = found[struct.unpack_from(">i", data, at + 1)[0]] = []
    at += 45
    here = {"h": 0, "v": 0, "w": 0, "x": 0, "y": 0, "z": 0}
    stack: list[dict[str, int]] = []
    name, size, font = "", 0, Metrics(0, [], [], [])
    while True:
        code = data[at]
        at += 1
        if code < 128:
            items.append(Item(code, name, size, here["h"], here["v"]))
            here["h"] += font.widths[code - font.first] * size >> 20
        elif code in _MOVES:
            register, length = _MOVES[code]
            if length:
                here[register] = int.from_bytes(data[at : at + length], "big", signed=True) + (
                    here[register] if register in "hv" else 0
                )
                at += length
            if register in "wx":
                here["h"] += here[register]
            elif register in "yz":
                here["v"] += here[register]
        elif code == 141:
            stack.append(here.copy())
        elif code == 142:
            here = stack.pop()
        elif 171 <= code <= 234:
            name, size, font = fonts[code - 171]
        elif code in (132, 137):
            height, width = struct.unpack_from(">2i", data, at)
            at += 8
            if height > 0 and width > 0:
                items.append(Item(RULE, "", 0, here["h"], here["v"], width, height))
            here["h"] += width if code == 132 else 0
        elif 239 <= code <= 242:
            length = code - 238
            start = at + length
            at = start + int.from_bytes(data[at:start], "big")
            items.append(Item(MARK, data[start:at].decode("latin-1"), 0, here["h"], here["v"]))
        elif code == 140:
            return at
        elif 128 <= code <= 136:
            length = code - 127 if code < 132 else code - 132
            glyph = int.from_bytes(data[at : at + length], "big")
            at += length
            items.append(Item(glyph, name, size, here["h"], here["v"]))
            here["h"] += font.widths[glyph - font.first] * size >> 20 if code < 132 else 0
        elif 235 <= code <= 238:
            length = code - 234
            name, size, font = fonts[int.from_bytes(data[at : at + length], "big")]
            at += length
        elif 243 <= code <= 246:
            at = dvi.font_definition(data, at - 1)[0]
        elif code != 138:
            raise DviError(f"instruction {code} inside of a page")
