r"""Single-stroke glyphs of the built-in font: A. V. Hershey's fonts, and some of our own.

Hershey's fonts are those of the package `Hershey-Fonts`: plain and cursive Latin, Greek. Their
strokes are short straight lines for plotters; obtuse corners are rounded here, so that they look
handwritten. Symbols that the fonts lack or have as outlines (sums, integrals, relations, arrows)
are in `strokes.txt`: a token and its strokes, separated by `;`.

The unit is the height of a capital; y grows downwards from the baseline at 0: an `x` extends from
-2/3 to 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from HersheyFonts import HersheyFonts
from numpy.typing import NDArray

from im2tex.errors import Im2TexError
from im2tex.ink.ink import Stroke

AXIS = -0.36
"""y of the centre of operators and of fraction bars, in capital heights."""

_CAPITAL = 21.0  # the fonts' own units from baseline to capital height
_BASELINE = 9.0
_NAME_SPACING = 0.86  # factor on the distance of letters in a function name
_BEARING = 0.09  # space on the left and right of our own glyphs
_MIN_COSINE = np.cos(np.radians(50))  # corners with a larger change of direction are kept


@dataclass(frozen=True, slots=True)
class Glyph:
    """The shape of a symbol.

    Attributes:
        strokes: in the order they are written, relative to the origin on the baseline.
        width: distance to the origin of the next glyph.
        ascent: height above the baseline.
        descent: depth below it; negative for a glyph above the baseline.
    """

    strokes: tuple[Stroke, ...]
    width: float
    ascent: float
    descent: float


# Lower case in the order of the font's letters a to x.
_LOWER = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho
sigma tau upsilon phi chi psi omega"""
_UPPER = {
    "Gamma": "C", "Delta": "D", "Theta": "H", "Lambda": "K", "Xi": "N", "Pi": "P", "Sigma": "R",
    "Phi": "U", "Psi": "W", "Omega": "X",
}  # fmt: skip
_GREEK = dict(zip(_LOWER.split(), "abcdefghijklmnopqrstuvwx", strict=True)) | _UPPER
_PRINT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()/!,.;:|?")
_FUNCTIONS = """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lim max min
sup inf det dim gcd"""
_FUNCTION_NAMES = frozenset(_FUNCTIONS.split())

_ARC = [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 25)]
_OWN_STROKES = Path(__file__).with_name("strokes.txt").read_text(encoding="utf-8")


def _parse_stroke(text: str) -> list[tuple[float, float]]:
    """The points `x,y` of a stroke; a single point is a dot, drawn as a small circle."""
    points = [(float(x), float(y)) for x, y in (point.split(",") for point in text.split())]
    if len(points) > 1:
        return points
    x, y = points[0]
    return [(x + 0.02 * c, y + 0.02 * s) for c, s in _ARC[::4]]


# Our own strokes, left edge at 0. Obtuse corners are rounded as in the fonts.
_OWN: dict[str, list[list[tuple[float, float]]]] = {
    "\\theta": [
        [(0.3 + 0.28 * c, -0.5 + 0.52 * s) for c, s in _ARC[18:] + _ARC[1:19]],
        [(0.04, -0.48), (0.56, -0.48)],
    ],
    "\\infty": [
        [
            (
                0.45 + 0.45 * np.cos(t) / (1 + np.sin(t) ** 2),
                AXIS + 0.6 * np.sin(t) * np.cos(t) / (1 + np.sin(t) ** 2),
            )
            for t in np.linspace(0.5 * np.pi, 2.5 * np.pi, 33)
        ],
    ],
}
for _line in _OWN_STROKES.splitlines():
    _token, _, _strokes = _line.partition(" : ")
    _OWN[_token] = [_parse_stroke(stroke) for stroke in _strokes.split(";")]
_ALIASES = {"\\lt": "<", "\\gt": ">", "\\le": "\\leq", "\\ge": "\\geq", "\\ne": "\\neq",
         "\\to": "\\rightarrow", "'": "\\prime", "\\lbrace": "\\{", "\\rbrace": "\\}"}  # fmt: skip


def font_tokens() -> list[str]:
    """All tokens with a glyph, sorted."""
    names = {*_PRINT, *_OWN, *_ALIASES, *(f"\\{word}" for word in _FUNCTION_NAMES)}
    return sorted(names | {f"\\{name}" for name in _GREEK})


@cache
def glyph(token: str, cursive: bool = False) -> Glyph:
    r"""The glyph of a token.

    Args:
        token: in canonical form; a function name such as `\sin` is one glyph of several letters.
        cursive: uses cursive lower-case letters.

    Raises:
        Im2TexError: if the font has no glyph for it.
    """
    token = _ALIASES.get(token, token)
    if token in _OWN:
        strokes = [np.array(points, dtype=np.float64) for points in _OWN[token]]
        right = max(float(s[:, 0].max()) for s in strokes)
        return _glyph((s + np.array([_BEARING, 0]) for s in strokes), right + 2 * _BEARING)
    if token[1:] in _FUNCTION_NAMES:
        letters = [glyph(letter, cursive) for letter in token[1:]]
        starts = np.cumsum([0.0] + [_NAME_SPACING * letter.width for letter in letters])
        moved = [
            s + np.array([x, 0]) for x, g in zip(starts, letters, strict=False) for s in g.strokes
        ]
        return _glyph(moved, float(starts[-1]), smooth=False)
    if token[1:] in _GREEK and token[:1] == "\\":
        return _hershey_glyph("greeks", _GREEK[token[1:]])
    if token in _PRINT:
        return _hershey_glyph("scripts" if cursive and token.islower() else "futural", token)
    known = " ".join(font_tokens())
    raise Im2TexError(f"the built-in font has no '{token}'. It has: {known}.")


@cache
def _font(name: str) -> dict[str, Any]:
    fonts = HersheyFonts()
    fonts.load_default_font(name)
    return dict(fonts.all_glyphs)


def _hershey_glyph(font: str, character: str) -> Glyph:
    shape = _font(font)[character]
    left, right = shape.char_box[0][0], shape.char_box[1][0]
    strokes = [np.array(points, dtype=np.float64) for points in shape.strokes]
    return _glyph(((s - (left, _BASELINE)) / _CAPITAL for s in strokes), (right - left) / _CAPITAL)


def _glyph(strokes: Iterable[NDArray[np.float64]], width: float, *, smooth: bool = True) -> Glyph:
    done = tuple((round_corners(s) if smooth else s).astype(np.float32) for s in strokes)
    heights = np.concatenate(done)[:, 1]
    return Glyph(done, float(width), -float(heights.min()), float(heights.max()))


def round_corners(points: NDArray[Any]) -> NDArray[Any]:
    """Two rounds of Chaikin's corner cutting; the ends and sharp corners are kept.

    Args:
        points: of one line, (n, 2).
    """
    for _ in range(2):
        if len(points) < 3:
            return points
        steps = points[1:] - points[:-1]
        lengths = np.sqrt((steps * steps).sum(axis=1))
        before, after, inner = steps[:-1], steps[1:], points[1:-1]
        limits = _MIN_COSINE * np.maximum(lengths[:-1] * lengths[1:], 1e-12)
        gentle = (before * after).sum(axis=1) > limits
        cut = np.stack([inner - before / 4, inner + after / 4], axis=1)  # (n - 2, 2, 2)
        cut[~gentle, 0] = inner[~gentle]
        kept = np.ones(cut.shape[:2], np.bool_)
        kept[:, 1] = gentle
        points = np.concatenate([points[:1], cut[kept], points[-1:]])
    return points
