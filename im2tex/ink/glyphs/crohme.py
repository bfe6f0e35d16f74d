"""Symbols of CROHME's handwritten training samples, with their writers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from im2tex.ink.glyphs.bank import GlyphSample
from im2tex.ink.glyphs.names import glyph_token
from im2tex.ink.ink import LabelledInk

SOURCE = "crohme"
LICENCE = (
    "CROHME training inks, IAPR TC-11: Creative Commons BY-NC-SA 3.0, "
    "https://creativecommons.org/licenses/by-nc-sa/3.0/"
)
# MathBrush names date and time of the session instead of the writer; a session has one writer.
_SESSION = re.compile(r"(\d+-\d+)-\d+")


def crohme_glyphs(samples: Iterable[LabelledInk]) -> Iterator[GlyphSample]:
    r"""Yields each symbol whose token is the same in the ink and in the label.

    The token of a fraction bar is `\frac`, not the minus sign of the InkML files.

    Args:
        samples: of the training split.
    """
    for sample in samples:
        if sample.ink is None:
            continue
        writer = _writer(sample)
        for symbol in sample.ink.symbols:
            if symbol.position < 0 or not symbol.strokes:
                continue
            token = sample.tokens[symbol.position]
            if token == symbol.token or (token == "\\frac" and symbol.token == "-"):
                strokes = tuple(sample.ink.strokes[i] for i in symbol.strokes)
                yield GlyphSample(glyph_token(token), strokes, SOURCE, writer)


def _writer(sample: LabelledInk) -> str:
    """The writer's name with the collection, or "" if unknown."""
    name = sample.extra.get("writer", "")
    if not name and (session := _SESSION.fullmatch(sample.key)):
        name = session[1]
    known = name and name.casefold() != "unknown"
    return f"{sample.extra.get('collection', '')}/{name}" if known else ""
