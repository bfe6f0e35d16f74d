"""The validation split of CROHME: a tenth of the training inks, cut by label.

Train has 8,835 inks but about 4,800 labels. Cut by writer or at random, half of the labels on
which a model is validated would have been trained on, in other hands; in the tests that is so for
a few in a hundred. So whole labels go, each with all of its inks, from every collection its share.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

Label = tuple[str, ...]

_SALT = "im2tex crohme validation 1"


def held_out(inks: Sequence[tuple[str, Label]], share: float = 0.1) -> set[Label]:
    """The labels that go to validation.

    A function of the labels and collections alone: neither the order of the files nor any seed
    matters, so everyone who prepares the same data has the same split.

    Args:
        inks: collection and label of each training ink.
        share: of each collection's inks, as nearly as whole labels allow.

    Returns:
        Labels; a label belongs to the collection that has most of its inks.
    """
    counts: defaultdict[Label, Counter[str]] = defaultdict(Counter)
    for collection, label in inks:
        counts[label][collection] += 1
    home: defaultdict[str, list[Label]] = defaultdict(list)
    for label, by_collection in counts.items():
        # The most inks first, then the alphabet.
        home[min(by_collection, key=lambda name: (-by_collection[name], name))].append(label)
    chosen: set[Label] = set()
    for labels in home.values():
        missing = share * sum(counts[label].total() for label in labels)
        for label in sorted(labels, key=_rank):
            size = counts[label].total()
            # Taken while that brings the collection nearer to its share.
            if abs(missing - size) < abs(missing):
                chosen.add(label)
                missing -= size
    return chosen


def _rank(label: Label) -> bytes:
    return hashlib.sha256(f"{_SALT}\n{' '.join(label)}".encode()).digest()
