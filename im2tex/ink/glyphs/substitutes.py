r"""Symbols that nobody drew: whose drawings show the same shape, and what can be put together.

CROHME's training inks lack nine of the capitals' letters and most accents; Detexify has neither
plain letters nor accents, but drew `\mathcal{D}` mostly as people write a plain D. A symbol takes
another's drawings only where one could not tell them apart on paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.glyphs.bank import GlyphSample
from im2tex.ink.ink import Stroke

SUBSTITUTES: dict[str, tuple[str, ...]] = {
    "D": ("\\mathcal{D}",),
    "J": ("\\mathcal{J}",),
    "K": ("\\mathcal{K}",),
    "O": ("o", "\\bigcirc"),
    "U": ("\\cup",),
    "W": ("w",),
    "Z": ("\\mathcal{Z}",),
    "\\hat": ("\\wedge",),
    "\\widehat": ("\\wedge",),
    "\\check": ("\\vee",),
    "\\tilde": ("\\sim",),
    "\\widetilde": ("\\sim",),
    "\\bar": ("-",),
    "\\overline": ("\\frac",),
    "\\underline": ("\\frac",),
    "\\vec": ("\\rightarrow",),
    "\\overrightarrow": ("\\rightarrow",),
    "\\overleftarrow": ("\\leftarrow",),
    "\\dot": (".",),
    "\\breve": ("\\smile",),
    "\\acute": ("/",),
    "\\grave": ("\\backslash",),
    "\\mathring": ("\\circ",),
    "\\not": ("/",),
    "\\vline": ("|",),
    "\\vrule": ("|",),
}
"""Symbols and those whose drawings they take, where they have none of their own."""

SOURCE = "composed"

_DOT = 0.16  # of a comma's height: the dot of a semicolon
_APART = 0.16  # of a bar's height: the two of a norm
_TAIL = 3  # strokes of a Q with a double stem: bowl, stem, tail


def compose_symbols(found: Mapping[str, Sequence[GlyphSample]]) -> Iterator[GlyphSample]:
    r"""Symbols made of drawings of others, each of one writer's where writers are known.

    `;` is a dot over a comma, `\ddot` two dots, `\|` two bars, `\overbrace` and `\underbrace` a
    brace turned, `Q` a double-struck one without its second stem.

    Args:
        found: drawings by token.
    """
    dots: dict[str, GlyphSample] = {dot.writer: dot for dot in found.get(".", ())}
    for comma in found.get(",", ()):
        if dot := dots.get(comma.writer):
            yield _semicolon(dot, comma)
    for one, other in zip(found.get(".", ())[::2], found.get(".", ())[1::2], strict=False):
        right = [stroke + _vector(3, 0) for stroke in _scaled(other.strokes, 1.0)]
        yield _made("\\ddot", [*_scaled(one.strokes, 1.0), *right], one)
    for bar in found.get("|", ()):
        line = _scaled(bar.strokes, 1.0)
        yield _made("\\|", [*line, *(stroke + _vector(_APART, 0) for stroke in line)], bar)
    for brace in found.get("\\{", ()):
        # Its tip points to the left: turned to the right it points up, to the left down.
        yield _made("\\overbrace", [s[:, ::-1] * _vector(-1, 1) for s in brace.strokes], brace)
        yield _made("\\underbrace", [s[:, ::-1] * _vector(1, -1) for s in brace.strokes], brace)
    for letter in found.get("\\mathbb{Q}", ()):
        if len(letter.strokes) == _TAIL:
            strokes = [s for i, s in enumerate(letter.strokes) if i != _stem(letter.strokes)]
            yield _made("Q", strokes, letter)


def _vector(x: float, y: float) -> NDArray[np.float32]:
    return np.array([x, y], dtype=np.float32)


def _made(token: str, strokes: Sequence[Stroke], of: GlyphSample) -> GlyphSample:
    return GlyphSample(token, tuple(strokes), SOURCE, of.writer)


def _semicolon(dot: GlyphSample, comma: GlyphSample) -> GlyphSample:
    below = _scaled(comma.strokes, 1.0)
    width = max(float(stroke[:, 0].max()) for stroke in below)
    above = [s + _vector(width / 2, -1) for s in _scaled(dot.strokes, _DOT)]
    return _made(";", [*above, *below], comma)


def _scaled(strokes: Sequence[Stroke], side: float) -> list[Stroke]:
    """From the left top corner, the longer side so long."""
    points = np.concatenate(strokes)
    corner = points.min(axis=0)
    extent = float((points.max(axis=0) - corner).max())
    factor = np.float32(side / extent if extent > 0 else 0)
    return [(stroke - corner) * factor for stroke in strokes]


def _stem(strokes: Sequence[Stroke]) -> int:
    """The stroke that is nearest to an upright line."""
    sides = [np.ptp(stroke, axis=0).tolist() for stroke in strokes]
    return int(np.argmin([width / max(height, 1e-6) for width, height in sides]))
