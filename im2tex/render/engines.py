"""The engines by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.render.cache import CachedRenderer
from im2tex.render.mathtext import BuiltinRenderer
from im2tex.render.rendering import Renderer
from im2tex.render.tex.renderer import TexRenderer

ENGINES = ("tex", "builtin")
"""`tex` is LaTeX; `builtin` needs none and draws less."""

MIN_DPI, MAX_DPI = 20, 1200


@contextmanager
def open_renderer(
    engine: str = "tex", *, dpi: int = 200, workers: int | None = None, cache: Path | None = None
) -> Iterator[Renderer]:
    """A renderer, closed at the end.

    Args:
        engine: one of `ENGINES`.
        dpi: pixels an inch; formulas are in 12 point.
        workers: batches drawn at a time; the number of cores if not given.
        cache: file of pictures to keep; none are kept if not given. One that cannot be used is
            warned of, and not used.

    Raises:
        Im2TexError: if the engine is unknown or not installed, or a setting is out of range.
    """
    if not MIN_DPI <= dpi <= MAX_DPI:
        raise Im2TexError(f"--dpi must be from {MIN_DPI} to {MAX_DPI}, got {dpi}.")
    if workers is not None and workers < 1:
        raise Im2TexError(f"--workers must be at least 1, got {workers}.")
    renderer: Renderer
    if engine == "tex":
        renderer = TexRenderer(dpi, workers)
    elif engine == "builtin":
        renderer = BuiltinRenderer(dpi)
    else:
        raise Im2TexError(f"no engine {engine!r}; there are {' and '.join(ENGINES)}.")
    if cache is not None:
        renderer = CachedRenderer(renderer, cache)
    try:
        yield renderer
    finally:
        renderer.close()
