r"""New labelled inks out of annotated ones: symbols exchanged, sub-formulas cut out.

CROHME has 8,835 training inks but about 4,800 labels, and a model recites the labels before it
learns to look. An exchanged symbol keeps its place, so that layout, writer and label stay real
while the label becomes a new one; a sub-formula is a real formula of its own. Both either leave
ink and label in exact agreement or hand back what they were given. For training only.

Related: Le, Indurkhya and Nakagawa (2019) decompose and interchange sub-formulas between labels;
here single symbols are exchanged, and the strokes' own boxes decide what fits.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from im2tex.data.sample import Sample
from im2tex.ink.ink import Ink, Stroke, Symbol
from im2tex.ink.spans import Spans, balanced, spans

_Anchor = Literal["base", "middle", "box"]
# Tokens that may stand for each other: (where a new symbol is fixed, tokens). Letters that reach
# below the line are apart from those that stand on it, since only the box's bottom is known.
_CLASSES: tuple[tuple[_Anchor, str], ...] = (
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
_CLASS = {token: (anchor, names.split()) for anchor, names in _CLASSES for token in names.split()}
_SIGNS = ["+", "-", "\\pm"]  # all that may stand where there is nothing on the left to operate on
_OPERAND_BEFORE = frozenset([")", "]", "}", "\\}", "|", "!", "\\infty"])
# What reaches over or around other symbols has the shape its contents ask for.
_NEVER = frozenset(["\\sqrt", "\\frac"])
_ROOM = 0.7  # share of a free gap that a wider or taller symbol may take
_SQUEEZE = 0.7  # the least factor on a symbol's own width
_TRIES = 3
_LONE_REFUSED = 0.6  # else half of all cuts would be a single symbol


@dataclass(frozen=True, slots=True)
class SymbolBank:
    """Symbols of many writers by token, in flat arrays that worker processes share.

    Attributes:
        points: (P, 2) of all strokes of all symbols, from each symbol's left top corner, in its
            own formula's symbol size.
        stroke_ends: (K + 1,) bounds of the strokes in `points`.
        symbol_ends: (S + 1,) bounds of the symbols in the strokes.
        boxes: (S, 2) width and height.
        ranges: each token's first and last-but-one symbol.
        ratios: each token's usual size among its formula's symbols: of its height, or for signs of
            its longer side.
    """

    points: NDArray[np.float32]
    stroke_ends: NDArray[np.int64]
    symbol_ends: NDArray[np.int64]
    boxes: NDArray[np.float32]
    ranges: dict[str, tuple[int, int]]
    ratios: dict[str, float]

    @classmethod
    def from_samples(cls, samples: Iterable[Sample]) -> SymbolBank:
        """Collects the symbols of every sample whose ink and label agree throughout.

        Args:
            samples: of the training split; those without ink, or not fully aligned, are passed by.
        """
        found: defaultdict[str, list[tuple[list[Stroke], float]]] = defaultdict(list)
        for sample in samples:
            if sample.ink is None or _agreement(sample.ink, sample.tokens) is None:
                continue
            sizes: list[float] = []
            for symbol in sample.ink.symbols:
                box = _box(sample.ink, symbol)
                sizes.append(float((box[2:] - box[:2]).max()))
            unit = float(np.median(sizes)) or 1.0
            for symbol in sample.ink.symbols:
                if sample.tokens[symbol.position] == symbol.token and symbol.token not in _NEVER:
                    strokes = [sample.ink.strokes[i] for i in symbol.strokes]
                    found[symbol.token].append((strokes, unit))
        strokes_: list[Stroke] = []
        counts: list[int] = []
        boxes: list[NDArray[np.float32]] = []
        ranges: dict[str, tuple[int, int]] = {}
        ratios: dict[str, float] = {}
        for token in sorted(found):
            first = len(counts)
            for strokes, unit in found[token]:
                points = np.concatenate(strokes)
                corner = points.min(axis=0)
                boxes.append((points.max(axis=0) - corner) / unit)
                strokes_ += [((s - corner) / unit).astype(np.float32) for s in strokes]
                counts.append(len(strokes))
            ranges[token] = (first, len(counts))
            own = np.array(boxes[first:])
            middle = _CLASS.get(token, ("box", []))[0] == "middle"
            ratios[token] = float(np.median(own.max(axis=1) if middle else own[:, 1]))
        return cls(
            np.concatenate(strokes_) if strokes_ else np.zeros((0, 2), np.float32),
            np.cumsum([0] + [len(s) for s in strokes_]),
            np.cumsum([0, *counts]),
            np.array(boxes, dtype=np.float32).reshape(-1, 2),
            ranges,
            ratios,
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def strokes(self, index: int) -> list[Stroke]:
        """One symbol's strokes, from its left top corner, in symbol sizes."""
        first, last = self.symbol_ends[index : index + 2]
        ends = self.stroke_ends[first : last + 1]
        return [self.points[a:b] for a, b in pairwise(ends)]


def swap(
    ink: Ink,
    tokens: Sequence[str],
    bank: SymbolBank,
    rng: np.random.Generator,
    probability: float = 0.5,
    *,
    change: float = 0.7,
) -> tuple[Ink, tuple[str, ...]]:
    """Exchanges symbols for other writers', in their places.

    Args:
        ink: with symbols aligned to the tokens.
        tokens: its label, canonical.
        bank: where symbols are taken from.
        rng: the only source of chance.
        probability: that a symbol is exchanged.
        change: share of the exchanges that also change the token, for another of its class.

    Returns:
        The new ink and its label; what was given where the two are not fully aligned.
    """
    tokens = tuple(tokens)
    if _agreement(ink, tokens) is None:
        return ink, tokens
    boxes = np.array([_box(ink, symbol) for symbol in ink.symbols])  # (n, 4)
    room = _free(boxes)
    shared = Counter(symbol.position for symbol in ink.symbols)
    label = list(tokens)
    replaced: dict[int, list[Stroke]] = {}
    chance = rng.random((2, len(ink.symbols)))
    for i, symbol in enumerate(ink.symbols):
        at = symbol.position
        if chance[0, i] >= probability or shared[at] > 1 or label[at] != symbol.token:
            continue
        token = symbol.token
        if chance[1, i] < change:
            token = _other(token, label[at - 1] if at else None, bank, rng)
        strokes = _fitted(token, symbol.token, boxes[i], room[i], bank=bank, rng=rng)
        if strokes is not None:
            replaced[i] = strokes
            label[at] = token
    if not replaced:
        return ink, tokens
    return _rebuilt(ink, replaced, label), tuple(label)


def crop(ink: Ink, tokens: Sequence[str], rng: np.random.Generator) -> tuple[Ink, tuple[str, ...]]:
    """Cuts out a sub-formula: a run of a row's items with their scripts, brackets balanced.

    Args:
        ink: with symbols aligned to the tokens.
        tokens: its label, canonical.
        rng: the only source of chance.

    Returns:
        The sub-formula's ink and label; what was given where the two are not fully aligned or
        nothing smaller can be cut.
    """
    tokens = tuple(tokens)
    structure = _agreement(ink, tokens)
    if structure is None or len(structure.written) < 2:
        return ink, tokens
    if len({i for s in ink.symbols for i in s.strokes}) < len(ink.strokes):
        return ink, tokens  # a stroke of no symbol might belong to either part
    rows = [row for row in structure.rows if row]
    weights = np.array([len(row) for row in rows], dtype=np.float64)
    for _ in range(2 * _TRIES):
        row = rows[rng.choice(len(rows), p=weights / weights.sum())]
        first, last = sorted(rng.integers(0, len(row), 2))
        start, end = row[first][0], row[last][1]
        while start < end and tokens[start] in _CLASS["="][1] + _CLASS["\\times"][1] + [","]:
            start += 1
        while start < end and tokens[end - 1] in _CLASS["="][1] + _CLASS["+"][1] + [",", "."]:
            end -= 1
        if end - start == 1 and rng.random() < _LONE_REFUSED:
            continue
        if 0 < end - start < len(tokens) and balanced(tokens[start:end]):
            kept = [s for s in ink.symbols if start <= s.position < end]
            order = sorted({i for s in kept for i in s.strokes})
            number = {old: new for new, old in enumerate(order)}
            symbols = tuple(
                Symbol(s.token, tuple(number[i] for i in s.strokes), s.position - start)
                for s in kept
            )
            return Ink(tuple(ink.strokes[i] for i in order), symbols), tokens[start:end]
    return ink, tokens


def _agreement(ink: Ink, tokens: Sequence[str]) -> Spans | None:
    """The label's structure, if every written token has its symbol and every symbol its token."""
    structure = spans(tokens)
    if structure is None or not ink.symbols:
        return None
    if {symbol.position for symbol in ink.symbols} != set(structure.written):
        return None
    uses = Counter(i for symbol in ink.symbols for i in symbol.strokes)
    if not all(s.strokes for s in ink.symbols) or max(uses.values()) > 1:
        return None
    return structure


def _box(ink: Ink, symbol: Symbol) -> NDArray[np.float32]:
    points = np.concatenate([ink.strokes[i] for i in symbol.strokes])
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _free(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Free space left, above, right and below each box, to the next that faces it: (n, 4)."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]  # (n, 1, 2)
    other_low, other_high = boxes[None, :, :2], boxes[None, :, 2:]  # (1, n, 2)
    middle = (low + high) / 2
    faces = ((other_low < high) & (other_high > low))[:, :, ::-1]  # overlap on the other axis
    side = (high - low).max(axis=2, keepdims=True)
    before = np.where(faces & (other_high <= middle), low - other_high, side).min(axis=1)
    after = np.where(faces & (other_low >= middle), other_low - high, side).min(axis=1)
    out: NDArray[np.float32] = np.maximum(np.concatenate([before, after], axis=1), 0)
    return out


def _other(token: str, before: str | None, bank: SymbolBank, rng: np.random.Generator) -> str:
    """Another token of the same class; common ones more often, though less than they occur."""
    names = _CLASS.get(token, ("box", []))[1]
    if "+" in names and (before is None or _opens(before)):
        names = _SIGNS if token in _SIGNS else []
    names = [name for name in names if name != token and name in bank.ranges]
    if not names:
        return token
    counts = np.array([bank.ranges[name][1] - bank.ranges[name][0] for name in names])
    weights = np.cumsum(np.sqrt(counts))
    return names[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))]


def _opens(before: str) -> bool:
    """Whether a sign behind this token has no operand on its left."""
    return not (
        before in _OPERAND_BEFORE
        or before.isalnum()
        or (before in _CLASS and _CLASS[before][0] == "base" and before not in _CLASS["\\sin"][1])
    )


def _fitted(
    token: str,
    old: str,
    box: NDArray[np.float32],
    room: NDArray[np.float32],
    *,
    bank: SymbolBank,
    rng: np.random.Generator,
) -> list[Stroke] | None:
    """A symbol of the bank in the place of an old one, or None where none of a few tried fits."""
    if token not in bank.ranges or old in _NEVER:
        return None
    anchor = _CLASS.get(token, ("box", []))[0]
    left, top, right, bottom = (float(v) for v in box)
    width, height = right - left, bottom - top
    ratio = bank.ratios[token] / bank.ratios[old] if bank.ratios.get(old) else 1.0
    for index in rng.integers(*bank.ranges[token], _TRIES):
        w, h = (float(v) for v in bank.boxes[index])
        if anchor == "box" or max(w, h) == 0:
            size, own = max(width, height), max(w, h)
        elif anchor == "middle":
            size, own = max(width, height) * ratio, max(w, h)
        else:
            size, own = min(height * ratio, height + _ROOM * float(room[1])), h
        factor = size / own if own > 0 else 1.0
        # Wider than the gap allows: squeezed, then given up.
        most = width + _ROOM * float(room[0] + room[2])
        squeeze = 1.0
        if w * factor > most:
            squeeze = most / (w * factor)
            if squeeze < _SQUEEZE:
                continue
        if anchor == "box" and not _alike(w, h, width, height):
            continue
        across, down = w * factor * squeeze, h * factor
        if anchor == "base" and old == token and not 0.4 < down / max(height, 1e-9) < 2.5:
            continue
        # Between its neighbours in the same proportion as the old one stood.
        share = float(room[0]) / max(float(room[0] + room[2]), 1e-9)
        x = left - max(across - width, 0) * share + max(width - across, 0) / 2
        y = bottom - down if anchor == "base" else (top + bottom - down) / 2
        move = np.array([x, y], dtype=np.float32)
        grow = np.array([factor * squeeze, factor], dtype=np.float32)
        return [stroke * grow + move for stroke in bank.strokes(index)]
    return None


def _alike(w: float, h: float, width: float, height: float) -> bool:
    """Whether two boxes have nearly the same shape."""
    return abs(math.atan2(h, w) - math.atan2(height, width)) < 0.25


def _rebuilt(ink: Ink, replaced: dict[int, list[Stroke]], label: Sequence[str]) -> Ink:
    """The ink with new strokes where the old symbols' first strokes were, numbered anew."""
    owner = {i: n for n in replaced for i in ink.symbols[n].strokes}
    strokes: list[Stroke] = []
    places: dict[int, list[int]] = defaultdict(list)
    number: dict[int, int] = {}
    for i, stroke in enumerate(ink.strokes):
        n = owner.get(i)
        if n is None:
            number[i] = len(strokes)
            strokes.append(stroke)
        elif n not in places:
            places[n] = list(range(len(strokes), len(strokes) + len(replaced[n])))
            strokes += replaced[n]
    symbols = tuple(
        Symbol(label[symbol.position], tuple(places[n]), symbol.position)
        if n in replaced
        else Symbol(symbol.token, tuple(number[i] for i in symbol.strokes), symbol.position)
        for n, symbol in enumerate(ink.symbols)
    )
    return Ink(tuple(strokes), symbols)
