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
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


_KINDS, _RADICAL = len(SymbolKind), int(SymbolKind.RADICAL)

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


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """A formula's n symbols and rules, as columns; `placed` has a row of each.

    They are in the order of positions, from left to right within a position.

    Example:
        >>> layout = Layout.from_bytes(data, tokens)
        >>> layout.boxes[:, 2].max()  # width

    Attributes:
        tokens: of its markup.
        names: `PlacedSymbol.token` of each symbol.
        positions: of their tokens.
        kinds: (n,) uint8, a `SymbolKind` each.
        levels: (n,) uint8.
        styles: index in `STYLES` of each.
        boxes: (n, 4) int16.
        baselines: (n,) int16.
        inner: (r, 4) int16, the boxes of the contents of the r radicals.
    """

    tokens: tuple[str, ...]
    names: tuple[str, ...]
    positions: tuple[int, ...]
    kinds: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    styles: bytes
    boxes: NDArray[np.int16]
    baselines: NDArray[np.int16]
    inner: NDArray[np.int16]

    @classmethod
    def of(cls, tokens: Sequence[str], placed: Sequence[PlacedSymbol]) -> Layout:
        """Makes a layout of symbols that are in order.

        Args:
            tokens: of the markup.
            placed: the symbols and rules; a radical has an `inner` box.
        """
        inner = [symbol.inner for symbol in placed if symbol.kind is SymbolKind.RADICAL]
        return cls(
            tuple(tokens),
            tuple(symbol.token for symbol in placed),
            tuple(symbol.position for symbol in placed),
            np.array([symbol.kind for symbol in placed], np.uint8),
            np.array([symbol.level for symbol in placed], np.uint8),
            bytes(STYLES.index(symbol.style) for symbol in placed),
            np.array([symbol.box for symbol in placed], np.int16).reshape(-1, 4),
            np.array([symbol.baseline for symbol in placed], np.int16),
            np.array(inner, np.int16).reshape(-1, 4),
        )

    @property
    def placed(self) -> tuple[PlacedSymbol, ...]:
        """The symbols and rules."""
        inner = map(tuple, self.inner.tolist())
        columns = (self.names, self.positions, self.kinds, self.levels, self.styles)
        return tuple(
            PlacedSymbol(
                name,
                position,
                SymbolKind(kind),
                int(level),
                STYLES[style],
                tuple(box),
                baseline,
                next(inner) if kind == SymbolKind.RADICAL else None,
            )
            for name, position, kind, level, style, box, baseline in zip(
                *columns, self.boxes.tolist(), self.baselines.tolist(), strict=True
            )
        )

    def __len__(self) -> int:
        """Number of symbols and rules."""
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and (
            (self.tokens, self.placed) == (other.tokens, other.placed)
        )

    __hash__ = None  # type: ignore[assignment]

    def to_bytes(self) -> bytes:
        """Encodes the layout without its tokens, which `from_bytes` takes.

        The format is a list of columns of 16-bit and 8-bit numbers, with boxes as differences, so
        that layouts compress well.
        """
        left, top, right, bottom = self.boxes.T
        line = self.baselines
        moves = np.diff(left, prepend=np.int16(0)), np.diff(line, prepend=np.int16(0))
        shapes = np.stack([moves[0], right - left, top - line, bottom - line, moves[1]])  # (5, n)
        data = [
            _HEAD.pack(_FORMAT, len(self)),
            shapes.astype("<i2").tobytes(),
            np.diff(self.positions, prepend=0).astype("<u2").tobytes(),
            (self.kinds * 4 + self.levels).tobytes(),
            self.styles,
            self.inner.astype("<i2").tobytes(),
        ]
        for index, (name, position) in enumerate(zip(self.names, self.positions, strict=True)):
            if name != strip_delimiter(self.tokens[position]):
                encoded = name.encode()
                data.append(_HEAD.pack(len(encoded), index) + encoded)
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
            return _decode(data, tuple(tokens))
        except (struct.error, IndexError, ValueError) as error:
            raise ValueError(f"not the layout of {' '.join(tokens)[:60]!r}: {error}") from None


@lru_cache(maxsize=4096)
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
    return Layout.of(tokens, moved)


def _shift_box(box: Box, left: int, top: int) -> Box:
    return box[0] - left, box[1] - top, box[2] - left, box[3] - top


def _decode(data: bytes, tokens: tuple[str, ...]) -> Layout:
    version, count = _HEAD.unpack_from(data)
    if version != _FORMAT:
        raise ValueError(f"format {version}, this release reads {_FORMAT}")
    at = _HEAD.size
    shapes = np.frombuffer(data, "<i2", 5 * count, at).reshape(5, count)  # (5, n)
    at += 10 * count
    positions = np.frombuffer(data, "<u2", count, at).cumsum().tolist()
    at += 2 * count
    kinds_and_levels = np.frombuffer(data, np.uint8, count, at)
    kinds = kinds_and_levels >> np.uint8(2)
    styles = data[at + count : at + 2 * count]
    at += 2 * count
    if count and (kinds.max() >= _KINDS or max(styles) >= len(STYLES)):
        raise ValueError("unknown kind or font of a symbol")
    radicals = np.count_nonzero(kinds == _RADICAL)
    inner = np.frombuffer(data, "<i2", 4 * radicals, at).reshape(-1, 4)  # (r, 4)
    at += 8 * radicals
    boxes = np.empty((count, 4), np.int16)
    left, line = shapes[::4].cumsum(axis=1, dtype=np.int16)
    boxes[:, 0], boxes[:, 2] = left, left + shapes[1]
    boxes[:, 1::2] = (shapes[2:4] + line).T
    names = [strip_delimiter(tokens[position]) for position in positions]
    while at < len(data):
        length, index = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        names[index] = data[at : at + length].decode()
        at += length
    return Layout(
        tokens,
        tuple(names),
        tuple(positions),
        kinds,
        kinds_and_levels & np.uint8(3),
        styles,
        boxes,
        line,
        inner,
    )
