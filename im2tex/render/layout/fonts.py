"""Ink boxes of glyphs.

TFM files say how far apart glyphs stand, not where their ink is: an `x` is as deep as its line, a
square root has no height. The AFM files that stand beside TeX's outline fonts have the bounding
box of every outline, in thousandths of the font's size. A font without one (bitmaps made on demand)
is taken at its TFM sizes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from im2tex.render.tex.fonts import font_files
from im2tex.render.tex.tfm import Metrics

Extent = tuple[float, float, float, float]
"""Left, bottom, right and top about the reference point, y upwards, in sizes of the font."""

_GLYPH = re.compile(r"^C (\d+) ;.*?B (-?\d+) (-?\d+) (-?\d+) (-?\d+) ;", re.MULTILINE)


class GlyphBoxes:
    """The ink boxes of the fonts that DVI files use, each font read once.

    Args:
        folder: where `kpsewhich` may run.
        environment: what it knows of its surroundings.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._known: dict[str, dict[int, Extent]] = {}
        self._lock = Lock()

    def of(self, names: set[str], metrics: Mapping[str, Metrics]) -> dict[str, dict[int, Extent]]:
        """Every glyph's ink, by font and number.

        Args:
            names: of the fonts.
            metrics: of each of them.
        """
        with self._lock:
            missing = sorted(names - self._known.keys())
            if missing:
                found = font_files(missing, ".afm", self._folder, self._environment)
                outlines = {path.stem: read_afm(path.read_text("latin-1")) for path in found}
                for name in missing:
                    self._known[name] = _by_type(metrics[name]) | outlines.get(name, {})
        return self._known


def read_afm(text: str) -> dict[int, Extent]:
    """The ink of every glyph that has a number, from an AFM file."""
    boxes: dict[int, Extent] = {}
    for match in _GLYPH.finditer(text):
        code, left, bottom, right, top = (int(number) for number in match.groups())
        boxes[code] = left / 1000, bottom / 1000, right / 1000, top / 1000
    return boxes


def _by_type(metrics: Metrics) -> dict[int, Extent]:
    one = 1 << 20
    sizes = zip(metrics.widths, metrics.heights, metrics.depths, strict=True)
    return {
        metrics.first + index: (0.0, -depth / one, width / one, height / one)
        for index, (width, height, depth) in enumerate(sizes)
    }
