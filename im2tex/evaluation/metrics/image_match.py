r"""Two pictures of formulas, compared column by column as the paper does.

Section 5 of the paper and its released script (harvardnlp/im2markup, evaluate_image.py): pictures
are made black and white at 128, the shorter is padded at the bottom, and columns of pixels are
letters. Columns that differ in fewer than 5 pixels count as equal, by a rule that depends on their
order: each new column takes the letter of the first earlier one that is near and has a letter of
its own. The Levenshtein alignment of the letters then tells where the pictures differ.

- Released: wrong if one operation of the alignment spans 5 columns or more of the *reference*.
  Inserted columns span none, so extra ink of any width in the prediction never fails, and a wide
  difference that the alignment cuts into short operations may pass.
- Symmetric, ours: neighbouring operations are one block, and wrong is whatever spans 5 columns or
  more of *either* picture; the answer is the same if the two are swapped.

Without white space: the same after the blank columns are gone. The edit distance is over exact
columns in both.

Where several alignments are equally short, the choice is rapidfuzz's; the script used
python-Levenshtein's, whose later versions are rapidfuzz too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from im2tex.render.rendering import GrayImage

INK_THRESHOLD = 128
"""Pixels up to this value are ink."""

MAX_COLUMN_DISTANCE = 5
"""Columns that differ in fewer pixels are equal."""

MIN_MISMATCH_COLUMNS = 5
"""Columns that a difference must span to count."""

_TABLE = 4096  # columns up to which all differences are kept at once, in 16 MB
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class ImageComparison:
    """What two pictures have in common.

    Attributes:
        match: the symmetric verdict.
        match_no_space: the symmetric verdict without blank columns.
        match_released: the released script's verdict.
        match_no_space_released: the released script's verdict without blank columns.
        edits: column edits; the whole width where one picture is missing.
        width: columns of the wider picture.
        has_prediction: whether there is a picture of the prediction.
        has_reference: whether there is a picture of the reference.
    """

    match: bool
    match_no_space: bool
    match_released: bool
    match_no_space_released: bool
    edits: int
    width: int
    has_prediction: bool = True
    has_reference: bool = True


def compare_images(prediction: GrayImage | None, reference: GrayImage | None) -> ImageComparison:
    """Compares a prediction's picture with the reference's.

    Args:
        prediction: (H, W) uint8, 0 for ink to 255 for paper, or None where there is none.
        reference: likewise; heights and widths may differ.
    """
    if prediction is None or reference is None:
        one = reference if prediction is None else prediction
        width = 0 if one is None else one.shape[1]
        known = prediction is not None, reference is not None
        return ImageComparison(False, False, False, False, width, width, *known)
    columns, gold, guess = _letters(reference, prediction)
    width = max(len(gold), len(guess))
    edits = Levenshtein.distance(gold, guess)
    if not edits:
        return ImageComparison(True, True, True, True, 0, width)
    blank = next((i for i, column in enumerate(columns.words) if not column.any()), None)
    inked = [i for i in gold if i != blank], [i for i in guess if i != blank]
    order = list(range(len(columns.words)))
    released = columns.merged(order, None), columns.merged(order, blank)
    # One order for both, whichever is the reference.
    first = (len(gold), reference.shape, reference.tobytes())
    if first <= (len(guess), prediction.shape, prediction.tobytes()):
        symmetric, pairs = released, ((gold, guess), inked)
    else:
        order = list(dict.fromkeys(guess + gold))
        symmetric = columns.merged(order, None), columns.merged(order, blank)
        pairs = (guess, gold), (inked[1], inked[0])
    return ImageComparison(
        _same(*pairs[0], symmetric[0], both=True),
        _same(*pairs[1], symmetric[1], both=True),
        _same(gold, guess, released[0], both=False),
        _same(*inked, released[1], both=False),
        edits,
        width,
    )


class _Columns:
    """The distinct columns of two pictures.

    Args:
        words: their pixels, 64 to a word, (N, K).
    """

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self.words = words
        count = len(words)
        self._near: NDArray[np.bool_] | None = None
        self._alone = np.zeros(count, np.bool_)
        if count <= _TABLE:
            apart = np.zeros((count, count), np.int32)
            for word in words.T:
                apart += _ones(word[:, None] ^ word[None, :])
            self._near = apart < MAX_COLUMN_DISTANCE
            self._alone = self._near.sum(axis=1) == 1

    def merged(self, order: Sequence[int], left_out: int | None) -> list[int]:
        """A letter for each column.

        Args:
            order: in which they are met.
            left_out: number of one that takes no part.
        """
        letters = np.where(self._alone, np.arange(len(self.words)), -1)
        free = ~self._alone
        if left_out is not None:
            free[left_out] = False
        waiting = free.tolist()
        for number in order:
            if waiting[number] and free[number]:
                taken = self._row(number) & free
                letters[taken] = number
                free &= ~taken
        return list(letters.tolist())

    def _row(self, number: int) -> NDArray[np.bool_]:
        """Which columns are near to one."""
        if self._near is not None:
            return np.asarray(self._near[number], np.bool_)
        apart = _ones(self.words ^ self.words[number]).sum(axis=1)
        return np.asarray(apart < MAX_COLUMN_DISTANCE, np.bool_)


def _letters(first: GrayImage, second: GrayImage) -> tuple[_Columns, list[int], list[int]]:
    """The distinct columns in order of appearance, and each picture as their numbers."""
    height = max(first.shape[0], second.shape[0])
    numbers: dict[bytes, int] = {}
    sequences: list[list[int]] = []
    for image in (first, second):
        ink = np.zeros((image.shape[1], -(-height // 64) * 64), np.bool_)
        ink[:, : image.shape[0]] = (image <= INK_THRESHOLD).T
        packed = np.packbits(ink, axis=1)  # (W, 8 K)
        size = packed.shape[1]
        raw = packed.tobytes()
        cuts = range(0, len(raw), size)
        sequences.append([numbers.setdefault(raw[at : at + size], len(numbers)) for at in cuts])
    words = np.frombuffer(b"".join(numbers), np.uint64).reshape(len(numbers), -1)  # (N, K)
    return _Columns(words), sequences[0], sequences[1]


def _ones(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits are set in each word."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts: NDArray[np.uint8] = np.bitwise_count(words)
        return counts
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)
    return np.asarray(_BITS[octets].sum(axis=-1), np.uint8)


def _same(first: list[int], second: list[int], letters: list[int], *, both: bool) -> bool:
    """Whether no difference spans too many columns: of the first, or of `both` and in one block."""
    if not first or not second:
        return not first and not second
    a, b = [letters[i] for i in first], [letters[i] for i in second]
    start: tuple[int, int] | None = None
    for op in Levenshtein.opcodes(a, b):
        if op.tag == "equal":
            start = None
            continue
        if not both:
            if op.src_end - op.src_start >= MIN_MISMATCH_COLUMNS:
                return False
            continue
        start = start or (op.src_start, op.dest_start)
        if max(op.src_end - start[0], op.dest_end - start[1]) >= MIN_MISMATCH_COLUMNS:
            return False
    return True
