"""The pictures that the scores on pictures need: one engine for all, each formula drawn once.

Two engines' pixels are never compared. Which engine drew, and why not the one that would have been
first, goes into the table with the figures.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics.image_match import compare_images
from im2tex.evaluation.sample_scores import RenderedPair
from im2tex.render import ENGINES, Cause, Failure, Renderer, Rendering, open_renderer
from im2tex.render.cache import default_cache_path

AUTO, NONE = "auto", "none"
CHOICES = (AUTO, *ENGINES, NONE)
"""`auto` is `tex` where TeX is installed, else `builtin` where matplotlib is, else `none`."""

Markup = tuple[str | None, str]
"""A prediction, None where there is none, and its reference."""

_BLANK = Rendering(failure=Failure(Cause.BLANK, "an empty formula"))


@dataclass(frozen=True)
class Engine:
    """The engine that is to draw.

    Attributes:
        name: one of `ENGINES`, or `none`.
        why: why it is not the first choice; empty where it is, or was asked for.
    """

    name: str
    why: str = ""


@dataclass(frozen=True)
class RenderedPairs:
    """Pairs of formulas as pictures.

    Attributes:
        engine: what drew them; `none` where nothing could.
        signature: the renderer's; None without pictures.
        compared: one a pair; None without pictures.
    """

    engine: Engine
    signature: str | None
    compared: list[RenderedPair | None]


def choose_engine(asked: str = AUTO) -> Engine:
    """The engine to draw with, found before a long test rather than after it.

    Args:
        asked: one of `CHOICES`.

    Raises:
        Im2TexError: for another name, or if the engine asked for is not installed.
    """
    if asked not in CHOICES:
        raise Im2TexError(f"no engine '{asked}'; there are {', '.join(CHOICES)}.")
    lacking = {"tex": _lacks_tex, "builtin": _lacks_matplotlib}
    if asked == NONE:
        return Engine(NONE)
    if asked != AUTO:
        lack = lacking[asked]()
        if lack:
            raise Im2TexError(f"engine {asked}: {lack}. Install it, or choose engine {AUTO}.")
        return Engine(asked)
    return _first_of([(name, lacks()) for name, lacks in lacking.items()])


def render_pairs(pairs: Sequence[Markup], engine: Engine) -> RenderedPairs:
    """Draws and compares, picture by picture as they come; no formula is drawn twice.

    A fault of the engine's own (a full disk, a broken installation) leaves all pictures out and is
    said, so that it never costs the figures that need no picture.

    Args:
        pairs: the formulas.
        engine: what draws.
    """
    if engine.name == NONE:
        return _nothing(pairs, engine)
    try:
        with _opened(engine.name) as renderer:
            return RenderedPairs(engine, renderer.signature, list(_compared(pairs, renderer)))
    except Im2TexError as error:
        return _nothing(pairs, Engine(NONE, f"{engine.name} failed: {error}"))


def render_formulas(formulas: Sequence[str], engine: Engine) -> list[bytes | None]:
    """Pictures to look at.

    Args:
        formulas: markup.
        engine: what draws.

    Returns:
        For each a PNG, black on white; None for one that cannot be drawn, or without an engine.

    Raises:
        Im2TexError: by a fault of the engine's own.
    """
    if engine.name == NONE:
        return [None] * len(formulas)
    with _opened(engine.name) as renderer:
        return [drawn.png for drawn in renderer.render(formulas)]


def _nothing(pairs: Sequence[Markup], engine: Engine) -> RenderedPairs:
    return RenderedPairs(engine, None, [None] * len(pairs))


def _compared(pairs: Sequence[Markup], renderer: Renderer) -> Iterator[RenderedPair]:
    formulas = list(dict.fromkeys(text for pair in pairs for text in pair[::-1] if text))
    coming = zip(formulas, renderer.render(formulas), strict=True)
    drawn: dict[str | None, Rendering] = {}
    for prediction, reference in pairs:
        for text in (reference, prediction):
            while text and text not in drawn:
                drawn.update([next(coming)])
        guess, gold = drawn.get(prediction, _BLANK), drawn.get(reference, _BLANK)
        pixels = gold.pixels
        images = compare_images(pixels if guess is gold else guess.pixels, pixels)
        missing = None if prediction is None else guess.failure
        yield RenderedPair(images, missing, gold.failure)


@contextmanager
def _opened(name: str) -> Iterator[Renderer]:
    """The renderer, with its cache of pictures if that can be used."""
    try:
        opening = open_renderer(name, cache=default_cache_path())
        renderer = opening.__enter__()
    except Im2TexError:
        opening = open_renderer(name)
        renderer = opening.__enter__()
    try:
        yield renderer
    finally:
        opening.__exit__(None, None, None)


def _first_of(engines: Sequence[tuple[str, str]]) -> Engine:
    """The first engine that lacks nothing, and what those before it lack."""
    why: list[str] = []
    for name, lack in engines:
        if not lack:
            return Engine(name, "; ".join(why))
        why.append(lack)
    return Engine(NONE, "; ".join(why))


def _lacks_tex() -> str:
    missing = [program for program in ("latex", "dvipng") if shutil.which(program) is None]
    return f"{' and '.join(missing)} not on the path" if missing else ""


def _lacks_matplotlib() -> str:
    return "" if find_spec("matplotlib") else "matplotlib not installed"
