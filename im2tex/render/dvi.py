r"""Reads TeX's DVI files: which pages there are, and how much paper each one's ink takes.

A page is looked at before anything draws it: one with a `\special`, with ink out of bounds or of
an absurd size never reaches the rasteriser. The format is that of D. Knuth's DVItype, the widths
those of the TFM files.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

POINT = 65536  # DVI units (TeX's scaled points) in one of TeX's points
_FAR = 1 << 30  # a position beyond \maxdimen, TeX's largest length


class Metrics(NamedTuple):
    """A font's sizes, in fractions of its size times 2**20.

    Attributes:
        first: number of the first character.
        widths: of each character from the first.
        heights: of each.
        depths: of each.
    """

    first: int
    widths: list[int]
    heights: list[int]
    depths: list[int]


@dataclass(frozen=True, slots=True)
class Page:
    r"""One page.

    Attributes:
        number: TeX's `\count0`.
        width: of its ink's bounding box, in DVI units; 0 where there is none.
        height: likewise.
        fault: why it must not be drawn, or None.
    """

    number: int
    width: int
    height: int
    fault: str | None = None


class DviError(ValueError):
    """A file that is not DVI as TeX writes it."""


def read_tfm(data: bytes) -> Metrics:
    """A font's metrics from its TFM file.

    Raises:
        DviError: if it is not one.
    """
    try:
        _, header, first, last, widths, heights, depths = struct.unpack_from(">7H", data)
        at = 24 + 4 * header
        count = last - first + 1
        characters = [data[at + 4 * i : at + 4 * i + 2] for i in range(count)]
        at += 4 * count
        table = struct.unpack_from(f">{widths + heights + depths}i", data, at)
        return Metrics(
            first,
            [table[c[0]] for c in characters],
            [table[widths + (c[1] >> 4)] for c in characters],
            [table[widths + heights + (c[1] & 15)] for c in characters],
        )
    except (struct.error, IndexError) as error:
        raise DviError(f"not a TFM file: {error}") from None


def fonts(data: bytes) -> dict[int, tuple[str, int]]:
    """The fonts of a file that TeX has finished: name and size in DVI units, by number.

    Raises:
        DviError: if the file has no end.
    """
    found: dict[int, tuple[str, int]] = {}
    at = postamble(data) + 29
    while 243 <= data[at] <= 246:
        at, number, name, size = font_definition(data, at)
        found[number] = (name, size)
    return found


def complete(data: bytes) -> bool:
    """Whether TeX came to the end of the file."""
    return len(data) > 8 and data[-4:] == b"\xdf" * 4


def pages(data: bytes, metrics: Callable[[str], Metrics]) -> list[Page]:
    """Every page of a file that TeX has finished, in order.

    Args:
        data: the file.
        metrics: gives a font's metrics by its name.

    Raises:
        DviError: if the file does not follow the format, or a font is missing.
    """
    try:
        end = postamble(data)
        sizes = {n: (metrics(name), size) for n, (name, size) in fonts(data).items()}
        at = 15 + data[14]
        found = []
        while at < end:
            at, page = _page(data, at, sizes)
            found.append(page)
        return found
    except (IndexError, struct.error, KeyError) as error:
        raise DviError(f"not as TeX writes it: {error!r}") from None


def postamble(data: bytes) -> int:
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


def font_definition(data: bytes, at: int) -> tuple[int, int, str, int]:
    """A font definition: where it ends, the font's number, name and size."""
    length = data[at] - 242
    number = int.from_bytes(data[at + 1 : at + 1 + length], "big")
    at += 1 + length
    size = struct.unpack_from(">I", data, at + 4)[0]
    start = at + 14
    end = start + data[at + 12] + data[at + 13]
    return end, number, data[start:end].decode("latin-1"), int(size)


class _Box:
    """The bounding box of what has been drawn."""

    def __init__(self) -> None:
        self.left = self.top = _FAR
        self.right = self.bottom = -_FAR

    def add(self, left: int, top: int, right: int, bottom: int) -> None:
        self.left = min(self.left, left)
        self.top = min(self.top, top)
        self.right = max(self.right, right)
        self.bottom = max(self.bottom, bottom)


def _page(  # noqa: PLR0912, PLR0915 - one branch an instruction reads best in one place
    data: bytes, at: int, sizes: Mapping[int, tuple[Metrics, int]]
) -> tuple[int, Page]:
    if data[at] == 138:
        return _page(data, at + 1, sizes)
    if data[at] != 139:
        raise DviError(f"instruction {data[at]} between pages")
    number = struct.unpack_from(">i", data, at + 1)[0]
    at += 45
    h = v = w = x = y = z = 0
    stack: list[tuple[int, int, int, int, int, int]] = []
    box = _Box()
    fault: str | None = None
    size = 0
    font = Metrics(0, [], [], [])
    while True:
        code = data[at]
        at += 1
        if code in (132, 137):
            height, width = struct.unpack_from(">2i", data, at)
            at += 8
            if height > 0 and width > 0:
                box.add(h, v - height, h + width, v)
            h += width if code == 132 else 0
        elif code < 137:
            length = 0 if code < 128 else (code - 127 if code < 132 else code - 132)
            index = (int.from_bytes(data[at : at + length], "big") if length else code) - font.first
            at += length
            width = font.widths[index] * size >> 20
            rise = font.heights[index] * size >> 20
            box.add(h, v - rise, h + width, v + (font.depths[index] * size >> 20))
            h += width if code < 132 else 0
        elif code == 138:
            continue
        elif code == 140:
            break
        elif code == 141:
            stack.append((h, v, w, x, y, z))
        elif code == 142:
            h, v, w, x, y, z = stack.pop()
        elif code <= 170:
            # right 143-146, w 147-151, x 152-156, down 157-160, y 161-165, z 166-170
            if code <= 146:
                length = code - 142
            elif code <= 156:
                length = (code - 147) % 5
            elif code <= 160:
                length = code - 156
            else:
                length = (code - 161) % 5
            move = int.from_bytes(data[at : at + length], "big", signed=True)
            at += length
            if code <= 146:
                h += move
            elif code <= 151:
                w = move if length else w
                h += w
            elif code <= 156:
                x = move if length else x
                h += x
            elif code <= 160:
                v += move
            elif code <= 165:
                y = move if length else y
                v += y
            else:
                z = move if length else z
                v += z
            if not -_FAR < h < _FAR or not -_FAR < v < _FAR:
                fault = "something lies further away than TeX can measure"
        elif code <= 238:
            if code >= 235:
                length = code - 234
                code = 171 + int.from_bytes(data[at : at + length], "big")
                at += length
            font, size = sizes[code - 171]
        elif code <= 242:
            length = code - 238
            at += length + int.from_bytes(data[at : at + length], "big")
            fault = "it holds a \\special"
        elif code <= 246:
            at = font_definition(data, at - 1)[0]
        else:
            raise DviError(f"instruction {code} inside of a page")
    return at, Page(number, max(0, box.right - box.left), max(0, box.bottom - box.top), fault)
