r"""Image match: two images of formulas compared column by column, as Deng et al. 2017 do.

Section 5 of the paper and its released script (harvardnlp/im2markup, evaluate_image.py): images
are binarised at 128, the shorter one is padded at the bottom, and the columns of pixels are the
letters of a string. Columns that differ in fewer than 5 pixels count as equal, by a rule that
depends on their order: each new column gets the letter of the first earlier one that is close to
it and has a letter of its own. The Levenshtein alignment of the strings then gives the differences.

- Released: a mismatch if one operation of the alignment spans 5 columns or more of the *reference*.
  Inserted columns span none, so that extra ink of any width in the prediction never fails, and a
  wide difference that the alignment cuts into short operations may pass.
- Symmetric, ours: neighbouring operations are one block, and a block that spans 5 columns or more
  of *either* image is a mismatch; the result is the same if the images are swapped.

Without white space: the same after the blank columns are removed. The edit distance is over exact
columns in both.

Where several alignments are equally short, the choice is rapidfuzz's; the script used
python-Levenshtein's, whose later versions are rapidfuzz too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from im2tex.render.rendering import GrayImage

INK_THRESHOLD = 128
"""Pixels up to this value are ink."""

MAX_COLUMN_DISTANCE = 4
"""Number of pixels in which two equal columns may differ at most."""

MIN_MISMATCH_COLUMNS = 5
"""Columns that a difference must span to be a mismatch."""

_MAX_TABLE_COLUMNS = 4096  # up to here all distances are computed at once, in 16 MB
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


def compare_images(
    prediction: GrayImage | None, reference: GrayImage | None
) -> dict[str, bool | int]:
    """Compares the image of a prediction with that of its reference.

    Example:
        >>> bar = np.zeros((20, 8), np.uint8)
        >>> compare_images(bar, bar[:, :4])["image_edits"]
        4

    Args:
        prediction: (H, W) uint8, 0 for ink to 255 for paper, or None for a missing image.
        reference: image of the reference, likewise; heights and widths may differ.

    Returns:
        `image_exact`; `image_match` by the symmetric rule and `image_match_no_space`, the same
        without blank columns; `image_edits`, the column edits (the whole width where one image is
        missing); `image_columns`, the width of the wider image. The last four with
        `_released` follow the released script, which goes by the images of the references: a sample
        whose reference has no image lacks them. The others count such a sample as wrong.
    """
    if prediction is None or reference is None:
        image = reference if prediction is None else prediction
        width = 0 if image is None else image.shape[1]
        scores = {"image_exact": False} | _scores(False, False, width, width)
        if reference is not None:
            scores |= _scores(False, False, width, width, "_released")
        return scores
    columns, gold, guess = _column_indices(reference, prediction)
    width = max(len(gold), len(guess))
    edits = Levenshtein.distance(gold, guess)
    if not edits:
        return equal_image_scores(width)
    blank = next((i for i, column in enumerate(columns.words) if not column.any()), None)
    inked = [i for i in gold if i != blank], [i for i in guess if i != blank]
    order = list(range(len(columns.words)))
    released = columns.letters(order, None), columns.letters(order, blank)
    # The symmetric rule needs one order of the two images, whichever is the reference.
    first = (len(gold), reference.shape, reference.tobytes())
    if first <= (len(guess), prediction.shape, prediction.tobytes()):
        symmetric, pairs = released, ((gold, guess), inked)
    else:
        order = list(dict.fromkeys(guess + gold))
        symmetric = columns.letters(order, None), columns.letters(order, blank)
        pairs = (guess, gold), (inked[1], inked[0])
    match = _is_match(*pairs[0], symmetric[0], symmetric=True)
    no_space = _is_match(*pairs[1], symmetric[1], symmetric=True)
    match_released = _is_match(gold, guess, released[0], symmetric=False)
    no_space_released = _is_match(*inked, released[1], symmetric=False)
    return (
        {"image_exact": False}
        | _scores(match, no_space, edits, width)
        | _scores(match_released, no_space_released, edits, width, "_released")
    )


def equal_image_scores(width: int) -> dict[str, bool | int]:
    """The scores of `compare_images` for two equal images of `width` columns."""
    scores = {"image_exact": True} | _scores(True, True, 0, width)
    return scores | _scores(True, True, 0, width, "_released")


def _scores(
    match: bool, no_space: bool, edits: int, width: int, suffix: str = ""
) -> dict[str, bool | int]:
    return {
        f"image_match{suffix}": match,
        f"image_match_no_space{suffix}": no_space,
        f"image_edits{suffix}": edits,
        f"image_columns{suffix}": width,
    }


class _Columns:
    """The distinct columns of two images.

    Args:
        words: their pixels as bits, 64 to a word, (N, K).
    """

    def __init__(self, words: NDArray[np.uint64]) -> None:
        self.words = words
        count = len(words)
        self._close: NDArray[np.bool_] | None = None
        self._isolated = np.zeros(count, np.bool_)
        if count <= _MAX_TABLE_COLUMNS:
            distances = np.zeros((count, count), np.int32)
            for word in words.T:
                distances += _bit_counts(word[:, None] ^ word[None, :])
            self._close = distances <= MAX_COLUMN_DISTANCE
            self._isolated = self._close.sum(axis=1) == 1

    def letters(self, order: Sequence[int], excluded: int | None) -> list[int]:
        """Assigns a letter to each column.

        Args:
            order: in which the columns appear.
            excluded: index of a column that takes no part.
        """
        letters = np.where(self._isolated, np.arange(len(self.words)), -1)
        free = ~self._isolated
        if excluded is not None:
            free[excluded] = False
        unassigned = free.tolist()
        for index in order:
            if unassigned[index] and free[index]:
                group = self._close_to(index) & free
                letters[group] = index
                free &= ~group
        return list(letters.tolist())

    def _close_to(self, index: int) -> NDArray[np.bool_]:
        if self._close is not None:
            return np.asarray(self._close[index], np.bool_)
        distances = _bit_counts(self.words ^ self.words[index]).sum(axis=1)
        return np.asarray(distances <= MAX_COLUMN_DISTANCE, np.bool_)


def _column_indices(first: GrayImage, second: GrayImage) -> tuple[_Columns, list[int], list[int]]:
    """The distinct columns in order of appearance, and each image as indices of these."""
    height = max(first.shape[0], second.shape[0])
    indices: dict[bytes, int] = {}
    sequences: list[list[int]] = []
    for image in (first, second):
        ink = np.zeros((image.shape[1], -(-height // 64) * 64), np.bool_)
        ink[:, : image.shape[0]] = (image <= INK_THRESHOLD).T
        packed = np.packbits(ink, axis=1)  # (W, 8 K)
        size = packed.shape[1]
        raw = packed.tobytes()
        starts = range(0, len(raw), size)
        sequences.append([indices.setdefault(raw[at : at + size], len(indices)) for at in starts])
    words = np.frombuffer(b"".join(indices), np.uint64).reshape(len(indices), -1)  # (N, K)
    return _Columns(words), sequences[0], sequences[1]


def _bit_counts(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The number of set bits of each word."""
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts: NDArray[np.uint8] = np.bitwise_count(words)
        return counts
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)
    return np.asarray(_BITS[octets].sum(axis=-1), np.uint8)


def _is_match(first: list[int], second: list[int], letters: list[int], *, symmetric: bool) -> bool:
    """Whether no difference spans too many columns.

    Args:
        first: columns of the first image; the reference's, for the released rule.
        second: columns of the second image.
        letters: the letter of each column.
        symmetric: whether neighbouring operations are one block, whose columns in either image
            count; else each operation counts with its columns in the first image.
    """
    if not first or not second:
        return not first and not second
    a, b = [letters[i] for i in first], [letters[i] for i in second]
    start: tuple[int, int] | None = None
    for op in Levenshtein.opcodes(a, b):
        if op.tag == "equal":
            start = None
            continue
        if not symmetric:
            if op.src_end - op.src_start >= MIN_MISMATCH_COLUMNS:
                return False
            continue
        start = start or (op.src_start, op.dest_start)
        if max(op.src_end - start[0], op.dest_end - start[1]) >= MIN_MISMATCH_COLUMNS:
            return False
    return True
