r"""A small typesetter for formulas in the built-in font.

Sets rows, scripts, fractions, radicals, limits, and brackets that grow with their contents, in the
proportions of TeX's rules (The TeXbook, appendix G), simplified. Every drawn token becomes one
symbol of the ink with the token's position, so ink and label are aligned by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.ink.builtin_font.hershey import AXIS, glyph
from im2tex.ink.ink import Ink, Stroke, Symbol

# In units of the current size, a capital's height.
_SCRIPT = 0.66  # size of a script
_MIN_SIZE = 0.42  # of scripts of scripts, relative to the formula
_FRACTION = 0.86  # size of a nested fraction's parts
_GAP = 0.2  # between a fraction bar and its parts, a radical and its content
_LIMIT_GAP = 0.16  # between an operator and its limits
_SPACES = {
    **dict.fromkeys(["+", "-", "\\pm", "\\times", "\\div", "\\cdot"], 0.16),
    **dict.fromkeys(
        ["=", "<", ">", "\\lt", "\\gt", "\\leq", "\\geq", "\\neq", "\\rightarrow", "\\to", "\\in"],
        0.24,
    ),
}
_WITH_LIMITS = frozenset(["\\sum", "\\prod", "\\lim", "\\max", "\\min", "\\sup", "\\inf"])
_PARTNER = {"(": ")", "[": "]", "\\{": "\\}", "|": "|"}
_OPERAND_ENDS = frozenset([*_PARTNER.values(), "}", "\\infty", "!", "\\prime"])


class _Item(NamedTuple):
    """Strokes of one symbol."""

    position: int
    token: str
    strokes: list[NDArray[np.float64]]


@dataclass(slots=True)
class _Box:
    """A typeset part: symbols relative to an origin on the baseline, y downwards."""

    width: float = 0.0
    ascent: float = -1e9
    descent: float = -1e9
    symbols: list[_Item] = field(default_factory=list)

    def add(self, other: _Box, x: float, y: float) -> None:
        """Adds another box with its origin at (x, y)."""
        offset = np.array([x, y])
        for item in other.symbols:
            self.symbols.append(item._replace(strokes=[s + offset for s in item.strokes]))
        self.width = max(self.width, x + other.width)
        self.ascent = max(self.ascent, other.ascent - y)
        self.descent = max(self.descent, other.descent + y)


def typeset(tokens: Sequence[str], *, cursive: bool = False) -> Ink:
    r"""Typesets a formula in the built-in font.

    Example:
        >>> ink = typeset(r"\frac { a } { b }".split())
        >>> [symbol.token for symbol in ink.symbols]
        ['-', 'a', 'b']

    Args:
        tokens: in canonical form: every argument in braces.
        cursive: uses cursive lower-case letters.

    Returns:
        Its ink, in units of a capital's height, every symbol aligned to its token.

    Raises:
        Im2TexError: for a token without a glyph, or markup that is not in canonical form.
    """
    box, end = _Typesetter(tokens, cursive).row(0, 1.0, None)
    if end < len(tokens) or not box.symbols:
        raise Im2TexError(f"'{' '.join(tokens)}' is not a formula in canonical form.")
    strokes: list[Stroke] = []
    symbols: list[Symbol] = []
    for item in sorted(box.symbols, key=lambda item: item.position):
        # In handwriting, a fraction bar is the same symbol as a minus.
        token = "-" if item.token == "\\frac" else item.token
        indices = tuple(range(len(strokes), len(strokes) + len(item.strokes)))
        symbols.append(Symbol(token, indices, item.position))
        strokes += [stroke.astype(np.float32) for stroke in item.strokes]
    return Ink(tuple(strokes), tuple(symbols))


class _Typesetter:
    """Typesets one formula; methods return a box and the index after the tokens they used."""

    def __init__(self, tokens: Sequence[str], cursive: bool) -> None:
        self.tokens = list(tokens)
        self.cursive = cursive

    def row(self, at: int, size: float, closing: str | None) -> tuple[_Box, int]:
        """Items side by side, up to `closing` or the last token."""
        box = _Box()
        before: str | None = None
        while at < len(self.tokens) and self.tokens[at] != closing:
            token = self.tokens[at]
            space = _SPACES.get(token, 0.0) * size
            if not _is_operand(before) and token in ("+", "-", "\\pm"):
                space = 0.0  # a unary operator
            item, at = self.item(at, size)
            if token.startswith("\\") and token[1:].isalpha() and len(token) > 3:
                # Space after names and large operators.
                item.width += 0.2 * size
            box.add(item, box.width + space, 0.0)
            box.width += space
            before = self.tokens[at - 1]
        return box, at

    def item(self, at: int, size: float) -> tuple[_Box, int]:
        """A symbol or construct with its scripts."""
        start = at
        token = self.tokens[at]
        if token == "\\frac":
            box, at = self.fraction(at, size)
        elif token == "\\sqrt":
            box, at = self.radical(at, size)
        elif token in _PARTNER and (end := self.closing_bracket(at)) is not None:
            box, at = self.brackets(at, end, size)
        else:
            box, at = self.symbol(at, size), at + 1
        scripts: dict[str, _Box] = {}
        while at < len(self.tokens) and self.tokens[at] in ("_", "^"):
            mark = self.tokens[at]
            small = max(size * _SCRIPT, _MIN_SIZE)
            scripts[mark], at = self.group(at + 1, small)
        if scripts and token in _WITH_LIMITS:
            return self.limits(box, scripts, size), at
        if scripts:
            self.add_scripts(box, scripts, size, tall=token == "\\int" or at - start > 8)
        return box, at

    def symbol(self, at: int, size: float, height: float | None = None) -> _Box:
        """One glyph, stretched about the axis to `height` if that exceeds its own height."""
        token = self.tokens[at]
        if token in ("{", "}", "_", "^", "&"):
            raise Im2TexError(f"'{' '.join(self.tokens)}' is not in canonical form at '{token}'.")
        shape = glyph(token, self.cursive)
        strokes = [stroke * np.float64(size) for stroke in shape.strokes]
        ascent, descent = shape.ascent * size, shape.descent * size
        if height is not None and height > ascent + descent:
            factor = height / (ascent + descent)
            middle = (descent - ascent) / 2
            strokes = [
                (s - (0, middle)) * (factor**0.25, factor) + (0, AXIS * size) for s in strokes
            ]
            ascent, descent = height / 2 - AXIS * size, height / 2 + AXIS * size
        return _Box(shape.width * size, ascent, descent, [_Item(at, token, strokes)])

    def group(self, at: int, size: float) -> tuple[_Box, int]:
        """The contents of a pair of braces."""
        if self.tokens[at : at + 1] == ["{"]:
            box, at = self.row(at + 1, size, "}")
            if at < len(self.tokens) and box.symbols:
                return box, at + 1
        raise Im2TexError(
            f"'{' '.join(self.tokens)}' is not in canonical form: every argument must be in braces."
        )

    def fraction(self, at: int, size: float) -> tuple[_Box, int]:
        """Numerator and denominator, centred on a bar at the axis."""
        inner = max(size * _FRACTION, _MIN_SIZE) if at else size
        above, end = self.group(at + 1, inner)
        below, end = self.group(end, inner)
        width = max(above.width, below.width) + 0.3 * size
        margin = 0.08 * size
        axis = AXIS * size
        bar = np.array([(margin, axis), (margin + width, axis)])
        box = _Box(width + 2 * margin, -axis, axis, [_Item(at, "\\frac", [bar])])
        gap = _GAP * size
        box.add(above, margin + (width - above.width) / 2, axis - gap - above.descent)
        box.add(below, margin + (width - below.width) / 2, axis + gap + below.ascent)
        return box, end

    def radical(self, at: int, size: float) -> tuple[_Box, int]:
        """A radical sign around its content, with its degree."""
        degree = None
        end = at + 1
        if self.tokens[end : end + 1] == ["["]:
            degree, end = self.row(end + 1, max(size * 0.55, 0.8 * _MIN_SIZE), "]")
            end += 1
        body, end = self.group(end, size)
        top = -max(body.ascent, 0.7 * size) - 0.8 * _GAP * size
        foot = max(body.descent, 0.0) + 0.06 * size
        left = max(0.0, degree.width - 0.3 * size) if degree else 0.05 * size
        crook = foot - min(0.55 * (foot - top), 0.6 * size)
        sign = np.array(
            [
                (left, crook + 0.06 * size),
                (left + 0.12 * size, crook),
                (left + 0.3 * size, foot),
                (left + 0.55 * size, top),
                (left + 0.62 * size + body.width, top),
            ]
        )
        width = left + 0.7 * size + body.width
        box = _Box(width, -top, foot, [_Item(at, "\\sqrt", [sign])])
        box.add(body, left + 0.55 * size, 0.0)
        if degree is not None:
            box.add(degree, 0.0, crook - 0.12 * size - degree.descent)
        return box, end

    def closing_bracket(self, at: int) -> int | None:
        """Index of the bracket that closes that at `at` in the same row, or None."""
        opening, closing = self.tokens[at], _PARTNER[self.tokens[at]]
        depth = braces = 0
        for i in range(at + 1, len(self.tokens)):
            token = self.tokens[i]
            braces += (token == "{") - (token == "}")
            if braces < 0:
                return None
            if braces == 0 and token == closing:
                if depth == 0:
                    return i if i > at + 1 else None
                depth -= 1
            elif braces == 0 and token == opening:
                depth += 1
        return None

    def brackets(self, at: int, end: int, size: float) -> tuple[_Box, int]:
        """A pair of brackets as tall as their contents."""
        inner, stop = _Typesetter(self.tokens[:end], self.cursive).row(at + 1, size, None)
        assert stop == end
        reach = max(inner.ascent + AXIS * size, inner.descent - AXIS * size)
        height = 2 * reach + 0.1 * size if reach > 0.8 * size else None
        box = self.symbol(at, size, height)
        box.add(inner, box.width, 0.0)
        box.add(self.symbol(end, size, height), box.width, 0.0)
        return box, end + 1

    def limits(self, box: _Box, scripts: dict[str, _Box], size: float) -> _Box:
        """An operator with scripts below and above it."""
        width = max(box.width, *(script.width for script in scripts.values()))
        whole = _Box(width)
        whole.add(box, (width - box.width) / 2, 0.0)
        gap = _LIMIT_GAP * size
        if (below := scripts.get("_")) is not None:
            whole.add(below, (width - below.width) / 2, box.descent + gap + below.ascent)
        if (above := scripts.get("^")) is not None:
            whole.add(above, (width - above.width) / 2, -box.ascent - gap - above.descent)
        return whole

    def add_scripts(self, box: _Box, scripts: dict[str, _Box], size: float, *, tall: bool) -> None:
        """Adds scripts on the right to `box`, in place."""
        right = box.width
        ascent, descent = box.ascent, box.descent
        over, under = scripts.get("^"), scripts.get("_")
        if over is not None:
            foot = max(0.52 * size, ascent - (0.45 if tall else 0.4) * size)
            box.add(over, right, -foot - max(over.descent, 0.0))
        if under is not None:
            drop = 0.36 * size if over is None or tall else 0.3 * size
            head = max(-0.3 * size, descent - 0.4 * size) if tall or descent > 0.3 * size else None
            y = max(descent, 0.0) * (1.0 if tall else 0.5) + drop
            if head is not None:
                y = max(y, head + under.ascent * 0.5)
            left = 0.22 * size if tall and over is not None else 0.0
            box.add(under, right - left, y)


def _is_operand(token: str | None) -> bool:
    """Whether a `+` or `-` after this token is a binary operator."""
    return token is not None and (
        token in _OPERAND_ENDS or token.isalnum() or (token[1:].isalpha() and token not in _SPACES)
    )
