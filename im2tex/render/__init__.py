"""Markup to pixels."""

from im2tex.render.engines import ENGINES, open_renderer
from im2tex.render.rendering import CAUSES, Cause, Failure, Renderer, Rendering

__all__ = ["CAUSES", "ENGINES", "Cause", "Failure", "Renderer", "Rendering", "open_renderer"]
