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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from im2tex.render.rendering import Pixels

INK = 128
"""Pixels up to this value are ink."""

NEAR = 5
"""Columns that differ in fewer pixels are equal."""

SPAN = 5
"""Columns that a difference must span to count."""

_ROWS = 512  # of the table of differences, at a time


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


def compare_images(prediction: Pixels | None, reference: Pixels | None) -> ImageComparison:
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
    blank = _blank(columns)
    inked = [i for i in gold if i != blank], [i for i in guess if i != blank]
    released = _merged(columns, None), _merged(columns, blank)
    # One order for both, whichever is the reference.
    if (len(gold), reference.shape, reference.tobytes()) <= (
        len(guess),
        prediction.shape,
        prediction.tobytes(),
    ):
        symmetric, pairs = released, ((gold, guess), inked)
    else:
        order = np.array(list(dict.fromkeys(guess + gold)))
        symmetric = _merged(columns, None, order), _merged(columns, blank, order)
        pairs = (guess, gold), (inked[1], inked[0])
    return ImageComparison(
        _same(*pairs[0], symmetric[0], both=True),
        _same(*pairs[1], symmetric[1], both=True),
        _same(gold, guess, released[0], both=False),
        _same(*inked, released[1], both=False),
        edits,
        width,
    )


def _letters(first: Pixels, second: Pixels) -> tuple[NDArray[np.float32], list[int], list[int]]:
    """The distinct columns in order of appearance, (N, H), and each picture as their numbers."""
    height = max(first.shape[0], second.shape[0])
    numbers: dict[bytes, int] = {}
    sequences: list[list[int]] = []
    for image in (first, second):
        ink = np.zeros((image.shape[1], height), np.bool_)
        ink[:, : image.shape[0]] = (image <= INK).T
        packed = np.packbits(ink, axis=1)  # (W, H / 8)
        size = packed.shape[1]
        raw = packed.tobytes()
        sequences.append(
            [
                numbers.setdefault(raw[at : at + size], len(numbers))
                for at in range(0, len(raw), size)
            ]
        )
    table = np.frombuffer(b"".join(numbers), np.uint8).reshape(len(numbers), -1)
    columns = np.unpackbits(table, axis=1, count=height).astype(np.float32)
    return columns, sequences[0], sequences[1]


def _blank(columns: NDArray[np.float32]) -> int | None:
    """Number of the column without ink, or None if each has some."""
    empty = np.flatnonzero(~columns.any(axis=1))
    return int(empty[0]) if empty.size else None


def _merged(
    columns: NDArray[np.float32], left_out: int | None, order: NDArray[np.int_] | None = None
) -> list[int]:
    """A letter for each distinct column.

    Args:
        columns: the distinct columns.
        left_out: number of one that takes no part.
        order: in which they are met; as they stand, if not given.
    """
    order = np.arange(len(columns)) if order is None else order
    if left_out is not None:
        order = order[order != left_out]
    met = columns[order]  # (N, H)
    ink = met.sum(axis=1)
    letters = np.full(len(met), -1)
    for start in range(0, len(met), _ROWS):
        rows = slice(start, start + _ROWS)
        # Pixels in one of two columns: |a| + |b| - 2 |a and b|, exact in float32.
        apart = ink[rows, None] + ink[None, :] - 2 * (met[rows] @ met.T)  # (rows, N)
        near = apart < NEAR
        alone = near.sum(axis=1) == 1
        letters[rows] = np.where(alone, np.arange(start, start + len(alone)), letters[rows])
        for row in np.flatnonzero(~alone).tolist():
            if letters[start + row] < 0:
                letters[near[row] & (letters < 0)] = start + row
    found = np.full(len(columns), -1)
    found[order] = letters
    return list(found.tolist())


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
            if op.src_end - op.src_start >= SPAN:
                return False
            continue
        start = start or (op.src_start, op.dest_start)
        if max(op.src_end - start[0], op.dest_end - start[1]) >= SPAN:
            return False
    return True
