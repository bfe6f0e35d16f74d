"""The symbols of CROHME's training inks, each alone, with who wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from im2tex.ink.glyphs.bank import GlyphSample
from im2tex.ink.glyphs.names import glyph_token
from im2tex.ink.ink import Ink

SOURCE = "crohme"
LICENCE = (
    "CROHME training inks, IAPR TC-11: Creative Commons BY-NC-SA 3.0, "
    "https://creativecommons.org/licenses/by-nc-sa/3.0/"
)
# MathBrush names no writer, but date and time of the sitting, and a sitting has one writer.
_SITTING = re.compile(r"(\d+-\d+)-\d+")


class CrohmeSample(Protocol):
    """What a sample must have to give its symbols."""

    @property
    def key(self) -> str:
        """Its name in the data set."""

    @property
    def ink(self) -> Ink | None:
        """Its strokes, if it is not a picture."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """Its label, canonical."""

    @property
    def extra(self) -> Mapping[str, str]:
        """What else is known: `collection` and `writer`."""


def crohme_glyphs(samples: Iterable[CrohmeSample]) -> Iterator[GlyphSample]:
    r"""Each symbol that its ink and its label agree upon.

    A fraction's bar is given as `\frac`, not as the minus sign that the files call it.

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


def _writer(sample: CrohmeSample) -> str:
    """The writer's name within the collection, or ""."""
    name = sample.extra.get("writer", "")
    if not name and (sitting := _SITTING.fullmatch(sample.key)):
        name = sitting[1]
    known = name and name.casefold() != "unknown"
    return f"{sample.extra.get('collection', '')}/{name}" if known else ""
