"""A font of handwritten symbols: sources, substitutes, and one file with all glyphs."""

from im2tex.ink.glyphs.bank import GlyphBank, GlyphSample
from im2tex.ink.glyphs.making import built_in_bank, make_bank

__all__ = ["GlyphBank", "GlyphSample", "built_in_bank", "make_bank"]
