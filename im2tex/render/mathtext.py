r"""The engine without TeX: matplotlib's mathtext, for machines where TeX cannot be installed.

It sets formulas by TeX's rules in simplified form, in Computer Modern, and has no environments, no
text mode and about half of the commands; what it lacks is named. Its pixels are not TeX's and must
never be compared with them: the signature says so.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
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
"""Groups in groups: its parser takes seconds where TeX takes none."""

MAX_TOKENS = 1000

_SPELLINGS = {
    "\\bf": "\\mathbf",
    "\\rm": "\\mathrm",
    "\\it": "\\mathit",
    "\\cal": "\\mathcal",
    "\\tt": "\\mathtt",
    "\\sf": "\\mathsf",
    "\\le": "\\leq",
    "\\ge": "\\geq",
    "\\ne": "\\neq",
    "\\to": "\\rightarrow",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\textrm": "\\mathrm",
    "\\textbf": "\\mathbf",
    "\\textit": "\\mathit",
    "\\mbox": "\\text",
    "\\dag": "\\dagger",
    "\\dots": "\\ldots",
    "\\displaystyle": "",
    "\\limits": "",
}
_LOGGER = "matplotlib.mathtext"
_UNKNOWN = re.compile(r"Unknown symbol: (\\\S+)")


class BuiltinRenderer:
    """Draws with matplotlib's mathtext.

    Args:
        dpi: pixels an inch; a formula is set in 12 point.

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
                "engine builtin draws with matplotlib, which is not installed: "
                "pip install matplotlib"
            ) from None
        self.signature = (
            f"builtin:matplotlib {mpl.__version__} cm|12pt|markup {sanitizer.VERSION}|dpi:{dpi}"
        )
        self._dpi = dpi
        self._font = FontProperties(size=12, math_fontfamily="cm")
        # Typed by hand: matplotlib's own types say less than is true.
        parser: Any = MathTextParser("agg")
        self._parse: Callable[..., Any] = parser.parse

    def close(self) -> None:
        """Holds nothing."""

    def render(self, formulas: Iterable[str]) -> Iterator[Rendering]:
        """Draws formulas, a rendering each, in order; see `Renderer`."""
        for formula in formulas:
            try:
                yield Rendering(png=encode_png(crop_to_ink(self._draw(formula))))
            except RenderError as error:
                yield Rendering(failure=error.failure)

    def _draw(self, formula: str) -> GrayImage:
        source = _in_its_words(sanitizer.sanitize(formula))
        try:
            with _Complaints() as complaints:
                drawn = self._parse(f"${source}$", self._dpi, self._font)
        except ValueError as error:
            raise RenderError(Cause.UNSUPPORTED, _reason(str(error))) from None
        except RecursionError:
            raise RenderError(Cause.LIMIT, "nested too deep") from None
        if complaints.said:
            raise RenderError(Cause.UNSUPPORTED, _reason(complaints.said))
        return (255 - np.asarray(drawn.image)).astype(np.uint8)


class _Complaints(logging.Handler):
    """Hears what mathtext says of characters that it lacks, for which it draws another one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the first thing said."""
        self.said = self.said or record.getMessage()

    def __enter__(self) -> _Complaints:
        logging.getLogger(_LOGGER).addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger(_LOGGER).removeHandler(self)


def _in_its_words(checked: str) -> str:
    """Markup as mathtext spells it."""
    tokens = tokenize(checked)
    depth = deepest = 0
    for token in tokens:
        depth += (token.kind is TokenKind.OPEN) - (token.kind is TokenKind.CLOSE)
        deepest = max(deepest, depth)
        if token.text in ("\\begin", "&", "\\\\", "$"):
            raise RenderError(Cause.UNSUPPORTED, f"{token.text} needs the engine tex")
    if deepest > MAX_DEPTH or len(tokens) > MAX_TOKENS:
        raise RenderError(
            Cause.LIMIT,
            f"{len(tokens)} tokens, {deepest} deep; this engine takes {MAX_TOKENS} and {MAX_DEPTH}",
        )
    return " ".join(_SPELLINGS.get(token.text, token.text) for token in tokens)


def _reason(message: str) -> str:
    """Which command it stumbled over, or what its parser says, in one line."""
    unknown = _UNKNOWN.search(message)
    if unknown:
        return f"{unknown[1].rstrip(',')} needs the engine tex"
    lines = [line.strip() for line in message.splitlines() if line.strip(" ^")]
    return (lines[-1] if lines else "it cannot be parsed")[:200]
