r"""`SwapBank`: symbols of handwritten samples by token, and the classes of exchangeable tokens.

The bank is made from the training split in use when training starts. Its symbols have the size they
have within their own formula, so that they fit into other handwritten samples. A font of symbols
from all sources, to compose new formulas, is `im2tex.ink.glyphs.GlyphBank`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.flat import FlatStrokes
from im2tex.ink.ink import LabelledInk, Stroke
from im2tex.ink.recombination.label_structure import aligned_structure

Anchor = Literal["base", "middle", "box"]
# (anchor, exchangeable tokens). Letters with a descender have a class of their own, since only the
# bottom of the box is known, not the baseline.
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
# The shape of symbols around others depends on their contents.
NOT_SWAPPABLE = frozenset(["\\sqrt", "\\frac"])
_MAX_DEVIATION = 0.5  # radians, of a box's diagonal from the median of its token
_MIN_SAMPLES = 8  # of a token, to determine the median
_DOT = 0.3  # symbol sizes: dots and commas have boxes of any shape
_MAX_SAMPLES = 20_000  # of a bank; CROHME has 8,835


def anchor(token: str) -> Anchor:
    """The point or shape that is kept when a symbol is exchanged: base, middle, or whole box."""
    return CLASS_OF[token][0] if token in CLASS_OF else "box"


@dataclass(frozen=True, slots=True)
class SwapBank:
    """Symbols of many writers by token, in flat arrays shared by worker processes.

    Example:
        >>> bank = SwapBank.from_samples(split)
        >>> first, end = bank.ranges["x"]
        >>> strokes = bank.strokes(first)

    Attributes:
        shapes: the strokes of all symbols, relative to the top left corner of each, in units of
            the symbol size of its formula.
        boxes: (S, 2) width and height.
        ranges: index of the first symbol of each token, and the index after its last one.
        ratios: median of each token's height in its formula's symbol size; of operators and
            relations, median of the longer side.
    """

    shapes: FlatStrokes
    boxes: NDArray[np.float32]
    ranges: dict[str, tuple[int, int]]
    ratios: dict[str, float]

    @classmethod
    def from_samples(cls, samples: Sequence[LabelledInk]) -> SwapBank:
        """Collects the symbols of the samples whose ink and label are completely aligned.

        Symbols whose box has an unusual aspect ratio for their token are skipped: most have a
        stroke too many or too few. Of more than 20,000 samples, 20,000 are read, chosen at random
        and the same in every run.

        Args:
            samples: of the training split; images are skipped.
        """
        chosen: Sequence[int] = range(len(samples))
        if len(samples) > _MAX_SAMPLES:
            rng = np.random.default_rng(0)
            chosen = sorted(rng.choice(len(samples), _MAX_SAMPLES, replace=False).tolist())
        found: defaultdict[str, list[list[Stroke]]] = defaultdict(list)
        for index in chosen:
            sample = samples[index]
            ink = sample.ink
            if ink is None or aligned_structure(ink, sample.tokens) is None:
                continue
            boxes = ink.symbol_boxes
            sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
            size = float(np.median(sides.astype(np.float64))) or 1.0
            for symbol, box in zip(ink.symbols, boxes, strict=True):
                token = symbol.token
                if sample.tokens[symbol.position] == token and token not in NOT_SWAPPABLE:
                    found[token].append(
                        [(ink.strokes[i] - box[:2]).astype(np.float32) / np.float32(size)
                         for i in symbol.strokes]
                    )  # fmt: skip
        ranges: dict[str, tuple[int, int]] = {}
        ratios: dict[str, float] = {}
        kept: list[list[Stroke]] = []
        kept_boxes: list[NDArray[np.float32]] = []
        for token in sorted(found):
            symbols = found[token]
            sizes = np.array([np.concatenate(strokes).max(axis=0) for strokes in symbols])  # (n, 2)
            inliers = _shape_inliers(sizes)
            ranges[token] = (len(kept), len(kept) + int(inliers.sum()))
            kept += [strokes for strokes, inlier in zip(symbols, inliers, strict=True) if inlier]
            kept_boxes.append(sizes[inliers])
            sides = sizes.max(axis=1) if anchor(token) == "middle" else sizes[:, 1]
            ratios[token] = float(np.median(sides))
        boxes = np.concatenate(kept_boxes) if kept_boxes else np.zeros((0, 2), np.float32)
        return cls(FlatStrokes.of(kept), boxes, ranges, ratios)

    def __len__(self) -> int:
        return len(self.boxes)

    def strokes(self, index: int) -> list[Stroke]:
        """Strokes of one symbol, relative to its top left corner, in symbol sizes."""
        return self.shapes.strokes(index)


def _shape_inliers(sizes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Marks the boxes of a token, given by (n, 2) width and height, with a usual aspect ratio."""
    if len(sizes) < _MIN_SAMPLES or np.median(sizes.max(axis=1)) < _DOT:
        return np.ones(len(sizes), dtype=bool)
    angles = np.arctan2(sizes[:, 1], sizes[:, 0])
    inliers: NDArray[np.bool_] = np.abs(angles - np.median(angles)) < _MAX_DEVIATION
    return inliers
