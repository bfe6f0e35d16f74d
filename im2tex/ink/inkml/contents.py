"""`Inkml`: the contents of an InkML file."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from im2tex.ink.ink import Ink


@dataclass(frozen=True, slots=True)
class SymbolGroup:
    r"""The strokes of one symbol, as the file groups them.

    Attributes:
        truth: the symbol's name as written (`x`, `\alpha`, `COMMA`).
        href: the `xml:id` of its MathML element, or "".
        strokes: indices into the ink's strokes.
    """

    truth: str
    href: str
    strokes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Inkml:
    """The contents of an InkML file.

    Example:
        >>> inkml = read_inkml("formula.inkml")
        >>> inkml.latex, len(inkml.ink.strokes)
        ('x^{2}', 2)

    Attributes:
        ink: the strokes, and the symbols with the file's names.
        groups: the same symbols with their references to the MathML.
        latex: the LaTeX label as written, or None: the annotation `truth`, else MathWriting's
            `normalizedLabel`, else its `label`.
        math: the `math` element of the MathML label, or None.
        annotations: all other annotations of the file by type (`UI`, `writer`, …).
        empty: number of traces without points, which are not in the ink.
        notes: messages to the user about doubtful or skipped parts.
    """

    ink: Ink
    groups: tuple[SymbolGroup, ...] = ()
    latex: str | None = None
    math: ET.Element | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    empty: int = 0
    notes: tuple[str, ...] = ()

    @property
    def ui(self) -> str:
        """The file's unique identifier in the competition, or ""."""
        return self.annotations.get("UI", "").strip(' "')

    @property
    def writer(self) -> str:
        """The writer, or ""."""
        return self.annotations.get("writer", "")
