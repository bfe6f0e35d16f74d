"""Drawings from all sources into one bank: filtered, thinned out fairly, completed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from im2tex.ink.glyphs.bank import GlyphBank, GlyphSample
from im2tex.ink.glyphs.font import font_glyphs
from im2tex.ink.glyphs.names import SPELLINGS
from im2tex.ink.glyphs.outliers import inlier_mask
from im2tex.ink.glyphs.substitutes import SUBSTITUTES, compose_symbols

LIMIT = 1000
"""Drawings kept of one symbol: of each writer as many, and more would only make the file larger."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A bank and how it came about.

    Attributes:
        bank: the bank.
        outliers: what the filter left out, by token, for a look at it.
    """

    bank: GlyphBank
    outliers: dict[str, list[GlyphSample]]


def make_bank(
    drawn: Iterable[GlyphSample],
    metadata: Mapping[str, Any] | None = None,
    *,
    limit: int = LIMIT,
    shown: Callable[[], None] | None = None,
) -> BuildResult:
    """Makes a bank of drawings from any sources.

    Args:
        drawn: the drawings; their order decides that of the samples.
        metadata: what is to be known of them, such as their licences.
        limit: drawings kept of one symbol.
        shown: called once for each symbol done.
    """
    found: defaultdict[str, list[GlyphSample]] = defaultdict(list)
    for one in drawn:
        found[one.token].append(one)
    outliers: dict[str, list[GlyphSample]] = {}
    for token in found:
        # Thinned out before what costs time, with some to spare for the filter.
        found[token], odd = _sifted(token, balance_writers(found[token], limit + limit // 5))
        found[token] = balance_writers(found[token], limit)
        if odd:
            outliers[token] = odd
        if shown is not None:
            shown()
    kept = {token: ones for token, ones in found.items() if ones}
    _compose(kept)
    drawn_by_people = {*kept, *_stand_ins(kept)}
    for one in font_glyphs():
        if one.token not in drawn_by_people:
            # Beside people's drawings, the font's hands are nobody's.
            own = replace(one, writer="") if drawn_by_people else one
            kept.setdefault(one.token, []).append(own)
    _compose(kept)
    substitutes = _stand_ins(kept)
    for other, name in SPELLINGS.items():
        if other not in kept and (name in kept or name in substitutes):
            substitutes[other] = (name,) if name in kept else substitutes[name]
    ordered = (one for token in sorted(kept) for one in kept[token])
    return BuildResult(GlyphBank.of(ordered, substitutes, metadata), outliers)


def built_in_bank() -> GlyphBank:
    """A bank of the built-in font alone: for the embedded default, where there is no data."""
    return make_bank([]).bank


def _compose(kept: dict[str, list[GlyphSample]]) -> None:
    """Adds what can be put together and is not there yet."""
    made: defaultdict[str, list[GlyphSample]] = defaultdict(list)
    for one in compose_symbols(kept):
        if one.token not in kept:
            made[one.token].append(one)
    for token, ones in made.items():
        kept[token], _ = _sifted(token, ones)


def _sifted(token: str, drawn: list[GlyphSample]) -> tuple[list[GlyphSample], list[GlyphSample]]:
    """What to keep and what to leave out."""
    keep = inlier_mask(token, [one.strokes for one in drawn])
    both: tuple[list[GlyphSample], list[GlyphSample]] = ([], [])
    for one, fine in zip(drawn, keep.tolist(), strict=True):
        both[not fine].append(one)
    return both


def _stand_ins(kept: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Who stands in for what is not there, of those that are."""
    there = {
        token: tuple(name for name in names if name in kept)
        for token, names in SUBSTITUTES.items()
        if token not in kept
    }
    return {token: names for token, names in there.items() if names}


def balance_writers(drawn: list[GlyphSample], limit: int) -> list[GlyphSample]:
    """At most so many, in their order: one of each writer, then a second of each, and so on.

    Those whose writer nobody knows count as one writer each.
    """
    if len(drawn) <= limit:
        return drawn
    turn: Counter[str] = Counter()
    turns = []
    for one in drawn:
        turns.append(turn[one.writer])
        turn[one.writer] += bool(one.writer)
    first = np.argsort(turns, kind="stable")[:limit]
    return [drawn[i] for i in sorted(first.tolist())]
