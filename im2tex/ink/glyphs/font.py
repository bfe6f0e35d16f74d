"""Glyphs of the built-in font: for a bank without data, and for symbols without drawings."""

from __future__ import annotations

import numpy as np

from im2tex.ink.builtin_font.hershey import AXIS, font_tokens, glyph
from im2tex.ink.glyphs.bank import GlyphSample
from im2tex.ink.glyphs.names import SPELLINGS

SOURCE = "built-in"
_WRITERS = {False: "print", True: "cursive"}


def font_glyphs() -> list[GlyphSample]:
    r"""Each token of the built-in font, a fraction bar and a radical.

    Lower-case letters are in print and in cursive; the writer of a sample is `print` or `cursive`.
    """
    found = []
    for token in font_tokens():
        if token in SPELLINGS:
            continue
        for cursive, writer in _WRITERS.items():
            if not cursive or (token.islower() and len(token) == 1):
                found.append(GlyphSample(token, glyph(token, cursive).strokes, SOURCE, writer))
    bar = np.array([(0.0, AXIS), (1.0, AXIS)], np.float32)
    sign = np.array([(0, -0.4), (0.15, -0.47), (0.35, 0), (0.6, -1.1), (1.6, -1.1)], np.float32)
    for token, stroke in (("\\frac", bar), ("\\sqrt", sign)):
        found.append(GlyphSample(token, (stroke,), SOURCE, _WRITERS[False]))
    return found
