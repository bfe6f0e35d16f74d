r"""Symbols without drawings: substitutes of the same shape, and symbols composed of others.

CROHME's training samples lack nine capital letters and most accents; Detexify has neither plain
letters nor accents, but the drawings of `\mathcal{D}` mostly look like a plain D. A symbol uses
another's drawings only if the two cannot be distinguished in handwriting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.glyphs.bank import GlyphSample
from im2tex.ink.glyphs.names import read_names
from im2tex.ink.ink import Stroke

SUBSTITUTES = read_names("substitutes.txt")
"""Symbols, and the symbols whose drawings they use if they have none of their own."""

SOURCE = "composed"

_DOT = 0.16  # size of a semicolon's dot, relative to the comma's height
_BAR_DISTANCE = 0.16  # between the two bars of a norm, relative to their height
_Q_STROKES = 3  # of a Q with a double stem: bowl, stem, tail


def compose_symbols(found: Mapping[str, Sequence[GlyphSample]]) -> Iterator[GlyphSample]:
    r"""Composes symbols of the drawings of others, each by one writer if writers are known.

    `;` is a dot over a comma, `\ddot` two dots, `\|` two bars, `\overbrace` and `\underbrace` a
    rotated brace, `Q` a double-struck Q without its second stem.

    Args:
        found: drawings by token.
    """
    dots: dict[str, GlyphSample] = {dot.writer: dot for dot in found.get(".", ())}
    for comma in found.get(",", ()):
        if dot := dots.get(comma.writer):
            yield _composed_sample(";", _compose_semicolon(dot, comma), comma)
    pairs = zip(found.get(".", ())[::2], found.get(".", ())[1::2], strict=False)
    for left, right in pairs:
        moved = [stroke + _vector(3, 0) for stroke in _normalise(right.strokes)]
        yield _composed_sample("\\ddot", [*_normalise(left.strokes), *moved], left)
    for bar in found.get("|", ()):
        line = _normalise(bar.strokes)
        second = [stroke + _vector(_BAR_DISTANCE, 0) for stroke in line]
        yield _composed_sample("\\|", [*line, *second], bar)
    for brace in found.get("\\{", ()):
        # The tip points to the left: rotated clockwise it points up, counter-clockwise down.
        swapped = [stroke[:, ::-1] for stroke in brace.strokes]
        yield _composed_sample(
            "\\overbrace", [stroke * _vector(-1, 1) for stroke in swapped], brace
        )
        yield _composed_sample(
            "\\underbrace", [stroke * _vector(1, -1) for stroke in swapped], brace
        )
    for letter in found.get("\\mathbb{Q}", ()):
        if len(letter.strokes) == _Q_STROKES:
            stem = _most_vertical(letter.strokes)
            yield _composed_sample(
                "Q", [s for i, s in enumerate(letter.strokes) if i != stem], letter
            )


def _composed_sample(token: str, strokes: Sequence[Stroke], sample: GlyphSample) -> GlyphSample:
    return GlyphSample(token, tuple(strokes), SOURCE, sample.writer)


def _vector(x: float, y: float) -> NDArray[np.float32]:
    return np.array([x, y], dtype=np.float32)


def _compose_semicolon(dot: GlyphSample, comma: GlyphSample) -> list[Stroke]:
    below = _normalise(comma.strokes)
    width = max(float(stroke[:, 0].max()) for stroke in below)
    above = [stroke + _vector(width / 2, -1) for stroke in _normalise(dot.strokes, _DOT)]
    return [*above, *below]


def _normalise(strokes: Sequence[Stroke], side: float = 1.0) -> list[Stroke]:
    """Strokes relative to the top left corner of their box, scaled to a longer side of `side`."""
    points = np.concatenate(strokes)
    corner = points.min(axis=0)
    extent = float((points.max(axis=0) - corner).max())
    factor = np.float32(side / extent if extent > 0 else 0)
    return [(stroke - corner) * factor for stroke in strokes]


def _most_vertical(strokes: Sequence[Stroke]) -> int:
    """Index of the stroke with the smallest width relative to its height."""
    sides = [np.ptp(stroke, axis=0).tolist() for stroke in strokes]
    return int(np.argmin([width / max(height, 1e-6) for width, height in sides]))
