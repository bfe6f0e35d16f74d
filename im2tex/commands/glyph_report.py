"""What `im2tex data glyphs` reports of a bank: contents, coverage, sheets of samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from im2tex.ink.glyphs import crohme, detexify, font, substitutes
from im2tex.ink.glyphs.bank import GlyphBank
from im2tex.ink.glyphs.coverage import SymbolCoverage
from im2tex.ink.glyphs.making import BuildResult
from im2tex.ink.glyphs.sheet import Row, draw_sheet, spread_indices
from im2tex.utils.png import save_png

_KINDS = {
    "own": "with drawings of their own",
    "substitute": "by drawings of a symbol of the same shape",
    "composed": "composed of other symbols",
    "built-in": "in the built-in font",
    "none": "without glyphs",
}
LICENCES = {
    crohme.SOURCE: crohme.LICENCE,
    detexify.SOURCE: detexify.LICENCE,
    substitutes.SOURCE: "composed of drawings of other symbols; their licences",
    font.SOURCE: "A. V. Hershey's fonts and strokes of our own; free for any use",
}
"""The licence of each source of glyphs, by its name."""


def print_contents(result: BuildResult, skipped: Counter[str], out: Path, seconds: float) -> None:
    """Prints how many glyphs a bank has of which source, and what was skipped.

    Args:
        result: the bank and the outliers.
        skipped: samples that could not be used, by reason.
        out: file of the bank.
        seconds: that building it took.
    """
    bank = result.bank
    own = [token for token in bank.tokens if token not in bank.substitutes]
    size = out.stat().st_size / 1e6
    print(
        f"{out}: {len(bank):,} glyphs of {len(own):,} symbols by {len(bank.writers):,} known "
        f"writers; {size:.2f} MB, made in {seconds:.0f} s"
    )
    counts = sum((Counter(bank.sources(token)) for token in own), Counter[str]())
    for source, licence in LICENCES.items():
        if counts[source]:
            print(f"  {counts[source]:>7,} {source:9} {licence}")
    outliers = sum(map(len, result.outliers.values()))
    for reason, count in [("outliers of their symbol", outliers), *skipped.most_common()]:
        if count:
            print(f"  {count:>7,} skipped   {reason}")


def print_summary(store: str, covers: list[SymbolCoverage]) -> None:
    """Prints how many symbols of a store have glyphs of which kind."""
    kinds = Counter(cover.kind for cover in covers)
    uses = sum(cover.uses for cover in covers)
    missing = sum(cover.uses for cover in covers if cover.kind == "none")
    parts = ", ".join(f"{count} {_KINDS[kind]}" for kind, count in kinds.most_common())
    print(
        f"{store}: {len(covers)} symbols: {parts}; {1 - missing / max(uses, 1):.3%} of {uses:,} "
        "occurrences in its training formulas have glyphs"
    )


def print_table(covers: Iterable[SymbolCoverage]) -> None:
    """Prints a row for each symbol: its uses, the number of its glyphs and their sources."""
    print(f"  {'symbol':20} {'uses':>9} {'glyphs':>7}  sources")
    for cover in covers:
        sources = ", ".join(f"{source} {n:,}" for source, n in sorted(cover.sources.items()))
        if cover.substitutes:
            sources = f"{' '.join(cover.substitutes)} ({sources})"
        print(f"  {cover.token:20} {cover.uses:9,} {cover.samples:7,}  {sources or 'none'}")


def glyph_rows(bank: GlyphBank, covers: Iterable[SymbolCoverage]) -> Iterator[Row]:
    """A row of samples for each symbol."""
    for cover in covers:
        text = f"{cover.token}\n{cover.samples} {cover.kind} {' '.join(cover.substitutes)}"
        yield text, [bank.strokes(cover.token, i) for i in spread_indices(cover.samples)]


def outlier_rows(result: BuildResult) -> Iterator[Row]:
    """A row of outliers for each symbol that has some."""
    for token, samples in sorted(result.outliers.items()):
        yield f"{token}\n{len(samples)} outliers", [sample.strokes for sample in samples]


def save_sheet(path: Path, rows: Iterable[Row]) -> None:
    """Draws rows of samples to a PNG file, and prints its path."""
    listed = list(rows)
    if not listed:
        print(f"{path}: not written, there is nothing to draw")
        return
    save_png(path, draw_sheet(listed))
    print(path)
