"""Statistics of a printed data set, beside those of the paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from im2tex.data.preparation.printed.rendering import BEYOND_LIMIT, SplitCounts

PAPER = {
    "pairs": "103,556 (train 83,883, validation 9,319, test 10,354)",
    "characters": "38 to 997, mean 118, median 98",
    "tokens": "mean 58, 95 % within 112",
}
"""Statistics of IM2LATEX-100K, from section 4 of Deng et al. 2017 and the released files."""


def statistics_lines(splits: Mapping[str, SplitCounts]) -> Iterator[str]:
    """Yields the lines of the report of a preparation."""
    for split, counts in splits.items():
        for reason, number in counts.skipped.most_common():
            if reason != BEYOND_LIMIT:
                yield f"{split}: {number:,} skipped: {reason}"
        for reason, number in counts.unrendered.most_common():
            yield f"{split}: {number:,} without an image, which count as wrong: {reason}"
    total = sum(counts.taken for counts in splits.values())
    yield f"pairs       {total:,}; the paper: {PAPER['pairs']}"
    characters = np.array([n for counts in splits.values() for n in counts.characters])
    tokens = np.array([n for counts in splits.values() for n in counts.tokens])
    if total:
        yield (
            f"characters  {characters.min()} to {characters.max()}, mean {characters.mean():.0f}, "
            f"median {np.median(characters):.0f}; the paper: {PAPER['characters']}"
        )
        yield (
            f"tokens      mean {tokens.mean():.0f}, 95 % within {np.percentile(tokens, 95):.0f}, "
            f"at most {tokens.max()}; the paper: {PAPER['tokens']}"
        )
    sizes = np.array([size for counts in splits.values() for size in counts.sizes])
    if len(sizes):
        (height, width), (high, wide) = sizes.mean(0), np.percentile(sizes, 95, axis=0)
        yield (
            f"images      mean {width:.0f} x {height:.0f} pixels (width x height), 95 % within "
            f"{wide:.0f} wide and {high:.0f} high"
        )
