"""Renders LaTeX markup to images, and computes layouts of it."""

from im2tex.render.engines import ENGINES, open_renderer
from im2tex.render.layout.layout import Layout, PlacedSymbol
from im2tex.render.layout.layouter import TexLayouter
from im2tex.render.rendering import CAUSES, Cause, Failure, Renderer, Rendering

__all__ = [
    "CAUSES",
    "ENGINES",
    "Cause",
    "Failure",
    "Layout",
    "PlacedSymbol",
    "Renderer",
    "Rendering",
    "TexLayouter",
    "open_renderer",
]
