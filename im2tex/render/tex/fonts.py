"""Metrics and ink boxes of TeX's fonts.

TFM files give the sizes that TeX typesets with, not the ink: an `x` is as deep as its line, a
square root has no height. The AFM files of TeX's outline fonts give the bounding box of every
outline. The ink boxes of a font without AFM file (a bitmap font) are its TFM sizes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import NamedTuple

from im2tex.render.tex import sandbox

InkBox = tuple[float, float, float, float]
"""Left, bottom, right and top about the reference point, y upwards, in units of the font size."""

_FONT_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_AFM_GLYPH = re.compile(r"^C (\d+) ;.*?B (-?\d+) (-?\d+) (-?\d+) (-?\d+) ;", re.MULTILINE)
_FIXED = 1 << 20  # TFM numbers are fractions of the font size times this


class Metrics(NamedTuple):
    """Glyph sizes of a font, in fractions of the font size times 2**20.

    Attributes:
        first: code of the first glyph.
        widths: of each glyph from the first.
        heights: likewise.
        depths: likewise.
    """

    first: int
    widths: list[int]
    heights: list[int]
    depths: list[int]


class TfmError(ValueError):
    """A file that is not a TFM file."""


class FontCache:
    """Reads the TFM and AFM files of fonts, each once; can be shared between threads.

    Args:
        folder: working folder of `kpsewhich`.
        environment: its environment variables.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._metrics: dict[str, Metrics] = {}
        self._ink_boxes: dict[str, dict[int, InkBox]] = {}
        self._lock = Lock()

    def metrics(self, names: Iterable[str]) -> Mapping[str, Metrics]:
        """Returns metrics by font name; fonts that TeX does not have are missing.

        Raises:
            TfmError: if a font's file is damaged.
        """
        with self._lock:
            for path in self._find(set(names) - self._metrics.keys(), ".tfm"):
                self._metrics[path.stem] = read_tfm(path.read_bytes())
        return self._metrics

    def ink_boxes(self, names: Iterable[str]) -> Mapping[str, Mapping[int, InkBox]]:
        """Returns ink boxes by font name and glyph code; `metrics` must have returned the fonts."""
        with self._lock:
            missing = set(names) - self._ink_boxes.keys()
            outlines = {
                p.stem: read_afm(p.read_text("latin-1")) for p in self._find(missing, ".afm")
            }
            for name in missing:
                boxes = _boxes_from_metrics(self._metrics[name])
                self._ink_boxes[name] = boxes | outlines.get(name, {})
        return self._ink_boxes

    def _find(self, names: Iterable[str], suffix: str) -> list[Path]:
        """Returns the files of fonts that `kpsewhich` finds."""
        files = [f"{name}{suffix}" for name in sorted(names) if _FONT_NAME.fullmatch(name)]
        if not files:
            return []
        with TemporaryDirectory(dir=self._folder) as folder:
            found = sandbox.run(
                ["kpsewhich", *files], Path(folder), self._environment, sandbox.SandboxLimits()
            )
        paths = map(Path, found.output.splitlines())
        return [path for path in paths if path.suffix == suffix and path.is_file()]


def read_tfm(data: bytes) -> Metrics:
    """Reads the content of a TFM file.

    Raises:
        TfmError: if it is not in TFM format.
    """
    try:
        _, header, first, last, widths, heights, depths = struct.unpack_from(">7H", data)
        at = 24 + 4 * header
        count = last - first + 1
        glyphs = [data[at + 4 * i : at + 4 * i + 2] for i in range(count)]
        at += 4 * count
        table = struct.unpack_from(f">{widths + heights + depths}i", data, at)
        return Metrics(
            first,
            [table[glyph[0]] for glyph in glyphs],
            [table[widths + (glyph[1] >> 4)] for glyph in glyphs],
            [table[widths + heights + (glyph[1] & 15)] for glyph in glyphs],
        )
    except (struct.error, IndexError) as error:
        raise TfmError(f"not a TFM file: {error}") from None


def read_afm(text: str) -> dict[int, InkBox]:
    """Reads the ink boxes of all encoded glyphs from the content of an AFM file."""
    boxes: dict[int, InkBox] = {}
    for match in _AFM_GLYPH.finditer(text):
        code, left, bottom, right, top = map(int, match.groups())
        boxes[code] = left / 1000, bottom / 1000, right / 1000, top / 1000
    return boxes


def _boxes_from_metrics(metrics: Metrics) -> dict[int, InkBox]:
    sizes = zip(metrics.widths, metrics.heights, metrics.depths, strict=True)
    return {
        code: (0.0, -depth / _FIXED, width / _FIXED, height / _FIXED)
        for code, (width, height, depth) in enumerate(sizes, metrics.first)
    }
