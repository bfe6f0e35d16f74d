r"""`TexLayouter`: layouts with the positions and sizes of LaTeX itself, down to the last kern.

The layouter has the page and format of the renderer. TeX typesets each formula twice: the plain
page gives the positions of the glyphs, the marked page their tokens (`markers`, `matching`). See
`tex.engine` for failures and defences against hostile markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from im2tex.render.layout import markers
from im2tex.render.layout.layout import Layout
from im2tex.render.layout.matching import UnmatchedGlyphError, match_glyphs
from im2tex.render.layout.symbols import build_layout
from im2tex.render.markup.sanitizer import sanitize_to_pieces
from im2tex.render.rendering import Cause, Failure, RenderError
from im2tex.render.tex import template
from im2tex.render.tex.dvi import DviPage
from im2tex.render.tex.engine import TexEngine
from im2tex.render.tex.fonts import InkBox


class _PreparedFormula(NamedTuple):
    """A sanitised formula: its tokens, their positions in the source, its two pages, markers."""

    tokens: Sequence[str]
    starts: list[int]
    plain: str
    marked: str
    markers: Sequence[markers.Marker]


class TexLayouter(TexEngine[str | Sequence[str], _PreparedFormula, Layout]):
    r"""Computes layouts with `latex`.

    Args:
        workers: batches typeset at a time; by default the number of cores.
        limits: of a program run for a batch.

    Raises:
        Im2TexError: if TeX is not installed, or its format cannot be made.

    Example:
        >>> with TexLayouter() as layouter:  # doctest: +SKIP
        ...     (layout,) = layouter.layout([r"\frac { a } { b }"])
        >>> [symbol.token for symbol in layout.placed]  # doctest: +SKIP
        ['\\frac', 'a', 'b']
    """

    name = "the TeX layouter"
    programs = ("latex", "kpsewhich")
    preamble = markers.DEFINITIONS + template.PREAMBLE
    pages = 2

    def layout(self, formulas: Iterable[str | Sequence[str]]) -> Iterator[Layout | Failure]:
        """Yields the layout of each formula, or why it has none, in order.

        Args:
            formulas: math markup without dollars around it, as tokens or as a string with spaces
                between tokens: the positions of a layout's symbols are indices of these tokens.
        """
        return self.process(formulas)

    def _prepare(self, formula: str | Sequence[str]) -> _PreparedFormula:
        tokens = formula.split() if isinstance(formula, str) else formula
        source = " ".join(tokens)
        starts = list(accumulate((len(token) + 1 for token in tokens[:-1]), initial=0))
        if not source.isascii():
            raise RenderError(Cause.UNSUPPORTED, "characters beyond ASCII have no layout")
        pieces = markers.unify_braces_of_cases(sanitize_to_pieces(source))
        plain = "".join(piece.text for piece in pieces).lstrip(" ")
        return _PreparedFormula(tokens, starts, plain, *markers.insert_markers(pieces))

    def _markup(self, formula: _PreparedFormula) -> Sequence[str]:
        return formula.plain, formula.marked

    def _convert(
        self,
        group: Mapping[int, _PreparedFormula],
        pages: Mapping[int, Sequence[DviPage]],
        job: Path,
    ) -> dict[int, Layout | Failure]:
        fonts = {item.font for plain, _ in pages.values() for item in plain.items if item.code >= 0}
        boxes = self._fonts.ink_boxes(fonts)
        return {
            number: _to_layout(group[number], plain, marked, boxes)
            for number, (plain, marked) in pages.items()
        }


def _to_layout(
    formula: _PreparedFormula,
    plain: DviPage,
    marked: DviPage,
    boxes: Mapping[str, Mapping[int, InkBox]],
) -> Layout | Failure:
    if not plain.items:
        return Failure(Cause.BLANK, "it draws no ink")
    try:
        glyphs = match_glyphs(plain.items, marked.items)
        layout = build_layout(formula.tokens, formula.starts, formula.markers, glyphs, boxes)
    except UnmatchedGlyphError as error:
        return Failure(Cause.UNSUPPORTED, str(error))
    return layout or Failure(Cause.LIMIT, "larger than a layout can be")
