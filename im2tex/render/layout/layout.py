r"""`Layout`: the symbols and rules of a formula with their tokens, positions and sizes.

Synthetic handwriting is composed from layouts. Boxes are those of the ink.

Lengths are in units of `UNIT`, 128 to the em of the text size (12 pt), so that 16-bit numbers span
256 em, several lines of a page, and the thinnest rule is 5 units thick. x runs rightwards and y
downwards from the top left corner of the formula's ink.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

UNIT = 128
"""Units in an em of the text size."""

STYLES = (
    "",
    "\\mathrm",
    "\\mathbf",
    "\\mathit",
    "\\mathsf",
    "\\mathtt",
    "\\mathcal",
    "\\mathbb",
    "\\mathfrak",
    "\\mathscr",
    "\\boldsymbol",
    "\\mathnormal",
    "\\textsc",
    "\\textsl",
)
"""The fonts of symbols. If commands for fonts are nested, the innermost counts."""

_FORMAT = 1
_MAX_EXTENT = 32_767
_HEAD = struct.Struct("<BH")
_DELIMITER = re.compile(r"^\\(left|right)(?=[^A-Za-z])")


class SymbolKind(IntEnum):
    """Kind of a symbol."""

    SYMBOL = 0
    """A letter, digit, operator, relation or arrow, composites such as `\\neq` included."""
    LETTER = 1
    """A letter of a name such as `\\sin`; its token is the letter, its position the name's."""
    DELIMITER = 2
    """A bracket or bar, of one or several glyphs."""
    RULE = 3
    """A fraction's bar, an overline or underline, a line of an array."""
    RADICAL = 4
    """A root sign with its bar; `inner` is the box of its content."""
    ACCENT = 5
    """Ink over or under other ink: accents, braces, long arrows."""
    FRAME = 6
    """A frame around its content."""


Box = tuple[int, int, int, int]
"""Left, top, right and bottom of a box."""


class PlacedSymbol(NamedTuple):
    r"""A symbol or rule.

    Attributes:
        token: its name: `x`, `\alpha`, `(` (also behind `\left` or `\big`), `\frac` for the bar of
            a fraction.
        position: index of its token in the formula's tokens. All letters of a name have the
            same position, as do the two brackets of `\binom`.
        kind: symbol, letter, delimiter, rule, …
        level: 0 in text size, 1 in scripts, 2 in scripts of scripts.
        style: its font, one of `STYLES`.
        box: of the ink.
        baseline: y of the line that it stands on; of an accent, bar or root, y of its base's line.
        inner: of a radical, the box of its content; otherwise None.
    """

    token: str
    position: int
    kind: SymbolKind
    level: int
    style: str
    box: Box
    baseline: int
    inner: Box | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A formula's symbols and rules.

    Attributes:
        tokens: of its markup.
        placed: all ink in the order of positions, from left to right within a position.
    """

    tokens: tuple[str, ...]
    placed: tuple[PlacedSymbol, ...]

    def to_bytes(self) -> bytes:
        """Encodes the layout without its tokens, which `from_bytes` takes.

        The format is a list of columns of 16-bit and 8-bit numbers, with boxes as differences, so
        that layouts compress well.
        """
        columns = np.array([(*symbol.box, symbol.baseline) for symbol in self.placed], np.int16)
        left, top, right, bottom, line = columns.reshape(-1, 5).T
        moves = np.diff(left, prepend=np.int16(0)), np.diff(line, prepend=np.int16(0))
        shapes = np.stack([moves[0], right - left, top - line, bottom - line, moves[1]])  # (5, n)
        inner = np.array([symbol.inner for symbol in self.placed if symbol.inner], np.int16)
        positions = np.diff([symbol.position for symbol in self.placed], prepend=0)
        data = [
            _HEAD.pack(_FORMAT, len(self.placed)),
            shapes.astype("<i2").tobytes(),
            positions.astype("<u2").tobytes(),
            bytes(symbol.kind * 4 + symbol.level for symbol in self.placed),
            bytes(STYLES.index(symbol.style) for symbol in self.placed),
            inner.astype("<i2").tobytes(),
        ]
        for index, symbol in enumerate(self.placed):
            if symbol.token != strip_delimiter(self.tokens[symbol.position]):
                name = symbol.token.encode()
                data.append(_HEAD.pack(len(name), index) + name)
        return b"".join(data)

    @classmethod
    def from_bytes(cls, data: bytes, tokens: Sequence[str]) -> Layout:
        """Decodes the result of `to_bytes`.

        Args:
            data: the result.
            tokens: of the layout.

        Raises:
            ValueError: if the data have another format, or belong to another formula.
        """
        try:
            return cls(tuple(tokens), tuple(_unpack(data, tokens)))
        except (struct.error, IndexError, ValueError) as error:
            raise ValueError(f"not the layout of {' '.join(tokens)[:60]!r}: {error}") from None


def strip_delimiter(token: str) -> str:
    r"""Removes `\left` or `\right` in front of a delimiter."""
    return _DELIMITER.sub("", token)


def normalized_layout(tokens: Sequence[str], placed: Iterable[PlacedSymbol]) -> Layout | None:
    """Makes a layout from symbols in any order: sorts them and moves the top left corner to 0, 0.

    Returns:
        The layout, or None if a length exceeds 16 bits.
    """
    symbols = list(placed)
    left = min(symbol.box[0] for symbol in symbols)
    top = min(symbol.box[1] for symbol in symbols)
    moved = [
        symbol._replace(
            box=_shift_box(symbol.box, left, top),
            baseline=symbol.baseline - top,
            inner=symbol.inner and _shift_box(symbol.inner, left, top),
        )
        for symbol in symbols
    ]
    extent = max(max(symbol.box[2], symbol.box[3], abs(symbol.baseline)) for symbol in moved)
    if extent > _MAX_EXTENT:
        return None
    moved.sort(key=lambda symbol: (symbol.position, symbol.box[0]))
    return Layout(tuple(tokens), tuple(moved))


def _shift_box(box: Box, left: int, top: int) -> Box:
    return box[0] - left, box[1] - top, box[2] - left, box[3] - top


def _unpack(data: bytes, tokens: Sequence[str]) -> list[PlacedSymbol]:
    version, count = _HEAD.unpack_from(data)
    if version != _FORMAT:
        raise ValueError(f"format {version}, this release reads {_FORMAT}")
    at = _HEAD.size
    shapes = np.frombuffer(data, "<i2", 5 * count, at).reshape(5, count)  # (5, n)
    at += shapes.nbytes
    positions = np.cumsum(np.frombuffer(data, "<u2", count, at)).tolist()
    at += 2 * count
    kinds = data[at : at + count]
    styles = data[at + count : at + 2 * count]
    at += 2 * count
    left = np.cumsum(shapes[0], dtype=np.int16)
    line = np.cumsum(shapes[4], dtype=np.int16)
    columns = [left, shapes[2] + line, left + shapes[1], shapes[3] + line, line]
    rows = np.stack(columns, axis=1).tolist()  # (n, 5)
    inner: list[Box | None] = [None] * count
    for index in range(count):
        if kinds[index] >> 2 == SymbolKind.RADICAL:
            inner[index] = struct.unpack_from("<4h", data, at)
            at += 8
    names = [strip_delimiter(tokens[position]) for position in positions]
    while at < len(data):
        length, index = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        names[index] = data[at : at + length].decode()
        at += length
    return [
        PlacedSymbol(
            name,
            position,
            SymbolKind(kind >> 2),
            kind & 3,
            STYLES[style],
            tuple(row[:4]),
            row[4],
            box,
        )
        for name, position, kind, style, row, box in zip(
            names, positions, kinds, styles, rows, inner, strict=True
        )
    ]
