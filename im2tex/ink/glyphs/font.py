"""The built-in font as glyphs: for a bank without data, and for what nobody drew."""

from __future__ import annotations

import numpy as np

from im2tex.ink.builtin_font.hershey import AXIS, glyph, tokens
from im2tex.ink.glyphs.bank import GlyphSample
from im2tex.ink.glyphs.names import SPELLINGS

SOURCE = "built-in"
_HANDS = {False: "print", True: "cursive"}


def font_glyphs() -> list[GlyphSample]:
    r"""Each token of the built-in font, lower-case letters in print and in a running hand.

    The hand is given as the writer. A fraction's bar and a radical are among them.
    """
    found = []
    for token in tokens():
        if token in SPELLINGS:
            continue
        for cursive, hand in _HANDS.items():
            if not cursive or (token.islower() and len(token) == 1):
                found.append(GlyphSample(token, glyph(token, cursive).strokes, SOURCE, hand))
    bar = np.array([(0.0, AXIS), (1.0, AXIS)], np.float32)
    sign = np.array([(0, -0.4), (0.15, -0.47), (0.35, 0), (0.6, -1.1), (1.6, -1.1)], np.float32)
    found += [
        GlyphSample("\\frac", (bar,), SOURCE, _HANDS[False]),
        GlyphSample("\\sqrt", (sign,), SOURCE, _HANDS[False]),
    ]
    return found
