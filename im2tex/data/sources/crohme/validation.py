"""The validation split of CROHME: 10 % of the training samples, separated by label.

The training set has 8,835 samples of about 4,800 labels. With a split by writer or at random, half
of the validation labels would also be training labels, in other handwriting; in the tests this
holds for a few per cent. So the split takes whole labels with all of their samples, in proportion
from every collection.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

LabelTokens = tuple[str, ...]

_SALT = "im2tex crohme validation 1"


def held_out(samples: Sequence[tuple[str, LabelTokens]], fraction: float = 0.1) -> set[LabelTokens]:
    """Returns the labels of the validation split.

    The result depends on the labels and collections alone, not on the order of the files or a
    seed, so that everyone who prepares the same data gets the same split.

    Args:
        samples: collection and label of each training sample.
        fraction: fraction of each collection's samples, approximated by whole labels.

    Returns:
        The labels; a label belongs to the collection with most of its samples.
    """
    counts: defaultdict[LabelTokens, Counter[str]] = defaultdict(Counter)
    for collection, label in samples:
        counts[label][collection] += 1
    by_collection: defaultdict[str, list[LabelTokens]] = defaultdict(list)
    for label, sizes in counts.items():
        by_collection[min(sizes, key=lambda name: (-sizes[name], name))].append(label)
    chosen: set[LabelTokens] = set()
    for labels in by_collection.values():
        missing = fraction * sum(counts[label].total() for label in labels)
        for label in sorted(labels, key=_rank):
            size = counts[label].total()
            if abs(missing - size) < abs(missing):  # the label brings the sum nearer to the goal
                chosen.add(label)
                missing -= size
    return chosen


def _rank(label: LabelTokens) -> bytes:
    return hashlib.sha256(f"{_SALT}\n{' '.join(label)}".encode()).digest()
