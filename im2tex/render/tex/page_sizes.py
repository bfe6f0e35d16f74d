r"""How much paper each page of a DVI file takes: a look at it before anything draws it.

A page with a `\special`, with ink out of bounds or of an absurd size never reaches the rasteriser.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from im2tex.render.tex import dvi
from im2tex.render.tex.dvi import FAR, Font
from im2tex.render.tex.tfm import Metrics


@dataclass(frozen=True, slots=True)
class Page:
    r"""One page.

    Attributes:
        number: TeX's `\count0`.
        width: of its ink's bounding box, in DVI units; 0 where there is none.
        height: likewise.
        rules: their areas together, in squared DVI units; they may lie on one another.
        fault: why it must not be drawn, or None.
    """

    number: int
    width: int
    height: int
    fault: str | None = None
    rules: int = 0


def pages(data: bytes, metrics: Callable[[str], Metrics]) -> list[Page]:
    """Every page of a file that TeX has finished, in order.

    Args:
        data: the file.
        metrics: gives a font's metrics by its name.

    Raises:
        DviError: if the file does not follow the format, or a font is missing.
    """
    boxes: list[_Box] = []

    def watch(number: int) -> _Box:
        boxes.append(_Box(number))
        return boxes[-1]

    dvi.read(data, metrics, watch)
    return [box.page() for box in boxes]


class _Box:
    """The bounding box of what has been seen of a page; a `dvi.Watcher`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.left = self.top = FAR
        self.right = self.bottom = -FAR
        self.fault: str | None = None
        self.rules = 0

    def page(self) -> Page:
        """The page as far as seen."""
        width, height = max(0, self.right - self.left), max(0, self.bottom - self.top)
        return Page(self.number, width, height, self.fault, self.rules)

    def glyph(self, code: int, font: Font, x: int, y: int) -> None:
        first, widths, heights, depths = font.metrics
        size, index = font.size, code - first
        self._add(
            x,
            y - (heights[index] * size >> 20),
            x + (widths[index] * size >> 20),
            y + (depths[index] * size >> 20),
        )

    def rule(self, width: int, height: int, x: int, y: int) -> None:
        self._add(x, y - height, x + width, y)
        self.rules += width * height

    def special(self, text: bytes, x: int, y: int) -> None:
        self.fault = "it holds a \\special"

    def lost(self) -> None:
        self.fault = "something lies further away than TeX can measure"

    def _add(self, left: int, top: int, right: int, bottom: int) -> None:
        self.left = min(self.left, left)
        self.top = min(self.top, top)
        self.right = max(self.right, right)
        self.bottom = max(self.bottom, bottom)
