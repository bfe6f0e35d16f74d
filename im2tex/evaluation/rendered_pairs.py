"""Images of predictions and references, rendered by one engine and compared.

Images of two engines are never compared. The engine, and why it is not the first choice, is given
in the table with the values.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics.image_match import compare_images, equal_image_scores
from im2tex.render import ENGINES, Cause, Failure, Renderer, Rendering, open_renderer
from im2tex.render.cache import default_cache_path

AUTO, NONE = "auto", "none"
CHOICES = (AUTO, *ENGINES, NONE)
"""`auto` is `tex` where TeX is installed, else `builtin` where matplotlib is, else `none`."""

Markup = tuple[str | None, str]
"""A prediction, None for a missing one, and its reference."""

_BLANK = Rendering(failure=Failure(Cause.BLANK, "an empty formula"))


@dataclass(frozen=True)
class Engine:
    """The engine that renders.

    Attributes:
        name: one of `ENGINES`, or `none`.
        why: why it is not the first choice; empty if it is, or was asked for.
    """

    name: str
    why: str = ""


@dataclass(frozen=True)
class RenderedPair:
    """A sample's two formulas, rendered and compared.

    Attributes:
        scores: scores of the two images, see `compare_images`.
        prediction: why the prediction has no image.
        reference: why the reference has no image.
    """

    scores: Mapping[str, bool | int]
    prediction: Failure | None = None
    reference: Failure | None = None


@dataclass(frozen=True)
class RenderedPairs:
    """Rendered pairs of formulas.

    Attributes:
        engine: the engine that rendered them; `none` if none could.
        signature: signature of the renderer; None without images.
        pairs: one a sample; None without images.
    """

    engine: Engine
    signature: str | None
    pairs: list[RenderedPair | None]


def choose_engine(name: str = AUTO) -> Engine:
    """The engine to render with; called before a long test rather than after it.

    Args:
        name: one of `CHOICES`.

    Raises:
        Im2TexError: for another name, or if the engine is not installed.
    """
    if name not in CHOICES:
        raise Im2TexError(f"no engine '{name}'; there are {', '.join(CHOICES)}.")
    if name == NONE:
        return Engine(NONE)
    missing = {"tex": _missing_tex, "builtin": _missing_matplotlib}
    if name != AUTO:
        problem = missing[name]()
        if problem:
            raise Im2TexError(f"engine {name}: {problem}. Install it, or choose engine {AUTO}.")
        return Engine(name)
    problems: list[str] = []
    for candidate, find_problem in missing.items():
        problem = find_problem()
        if not problem:
            return Engine(candidate, "; ".join(problems))
        problems.append(problem)
    return Engine(NONE, "; ".join(problems))


def render_pairs(pairs: Sequence[Markup], engine: Engine) -> RenderedPairs:
    """Renders and compares formulas, each distinct one once.

    If the engine itself fails (a full disk, a broken installation), there are no images; the
    returned engine gives the reason, and the metrics that need no images are not lost.

    Args:
        pairs: the formulas.
        engine: the engine that renders.
    """
    if engine.name != NONE:
        try:
            with _open(engine.name) as renderer:
                return RenderedPairs(engine, renderer.signature, list(_compare(pairs, renderer)))
        except Im2TexError as error:
            engine = Engine(NONE, f"{engine.name} failed: {error}")
    return RenderedPairs(engine, None, [None] * len(pairs))


def render_formulas(formulas: Sequence[str], engine: Engine) -> list[bytes | None]:
    """Renders formulas for display.

    Returns:
        For each a PNG, black on white; None for one that cannot be rendered, or without an engine.

    Raises:
        Im2TexError: if the engine itself fails.
    """
    if engine.name == NONE:
        return [None] * len(formulas)
    with _open(engine.name) as renderer:
        return [rendering.png for rendering in renderer.render(formulas)]


def _compare(pairs: Sequence[Markup], renderer: Renderer) -> Iterator[RenderedPair]:
    """Compares the pairs while the renderings arrive, in the order of the formulas."""
    formulas = list(dict.fromkeys(text for pair in pairs for text in pair[::-1] if text))
    arriving = zip(formulas, renderer.render(formulas), strict=True)
    rendered: dict[str | None, Rendering] = {}
    for prediction, reference in pairs:
        for text in (reference, prediction):
            while text and text not in rendered:
                rendered.update([next(arriving)])
        guess, gold = rendered.get(prediction, _BLANK), rendered.get(reference, _BLANK)
        if guess is gold and gold.width is not None:
            scores = equal_image_scores(gold.width)
        else:
            scores = compare_images(guess.pixels, gold.pixels)
        yield RenderedPair(scores, None if prediction is None else guess.failure, gold.failure)


@contextmanager
def _open(name: str) -> Iterator[Renderer]:
    """The renderer, with its cache of images if that can be used."""
    with ExitStack() as stack:
        try:
            renderer = stack.enter_context(open_renderer(name, cache=default_cache_path()))
        except Im2TexError:
            renderer = stack.enter_context(open_renderer(name))
        yield renderer


def _missing_tex() -> str:
    missing = [program for program in ("latex", "dvipng") if shutil.which(program) is None]
    return f"{' and '.join(missing)} not on the path" if missing else ""


def _missing_matplotlib() -> str:
    return "" if find_spec("matplotlib") else "matplotlib not installed (pip install matplotlib)"
