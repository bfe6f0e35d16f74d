r"""The engine `builtin`: matplotlib's mathtext, which needs no TeX.

It typesets by TeX's rules in simplified form, in Computer Modern, and has no environments, no text
mode and about half of the commands; failures name the missing command. Its pixels are not
comparable with the pixels of TeX; the signatures differ.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from im2tex.errors import Im2TexError
from im2tex.latex.tokens import TokenKind, tokenize
from im2tex.render.markup import sanitizer
from im2tex.render.rendering import (
    Cause,
    GrayImage,
    RenderError,
    Rendering,
    crop_to_ink,
    encode_png,
)

MAX_DEPTH = 25
"""Depth of nested groups: mathtext is slow on them."""

MAX_TOKENS = 1000

_SPELLINGS = {
    **{f"\\{font}": f"\\math{font}" for font in ("bf", "rm", "it", "cal", "tt", "sf")},
    **{f"\\text{font}": f"\\math{font}" for font in ("rm", "bf", "it")},
    **{"\\le": "\\leq", "\\ge": "\\geq", "\\ne": "\\neq", "\\to": "\\rightarrow"},
    **{"\\lbrace": "\\{", "\\rbrace": "\\}", "\\dag": "\\dagger", "\\dots": "\\ldots"},
    **{"\\mbox": "\\text", "\\displaystyle": "", "\\limits": ""},
}
"""mathtext's spellings of commands."""

_LOGGER = logging.getLogger("matplotlib.mathtext")
_UNKNOWN = re.compile(r"Unknown symbol: (\\\S+)")


class BuiltinRenderer:
    """Renders with matplotlib's mathtext.

    Args:
        dpi: pixels per inch; a formula is typeset in 12 point.

    Raises:
        Im2TexError: if matplotlib is not installed.
    """

    engine = "builtin"

    def __init__(self, dpi: int = 200) -> None:
        try:
            import matplotlib as mpl  # noqa: PLC0415 - optional, and slow to import
            from matplotlib.font_manager import FontProperties  # noqa: PLC0415
            from matplotlib.mathtext import MathTextParser  # noqa: PLC0415
        except ImportError:
            raise Im2TexError(
                "engine builtin: matplotlib not installed (pip install matplotlib)."
            ) from None
        self.signature = (
            f"builtin:matplotlib {mpl.__version__} cm|12pt|markup {sanitizer.VERSION}|dpi:{dpi}"
        )
        self._dpi = dpi
        self._font = FontProperties(size=12, math_fontfamily="cm")
        # Typed as Any: matplotlib's annotations are narrower than its code.
        parser: Any = MathTextParser("agg")
        self._parse: Callable[..., Any] = parser.parse

    def close(self) -> None:
        """Does nothing."""

    def render(self, formulas: Iterable[str]) -> Iterator[Rendering]:
        """Yields a rendering of each formula, in order; see `Renderer`."""
        for formula in formulas:
            try:
                yield Rendering(png=encode_png(crop_to_ink(self._draw(formula))))
            except RenderError as error:
                yield Rendering(failure=error.failure)

    def _draw(self, formula: str) -> GrayImage:
        source = _to_mathtext(sanitizer.sanitize(formula))
        try:
            with _recorded_warnings() as warnings:
                drawn = self._parse(f"${source}$", self._dpi, self._font)
        except ValueError as error:
            raise RenderError(Cause.UNSUPPORTED, _describe(str(error))) from None
        except RecursionError:
            raise RenderError(Cause.LIMIT, "nested too deep") from None
        if warnings:
            raise RenderError(Cause.UNSUPPORTED, _describe(warnings[0]))
        return (255 - np.asarray(drawn.image)).astype(np.uint8)


@contextmanager
def _recorded_warnings() -> Iterator[list[str]]:
    """Records the warnings of mathtext about missing characters, which it replaces by others."""
    messages: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    _LOGGER.addHandler(handler)
    try:
        yield messages
    finally:
        _LOGGER.removeHandler(handler)


def _to_mathtext(sanitized: str) -> str:
    """Returns markup in mathtext's spelling."""
    tokens = tokenize(sanitized)
    depth = deepest = 0
    for token in tokens:
        depth += (token.kind is TokenKind.OPEN) - (token.kind is TokenKind.CLOSE)
        deepest = max(deepest, depth)
        if token.text in ("\\begin", "&", "\\\\", "$"):
            raise RenderError(Cause.UNSUPPORTED, f"{token.text} needs the engine tex")
    if deepest > MAX_DEPTH or len(tokens) > MAX_TOKENS:
        raise RenderError(
            Cause.LIMIT,
            f"{len(tokens)} tokens, {deepest} deep; the limits are {MAX_TOKENS} and {MAX_DEPTH}",
        )
    return " ".join(_SPELLINGS.get(token.text, token.text) for token in tokens)


def _describe(message: str) -> str:
    """Returns mathtext's message in one line: the unknown command, or the parser's error."""
    unknown = _UNKNOWN.search(message)
    if unknown:
        return f"{unknown[1].rstrip(',')} needs the engine tex"
    lines = [line.strip() for line in message.splitlines() if line.strip(" ^")]
    return (lines[-1] if lines else "it cannot be parsed")[:200]
