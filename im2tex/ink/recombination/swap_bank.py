r"""`SwapBank`: the symbols of real formulas by token, and which tokens may stand for each other.

It is made from the training split in use when training starts, and its symbols are of the size
they have within their own formula, so that they can be exchanged in real inks. A font of symbols
from every source, for composing formulas that nobody wrote, is `im2tex.ink.glyphs.GlyphBank`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.flat import FlatStrokes
from im2tex.ink.ink import Ink, Stroke
from im2tex.ink.recombination.label_structure import aligned_structure, symbol_box

Anchor = Literal["base", "middle", "box"]
# Tokens that may stand for each other: (where a new symbol is fixed, tokens). Letters that reach
# below the line are apart from those that stand on it, since only the box's bottom is known.
CLASSES: tuple[tuple[Anchor, str], ...] = (
    ("base", "0 1 2 3 4 5 6 7 8 9"),
    ("base", "a b c d e h i k l m n o r s t u v w x z"),
    ("base", "f g j p q y"),
    ("base", "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z"),
    ("base", r"\alpha \delta \epsilon \theta \kappa \lambda \pi \sigma \omega \Delta \Omega"),
    ("base", r"\beta \gamma \eta \mu \phi \psi \rho \chi"),
    ("base", r"\sin \cos \tan"),
    ("middle", r"+ - \pm \times \div \cdot"),
    ("middle", r"= < > \leq \geq \neq \lt \gt"),
)
CLASS_OF: dict[str, tuple[Anchor, list[str]]] = {
    token: (anchor, names.split()) for anchor, names in CLASSES for token in names.split()
}
# What reaches over or around other symbols has the shape its contents ask for.
NOT_SWAPPABLE = frozenset(["\\sqrt", "\\frac"])
_ODD = 0.5  # radians between a box's diagonal and its token's usual one
_FEW = 8  # symbols from which on there is a usual shape
_DOT = 0.3  # symbol sizes


def anchor(token: str) -> Anchor:
    """Where a symbol is fixed when its size changes: its base, its middle, or not at all."""
    return CLASS_OF[token][0] if token in CLASS_OF else "box"


class LabelledSample(Protocol):
    """What a sample must have to give its symbols."""

    @property
    def ink(self) -> Ink | None:
        """Its strokes, if it is not a picture."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """Its label, canonical."""


@dataclass(frozen=True, slots=True)
class SwapBank:
    """Symbols of many writers by token, in flat arrays that worker processes share.

    Attributes:
        shapes: the strokes of all symbols, from each symbol's left top corner, in its own
            formula's symbol size.
        boxes: (S, 2) width and height.
        ranges: each token's symbols, first and behind the last.
        ratios: each token's usual size among its formula's symbols: of its height, or for signs of
            its longer side.
    """

    shapes: FlatStrokes
    boxes: NDArray[np.float32]
    ranges: dict[str, tuple[int, int]]
    ratios: dict[str, float]

    @classmethod
    def from_samples(cls, samples: Iterable[LabelledSample]) -> SwapBank:
        """Collects the symbols of every sample whose ink and label agree throughout.

        Symbols whose box is of quite another shape than their token's usual one are left out: most
        come from groups with a stroke too many or too few.

        Args:
            samples: of the training split; those without ink, or not fully aligned, are passed by.
        """
        found: defaultdict[str, list[tuple[list[Stroke], float]]] = defaultdict(list)
        for sample in samples:
            if sample.ink is None or aligned_structure(sample.ink, sample.tokens) is None:
                continue
            sides: list[float] = []
            for symbol in sample.ink.symbols:
                box = symbol_box(sample.ink, symbol)
                sides.append(float((box[2:] - box[:2]).max()))
            unit = float(np.median(sides)) or 1.0
            for symbol in sample.ink.symbols:
                if (
                    sample.tokens[symbol.position] == symbol.token
                    and symbol.token not in NOT_SWAPPABLE
                ):
                    strokes = [sample.ink.strokes[i] for i in symbol.strokes]
                    found[symbol.token].append((strokes, unit))
        ranges: dict[str, tuple[int, int]] = {}
        ratios: dict[str, float] = {}
        kept: list[list[Stroke]] = []
        boxes: list[NDArray[np.float32]] = []
        for token in sorted(found):
            symbols = []
            for strokes, unit in found[token]:
                corner = np.concatenate(strokes).min(axis=0)
                symbols.append([((s - corner) / unit).astype(np.float32) for s in strokes])
            own = np.array([np.concatenate(strokes).max(axis=0) for strokes in symbols])  # (n, 2)
            usual = _usual(own)
            ranges[token] = (len(kept), len(kept) + int(usual.sum()))
            kept += [strokes for strokes, fine in zip(symbols, usual, strict=True) if fine]
            boxes.append(own[usual])
            ratios[token] = float(
                np.median(own.max(axis=1) if anchor(token) == "middle" else own[:, 1])
            )
        return cls(
            FlatStrokes.of(kept),
            np.concatenate(boxes) if boxes else np.zeros((0, 2), np.float32),
            ranges,
            ratios,
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def strokes(self, index: int) -> list[Stroke]:
        """One symbol's strokes, from its left top corner, in symbol sizes."""
        return self.shapes.strokes(index)


def _usual(boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of a token's boxes (n, 2) have about the shape that most have."""
    angles = np.arctan2(boxes[:, 1], boxes[:, 0])
    usual = np.abs(angles - np.median(angles)) < _ODD
    # Dots and commas have any shape.
    small = np.median(boxes.max(axis=1)) < _DOT
    return usual if len(boxes) >= _FEW and not small else np.ones(len(boxes), dtype=bool)
