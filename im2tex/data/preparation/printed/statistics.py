"""A printed data set in figures, beside the paper's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from im2tex.data.preparation.printed.rendering import SplitCounts

PAPER = {
    "pairs": "103,556 (train 83,883, validation 9,319, test 10,354)",
    "characters": "38 to 997, mean 118, median 98",
    "tokens": "mean 58, 95 % within 112",
}
"""IM2LATEX-100K as section 4 of Deng et al. 2017 and its files have it."""


def lines(tallies: Mapping[str, SplitCounts]) -> Iterator[str]:
    """The report of a preparation, a line each."""
    for split, tally in tallies.items():
        for reason, number in tally.left_out.most_common():
            if reason != "beyond the limit":
                yield f"{split}: {number:,} left out: {reason}"
        for reason, number in tally.undrawn.most_common():
            yield f"{split}: {number:,} without a picture, which count as wrong: {reason}"
    pairs = sum(tally.taken for tally in tallies.values())
    yield f"pairs       {pairs:,}; the paper: {PAPER['pairs']}"
    characters = np.array([n for tally in tallies.values() for n in tally.characters])
    if len(characters):
        yield (
            f"characters  {characters.min()} to {characters.max()}, mean {characters.mean():.0f}, "
            f"median {np.median(characters):.0f}; the paper: {PAPER['characters']}"
        )
    tokens = np.array([n for tally in tallies.values() for n in tally.tokens])
    if len(tokens):
        yield (
            f"tokens      mean {tokens.mean():.0f}, 95 % within {np.percentile(tokens, 95):.0f}, "
            f"at most {tokens.max()}; the paper: {PAPER['tokens']}"
        )
    sizes = np.array([size for tally in tallies.values() for size in tally.sizes])
    if len(sizes):
        (height, width), (tall, wide) = sizes.mean(0), np.percentile(sizes, 95, axis=0)
        yield (
            f"pictures    mean {width:.0f} x {height:.0f} pixels (width x height), 95 % within "
            f"{wide:.0f} wide and {tall:.0f} high"
        )
