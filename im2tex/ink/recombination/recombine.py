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
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.ink import Ink, Stroke, Symbol
from im2tex.ink.recombination.label_structure import aligned_structure, is_balanced, symbol_box
from im2tex.ink.recombination.swap_bank import CLASS_OF, NOT_SWAPPABLE, SwapBank, anchor

__all__ = ["SwapBank", "crop", "swap"]

_SIGNS = ["+", "-", "\\pm"]  # all that may stand where there is nothing on the left to operate on
_OPERAND_BEFORE = frozenset([")", "]", "}", "\\}", "|", "!", "\\infty"])
_ROOM = 0.7  # share of a free gap that a wider or taller symbol may take
_SQUEEZE = 0.7  # the least factor on a symbol's own width
_TRIES = 3
_LONE_REFUSED = 0.6  # else half of all cuts would be a single symbol


def swap(
    ink: Ink,
    tokens: Sequence[str],
    bank: SwapBank,
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
    if aligned_structure(ink, tokens) is None:
        return ink, tokens
    boxes = np.array([symbol_box(ink, symbol) for symbol in ink.symbols])  # (n, 4)
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
    structure = aligned_structure(ink, tokens)
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
        while start < end and tokens[start] in CLASS_OF["="][1] + CLASS_OF["\\times"][1] + [","]:
            start += 1
        while start < end and tokens[end - 1] in CLASS_OF["="][1] + CLASS_OF["+"][1] + [",", "."]:
            end -= 1
        if end - start == 1 and rng.random() < _LONE_REFUSED:
            continue
        if 0 < end - start < len(tokens) and is_balanced(tokens[start:end]):
            kept = [s for s in ink.symbols if start <= s.position < end]
            order = sorted({i for s in kept for i in s.strokes})
            number = {old: new for new, old in enumerate(order)}
            symbols = tuple(
                Symbol(s.token, tuple(number[i] for i in s.strokes), s.position - start)
                for s in kept
            )
            return Ink(tuple(ink.strokes[i] for i in order), symbols), tokens[start:end]
    return ink, tokens


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


def _other(token: str, before: str | None, bank: SwapBank, rng: np.random.Generator) -> str:
    """Another token of the same class; common ones more often, though less than they occur."""
    names = CLASS_OF.get(token, ("box", []))[1]
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
    if before in _OPERAND_BEFORE or before.isalnum():
        return False
    return anchor(before) != "base" or before in CLASS_OF["\\sin"][1]


def _fitted(
    token: str,
    old: str,
    box: NDArray[np.float32],
    room: NDArray[np.float32],
    *,
    bank: SwapBank,
    rng: np.random.Generator,
) -> list[Stroke] | None:
    """A symbol of the bank in the place of an old one, or None where none of a few tried fits."""
    if token not in bank.ranges or old in NOT_SWAPPABLE:
        return None
    fixed = anchor(token)
    left, top, right, bottom = (float(v) for v in box)
    width, height = right - left, bottom - top
    ratio = bank.ratios[token] / bank.ratios[old] if bank.ratios.get(old) else 1.0
    for index in rng.integers(*bank.ranges[token], _TRIES):
        w, h = (float(v) for v in bank.boxes[index])
        if fixed == "box" or max(w, h) == 0:
            size, own = max(width, height), max(w, h)
        elif fixed == "middle":
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
        if fixed == "box" and not _alike(w, h, width, height):
            continue
        across, down = w * factor * squeeze, h * factor
        if fixed == "base" and old == token and not 0.4 < down / max(height, 1e-9) < 2.5:
            continue
        # Between its neighbours in the same proportion as the old one stood.
        share = float(room[0]) / max(float(room[0] + room[2]), 1e-9)
        x = left - max(across - width, 0) * share + max(width - across, 0) / 2
        y = bottom - down if fixed == "base" else (top + bottom - down) / 2
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
