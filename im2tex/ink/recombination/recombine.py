r"""New labelled samples of annotated ones: `swap` exchanges symbols, `crop` cuts sub-formulas.

CROHME has 8,835 handwritten training samples but only about 4,800 labels, and a model memorises
labels before it learns from images. An exchanged symbol keeps the position of the old one: layout
and writer are real while the label is new. A sub-formula is a real formula of its own. Ink and
label of the result are completely aligned. For training only.

Related: Le, Indurkhya and Nakagawa (2019) decompose and interchange sub-formulas between labels;
here single symbols are exchanged, and the boxes of the strokes decide which symbols fit.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, combinations_with_replacement
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from im2tex.ink.ink import Ink, Stroke, Symbol
from im2tex.ink.recombination.label_structure import (
    Row,
    aligned_structure,
    is_balanced,
)
from im2tex.ink.recombination.swap_bank import CLASS_OF, NOT_SWAPPABLE, SwapBank, anchor

__all__ = ["SwapBank", "crop", "swap"]

_UNARY = ["+", "-", "\\pm"]
_OPERAND_ENDS = frozenset([")", "]", "}", "\\}", "|", "!", "\\infty"])
_NOT_FIRST = frozenset([*CLASS_OF["="][1], *CLASS_OF["\\times"][1], ","])  # of a sub-formula
_NOT_LAST = frozenset([*CLASS_OF["="][1], *CLASS_OF["+"][1], ",", "."])
_GAP_FRACTION = 0.7  # of a free gap that a wider or taller symbol may fill
_MIN_SQUEEZE = 0.7  # factor on a symbol's width
_HEIGHT_RATIO = (0.4, 2.5)  # between two symbols of the same token
_MAX_ASPECT_DIFFERENCE = 0.25  # radians, between the diagonals of two boxes
_TRIES = 3
_MAX_ITEMS = 100  # of a row; longer ones belong to labels that are too long to train on
_MAX_CANDIDATES = 200
_DRAWS = 6  # of a first and last item
_SINGLE_REFUSED = 0.6  # probability; otherwise half of all sub-formulas would be one symbol


def swap(
    ink: Ink,
    tokens: Sequence[str],
    bank: SwapBank,
    rng: np.random.Generator,
    probability: float = 0.5,
    *,
    relabel_probability: float = 0.7,
) -> tuple[Ink, tuple[str, ...]]:
    """Exchanges symbols for those of other writers.

    Example:
        >>> bank = SwapBank.from_samples(samples)
        >>> ink, tokens = swap(sample.ink, sample.tokens, bank, np.random.default_rng(0))

    Args:
        ink: completely aligned to the tokens (`aligned_structure`).
        tokens: its label in canonical form.
        bank: source of the new symbols.
        rng: source of randomness.
        probability: that a symbol is exchanged.
        relabel_probability: that an exchange also changes the token, for another of its class.

    Returns:
        The new ink and its label; the arguments if no symbol was exchanged.
    """
    tokens = tuple(tokens)
    boxes = ink.symbol_boxes.tolist()
    gaps = _free_gaps(ink.symbol_boxes).tolist()
    uses = Counter(symbol.position for symbol in ink.symbols)
    label = list(tokens)
    replaced: dict[int, list[Stroke]] = {}
    draws = rng.random((2, len(ink.symbols))).tolist()
    for i, symbol in enumerate(ink.symbols):
        at = symbol.position
        if draws[0][i] >= probability or uses[at] > 1 or label[at] != symbol.token:
            continue
        token = symbol.token
        if draws[1][i] < relabel_probability:
            token = _other_token(token, label[at - 1] if at else None, bank, rng)
        strokes = _fit_symbol(token, symbol.token, boxes[i], gaps[i], bank=bank, rng=rng)
        if strokes is not None:
            replaced[i] = strokes
            label[at] = token
    if not replaced:
        return ink, tokens
    return _replace_symbols(ink, replaced, label), tuple(label)


class CropCandidates(NamedTuple):
    """The sub-formulas that `crop` can cut out of a sample.

    Attributes:
        start: (n,) index of the first token.
        end: (n,) index after the last token.
        probability: (n,) that a random crop is this one. The sum is below 1: of a formula with few
            sub-formulas, some crops are the whole.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    probability: NDArray[np.float64]


def crop_candidates(ink: Ink, tokens: Sequence[str]) -> CropCandidates:
    """Lists sub-formulas: consecutive items of a row with their scripts, brackets balanced.

    The probabilities are those of a random row, weighted by its number of items, and a random first
    and last item, drawn up to six times until they are a sub-formula; most of one symbol are
    refused.

    Args:
        ink: with symbols aligned to the tokens.
        tokens: its label in canonical form.

    Returns:
        Up to 200 sub-formulas in the order of their tokens; none if ink and label are not
        completely aligned.
    """
    tokens = tuple(tokens)
    found: dict[tuple[int, int], float] = {}
    rows = [row for row in _rows_to_crop(ink, tokens) if len(row) <= _MAX_ITEMS]
    for row in rows:
        for first, last in combinations_with_replacement(range(len(row)), 2):
            start, end = row[first][0], row[last][1]
            while start < end and tokens[start] in _NOT_FIRST:
                start += 1
            while start < end and tokens[end - 1] in _NOT_LAST:
                end -= 1
            weight = (2 if last > first else 1) / len(row)
            if end - start == 1:
                weight *= 1 - _SINGLE_REFUSED
            if 0 < end - start < len(tokens) and is_balanced(tokens[start:end]):
                found[start, end] = found.get((start, end), 0.0) + weight
    kept = sorted(found)[:: -(-len(found) // _MAX_CANDIDATES) or 1]
    spans = np.array(kept, dtype=np.int64).reshape(-1, 2)
    weights = np.array([found[span] for span in kept])
    success = sum(found.values()) / max(1, sum(map(len, rows)))  # of one draw
    total = 1 - (1 - success) ** _DRAWS
    return CropCandidates(spans[:, 0], spans[:, 1], total * weights / weights.sum())


def _rows_to_crop(ink: Ink, tokens: Sequence[str]) -> Sequence[Row]:
    structure = aligned_structure(ink, tokens)
    if structure is None or len(structure.written) < 2:
        return ()
    if len({i for symbol in ink.symbols for i in symbol.strokes}) < len(ink.strokes):
        return ()  # a stroke without a symbol may belong to any part
    return structure.rows


def crop(ink: Ink, tokens: Sequence[str], start: int, end: int) -> tuple[Ink, tuple[str, ...]]:
    """Cuts out the sub-formula of the tokens `start` to `end`."""
    return _select_symbols(ink, start, end), tuple(tokens[start:end])


def _select_symbols(ink: Ink, start: int, end: int) -> Ink:
    """The symbols of tokens `start` to `end`, with new indices."""
    kept = [symbol for symbol in ink.symbols if start <= symbol.position < end]
    order = sorted({i for symbol in kept for i in symbol.strokes})
    index = {old: new for new, old in enumerate(order)}
    symbols = tuple(
        Symbol(s.token, tuple(index[i] for i in s.strokes), s.position - start) for s in kept
    )
    return Ink(tuple(ink.strokes[i] for i in order), symbols)


def _free_gaps(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gaps left, above, right and below each box, to the next box that faces it: (n, 4)."""
    low, high = boxes[:, None, :2], boxes[:, None, 2:]  # (n, 1, 2)
    other_low, other_high = boxes[None, :, :2], boxes[None, :, 2:]  # (1, n, 2)
    centre = (low + high) / 2
    faces = ((other_low < high) & (other_high > low))[:, :, ::-1]  # overlap on the other axis
    side = (high - low).max(axis=2, keepdims=True)
    before = np.where(faces & (other_high <= centre), low - other_high, side).min(axis=1)
    after = np.where(faces & (other_low >= centre), other_low - high, side).min(axis=1)
    gaps: NDArray[np.float32] = np.maximum(np.concatenate([before, after], axis=1), 0)
    return gaps


def _other_token(token: str, before: str | None, bank: SwapBank, rng: np.random.Generator) -> str:
    """Another token of the same class, drawn in proportion to the square root of its frequency."""
    names = CLASS_OF.get(token, ("box", []))[1]
    if "+" in names and (before is None or not _ends_operand(before)):
        names = _UNARY if token in _UNARY else []
    names = [name for name in names if name != token and name in bank.ranges]
    if not names:
        return token
    counts = (bank.ranges[name][1] - bank.ranges[name][0] for name in names)
    weights = [*accumulate(map(math.sqrt, counts))]
    return names[bisect(weights, rng.random() * weights[-1])]


def _ends_operand(token: str) -> bool:
    """Whether a `+` or `-` after this token is a binary operator."""
    if token in _OPERAND_ENDS or token.isalnum():
        return True
    return anchor(token) == "base" and token not in CLASS_OF["\\sin"][1]


def _fit_symbol(
    token: str,
    old: str,
    box: Sequence[float],
    gaps: Sequence[float],
    *,
    bank: SwapBank,
    rng: np.random.Generator,
) -> list[Stroke] | None:
    """A symbol of the bank at the position of an old one; None if none of `_TRIES` fits."""
    if token not in bank.ranges or old in NOT_SWAPPABLE:
        return None
    anchored = anchor(token)
    left, top, right, bottom = box
    gap_left, gap_above, gap_right, _ = gaps
    width, height = right - left, bottom - top
    ratio = bank.ratios[token] / bank.ratios[old] if bank.ratios.get(old) else 1.0
    first, end = bank.ranges[token]
    for draw in rng.random(_TRIES).tolist():
        index = first + int(draw * (end - first))
        own_width, own_height = bank.boxes[index].tolist()
        own = max(own_width, own_height)
        if anchored == "box" or own == 0:
            size = max(width, height)
        elif anchored == "middle":
            size = max(width, height) * ratio
        else:
            size, own = min(height * ratio, height + _GAP_FRACTION * gap_above), own_height
        factor = size / own if own > 0 else 1.0
        new_width, new_height = own_width * factor, own_height * factor
        # A symbol that is wider than the gap is squeezed.
        squeeze = min(1.0, (width + _GAP_FRACTION * (gap_left + gap_right)) / max(new_width, 1e-9))
        new_width *= squeeze
        aspects = math.atan2(own_height, own_width), math.atan2(height, width)
        if squeeze < _MIN_SQUEEZE:
            continue
        if anchored == "box" and abs(aspects[0] - aspects[1]) >= _MAX_ASPECT_DIFFERENCE:
            continue
        similar_height = _HEIGHT_RATIO[0] < new_height / max(height, 1e-9) < _HEIGHT_RATIO[1]
        if anchored == "base" and old == token and not similar_height:
            continue
        # The gaps on both sides keep their proportion.
        before = gap_left / max(gap_left + gap_right, 1e-9)
        x = left - max(new_width - width, 0) * before + max(width - new_width, 0) / 2
        y = bottom - new_height if anchored == "base" else (top + bottom - new_height) / 2
        offset = np.array([x, y], dtype=np.float32)
        scale = np.array([factor * squeeze, factor], dtype=np.float32)
        return [stroke * scale + offset for stroke in bank.strokes(index)]
    return None


def _replace_symbols(ink: Ink, replaced: dict[int, list[Stroke]], label: Sequence[str]) -> Ink:
    """Inserts new strokes at the first stroke of each old symbol, and updates all indices."""
    owner = {i: n for n in replaced for i in ink.symbols[n].strokes}
    strokes: list[Stroke] = []
    new_indices: dict[int, tuple[int, ...]] = {}  # by replaced symbol
    index: dict[int, int] = {}  # by old stroke
    for i, stroke in enumerate(ink.strokes):
        n = owner.get(i)
        if n is None:
            index[i] = len(strokes)
            strokes.append(stroke)
        elif n not in new_indices:
            new_indices[n] = tuple(range(len(strokes), len(strokes) + len(replaced[n])))
            strokes += replaced[n]
    symbols = []
    for n, symbol in enumerate(ink.symbols):
        if n in replaced:
            symbols.append(Symbol(label[symbol.position], new_indices[n], symbol.position))
        else:
            kept = tuple(index[i] for i in symbol.strokes)
            symbols.append(Symbol(symbol.token, kept, symbol.position))
    return Ink(tuple(strokes), tuple(symbols))
