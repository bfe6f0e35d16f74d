"""The report of `im2tex data glyphs` on a bank: contents, coverage, sheets of samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from im2tex.ink.glyphs import crohme, detexify, making, substitutes
from im2tex.ink.glyphs.bank import GlyphBank
from im2tex.ink.glyphs.coverage import glyph_kind
from im2tex.ink.glyphs.making import BuildResult
from im2tex.ink.glyphs.sheet import SheetRow, draw_sheet, spread_indices
from im2tex.utils.png import save_png
from im2tex.utils.wording import counted

LICENCES = {
    crohme.SOURCE: crohme.LICENCE,
    detexify.SOURCE: detexify.LICENCE,
    substitutes.SOURCE: "composed of drawings of other symbols; their licences",
    making.FONT_SOURCE: "A. V. Hershey's fonts and strokes of our own; free for any use",
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
        f"{out}: {counted(len(bank), 'glyph')} of {counted(len(own), 'symbol')} by "
        f"{counted(len(bank.writers), 'known writer')}; {size:.2f} MB, made in {seconds:.0f} s"
    )
    counts = sum((Counter(bank.sources(token)) for token in own), Counter[str]())
    for source, licence in LICENCES.items():
        if counts[source]:
            print(f"  {counts[source]:>7,} {source:9} {licence}")
    outliers = sum(map(len, result.outliers.values()))
    for reason, count in [("outliers of their symbol", outliers), *skipped.most_common()]:
        if count:
            print(f"  {count:>7,} skipped   {reason}")


def print_summary(store: str, bank: GlyphBank, uses: Counter[str]) -> None:
    """Prints how many symbols of a store have glyphs of which kind."""
    kinds = {token: glyph_kind(bank, token) for token in uses}
    missing = sum(uses[token] for token, kind in kinds.items() if kind == "none")
    parts = ", ".join(f"{count} {kind}" for kind, count in Counter(kinds.values()).most_common())
    print(
        f"{store}: {counted(len(uses), 'symbol')}: {parts}; "
        f"{1 - missing / max(uses.total(), 1):.3%} of {uses.total():,} occurrences in its training "
        "formulas have glyphs"
    )


def print_table(bank: GlyphBank, tokens: Iterable[str], uses: Counter[str]) -> None:
    """Prints a row for each symbol: its uses, the number of its glyphs and their sources."""
    print(f"  {'symbol':20} {'uses':>9} {'glyphs':>7}  sources")
    for token in tokens:
        counts = bank.sources(token) if token in bank else {}
        sources = ", ".join(f"{source} {n:,}" for source, n in sorted(counts.items()))
        if token in bank.substitutes:
            sources = f"{' '.join(bank.substitutes[token])} ({sources})"
        print(f"  {token:20} {uses[token]:9,} {bank.count(token):7,}  {sources or 'none'}")


def glyph_rows(bank: GlyphBank, tokens: Iterable[str]) -> Iterator[SheetRow]:
    """A row of samples for each symbol."""
    for token in tokens:
        count = bank.count(token)
        others = " ".join(bank.substitutes.get(token, ()))
        text = f"{token}\n{count} {glyph_kind(bank, token)} {others}"
        yield text, [bank.strokes(token, i) for i in spread_indices(count)]


def outlier_rows(result: BuildResult) -> Iterator[SheetRow]:
    """A row of outliers for each symbol that has some."""
    for token, samples in sorted(result.outliers.items()):
        yield f"{token}\n{counted(len(samples), 'outlier')}", [sample.strokes for sample in samples]


def save_sheet(path: Path, rows: Iterable[SheetRow]) -> None:
    """Draws rows of samples to a PNG file, and prints its path."""
    listed = list(rows)
    if not listed:
        print(f"{path}: not written, there is nothing to draw")
        return
    save_png(path, draw_sheet(listed))
    print(path)
