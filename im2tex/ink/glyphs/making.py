"""Makes a bank of drawings from all sources: filters, balances writers, adds missing symbols."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from im2tex.ink.builtin_font.hershey import AXIS, font_tokens, glyph
from im2tex.ink.glyphs.bank import GlyphBank, GlyphSample
from im2tex.ink.glyphs.names import SPELLINGS
from im2tex.ink.glyphs.outliers import inlier_mask
from im2tex.ink.glyphs.substitutes import SUBSTITUTES, compose_symbols

LIMIT = 1000
"""Drawings kept per symbol; more would make the file larger without new writers."""

FONT_SOURCE = "built-in"
_WRITERS = {False: "print", True: "cursive"}


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A bank and the drawings that it does not contain.

    Attributes:
        bank: the bank.
        outliers: drawings removed by the filter, by token.
    """

    bank: GlyphBank
    outliers: dict[str, list[GlyphSample]]


def make_bank(
    drawn: Iterable[GlyphSample],
    metadata: Mapping[str, Any] | None = None,
    *,
    limit: int = LIMIT,
    on_symbol: Callable[[], None] | None = None,
) -> BuildResult:
    """Makes a bank of drawings from any sources.

    Args:
        drawn: the drawings; their order decides that of the samples.
        metadata: stored in the bank, such as the licences of the drawings.
        limit: drawings kept per symbol.
        on_symbol: called after each symbol.
    """
    found: defaultdict[str, list[GlyphSample]] = defaultdict(list)
    for sample in drawn:
        found[sample.token].append(sample)
    kept: dict[str, list[GlyphSample]] = {}
    outliers: dict[str, list[GlyphSample]] = {}
    for token, samples in found.items():
        # The filter takes long, so the number is limited before it, with a reserve, and after it.
        inliers, odd = _filter_outliers(token, balance_writers(samples, limit + limit // 5))
        if inliers:
            kept[token] = balance_writers(inliers, limit)
        if odd:
            outliers[token] = odd
        if on_symbol is not None:
            on_symbol()
    _add_composed(kept)
    handwritten = {*kept, *_find_substitutes(kept)}
    for sample in font_glyphs():
        if sample.token not in handwritten:
            # "print" and "cursive" are writers only in a bank without handwriting.
            own = replace(sample, writer="") if handwritten else sample
            kept.setdefault(sample.token, []).append(own)
    _add_composed(kept)
    substitutes = _find_substitutes(kept)
    for other, name in SPELLINGS.items():
        if other not in kept and (name in kept or name in substitutes):
            substitutes[other] = (name,) if name in kept else substitutes[name]
    ordered = (sample for token in sorted(kept) for sample in kept[token])
    return BuildResult(GlyphBank.of(ordered, substitutes, metadata), outliers)


def built_in_bank() -> GlyphBank:
    """A bank of the built-in font alone, which needs no data."""
    return make_bank([]).bank


def balance_writers(drawn: list[GlyphSample], limit: int) -> list[GlyphSample]:
    """At most `limit` drawings, in their order: one of each writer, then a second of each, etc.

    Each drawing of an unknown writer counts as one of another writer.
    """
    if len(drawn) <= limit:
        return drawn
    count: Counter[str] = Counter()
    turns = []
    for sample in drawn:
        turns.append(count[sample.writer])
        count[sample.writer] += bool(sample.writer)
    first = np.argsort(turns, kind="stable")[:limit]
    return [drawn[i] for i in sorted(first.tolist())]


def _add_composed(kept: dict[str, list[GlyphSample]]) -> None:
    composed: defaultdict[str, list[GlyphSample]] = defaultdict(list)
    for sample in compose_symbols(kept):
        if sample.token not in kept:
            composed[sample.token].append(sample)
    for token, samples in composed.items():
        kept[token], _ = _filter_outliers(token, samples)


def _filter_outliers(
    token: str, drawn: list[GlyphSample]
) -> tuple[list[GlyphSample], list[GlyphSample]]:
    """Inliers and outliers."""
    keep = inlier_mask(token, [sample.strokes for sample in drawn]).tolist()
    both: tuple[list[GlyphSample], list[GlyphSample]] = ([], [])
    for sample, inlier in zip(drawn, keep, strict=True):
        both[not inlier].append(sample)
    return both


def _find_substitutes(kept: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Available substitutes of the symbols that have no drawings."""
    found = {
        token: tuple(name for name in names if name in kept)
        for token, names in SUBSTITUTES.items()
        if token not in kept
    }
    return {token: names for token, names in found.items() if names}


def font_glyphs() -> list[GlyphSample]:
    r"""Each token of the built-in font, a fraction bar and a radical.

    Lower-case letters are in print and in cursive; the writer of a sample is `print` or `cursive`.
    """
    found = []
    for token in font_tokens():
        if token in SPELLINGS:
            continue
        for cursive, writer in _WRITERS.items():
            if not cursive or (token.islower() and len(token) == 1):
                found.append(GlyphSample(token, glyph(token, cursive).strokes, FONT_SOURCE, writer))
    bar = np.array([(0.0, AXIS), (1.0, AXIS)], np.float32)
    sign = np.array([(0, -0.4), (0.15, -0.47), (0.35, 0), (0.6, -1.1), (1.6, -1.1)], np.float32)
    for token, stroke in (("\\frac", bar), ("\\sqrt", sign)):
        found.append(GlyphSample(token, (stroke,), FONT_SOURCE, _WRITERS[False]))
    return found
