"""`open_renderer`: opens an engine by its name."""

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
"""`tex` is LaTeX; `builtin` needs no TeX and supports fewer commands."""

MIN_DPI, MAX_DPI = 20, 1200


@contextmanager
def open_renderer(
    engine: str = "tex", *, dpi: int = 200, workers: int | None = None, cache: Path | None = None
) -> Iterator[Renderer]:
    r"""Opens a renderer, which is closed at the end of the block.

    Args:
        engine: one of `ENGINES`.
        dpi: pixels per inch; formulas are in 12 point.
        workers: batches rendered at a time; by default the number of cores.
        cache: file that keeps renderings, see `CachedRenderer`; by default none.

    Raises:
        Im2TexError: if the engine is unknown or not installed, or a setting is out of range.

    Example:
        >>> with open_renderer("builtin") as renderer:
        ...     (rendering,) = renderer.render([r"\frac{a}{b}"])
        >>> rendering.pixels.shape
        (32, 14)
    """
    if not MIN_DPI <= dpi <= MAX_DPI:
        raise Im2TexError(f"--dpi must be from {MIN_DPI} to {MAX_DPI}, got {dpi}.")
    if engine not in ENGINES:
        raise Im2TexError(f"--engine must be {' or '.join(ENGINES)}, got {engine!r}.")
    renderer: Renderer = TexRenderer(dpi, workers) if engine == "tex" else BuiltinRenderer(dpi)
    if cache is not None:
        renderer = CachedRenderer(renderer, cache)
    try:
        yield renderer
    finally:
        renderer.close()
