"""Handwritten symbols as a font: where they come from, what stands in, one file of all."""

from im2tex.ink.glyphs.bank import GlyphBank, GlyphSample
from im2tex.ink.glyphs.making import built_in_bank, make_bank

__all__ = ["GlyphBank", "GlyphSample", "built_in_bank", "make_bank"]
