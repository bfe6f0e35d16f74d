"""Handwritten symbols as a font: where they come from, what stands in, one file of all."""

from im2tex.ink.glyphs.bank import Drawn, GlyphBank

__all__ = ["Drawn", "GlyphBank"]
