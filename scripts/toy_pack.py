"""Writes a small pack for a rehearsal of `gpu_quarter.sh`, without raw data and TeX.

    python scripts/toy_pack.py toy.im2tex

Formulas of the built-in grammar take the place of CROHME, and their symbols' boxes that of the
layouts of synthetic handwriting, with the package's own font as glyph bank.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from im2tex.data.packing import write_pack
from im2tex.data.sample import Sample, StoredLayout
from im2tex.data.sources.grammar import GrammarSource
from im2tex.data.sources.handwriting import HandwritingSource
from im2tex.data.store import Split, write_split
from im2tex.ink.glyphs import built_in_bank
from im2tex.ink.ink import Ink
from im2tex.ink.scale import ink_size
from im2tex.render.layout.layout import UNIT, Layout, PlacedSymbol, SymbolKind


def write_toy_pack(path: Path) -> None:
    """Writes a pack with toy stores of `crohme` and `handwriting`."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        grammar = GrammarSource(200, 20, 20)
        grammar.ensure(root)
        splits = {name: grammar.split(root, name) for name in ("train", "validation", "test")}
        names = {"train": "train", "validation": "validation", "test_2014": "test"}
        for name, part in {**names, "test_2013": "test"}.items():
            write_split(root / "crohme" / f"{name}.parquet", splits[part], {"licence": "none"})
        source = HandwritingSource(count=len(splits["train"]) + len(splits["validation"]))
        for name in ("train", "validation"):
            write_split(
                root / "handwriting" / f"{name}.parquet",
                with_layouts(splits[name]),
                {"settings": source.build_settings, "licence": "none"},
            )
        bank = built_in_bank()
        bank.save(root / "glyphs" / "bank.parquet")
        write_pack(path, root, ["crohme", "handwriting"])


def with_layouts(split: Split) -> list[Sample]:
    """Samples with the boxes of their symbols in place of the ink."""
    return [
        Sample(sample.key, sample.latex, sample.tokens, layout=boxes(sample.ink, sample.tokens))
        for sample in split
        if sample.ink is not None
    ]


def boxes(ink: Ink, tokens: tuple[str, ...]) -> StoredLayout:
    """The boxes of an ink's symbols as a layout."""
    size = 0.5 * UNIT
    factor = size / ink_size(ink)
    placed = []
    for symbol in sorted(ink.symbols, key=lambda one: one.position):
        points = np.concatenate([ink.strokes[stroke] for stroke in symbol.strokes]) * factor
        left, top = (int(x) for x in points.min(0).round())
        right, bottom = (int(x) + 1 for x in points.max(0).round())
        kind = SymbolKind.RULE if symbol.token in ("\\frac", "-") else SymbolKind.SYMBOL
        box = (left, top, right, bottom)
        placed.append(PlacedSymbol(symbol.token, symbol.position, kind, 0, "", box, bottom))
    width, height = np.ptp(np.concatenate(ink.strokes), 0) * factor
    layout = Layout.of(tokens, placed)
    return StoredLayout(layout, size, float(width), float(height))


def main() -> None:
    """Parses the command line and writes the pack."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("path", type=Path)
    write_toy_pack(parser.parse_args().path)


if __name__ == "__main__":
    main()
