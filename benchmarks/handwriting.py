r"""Measures synthetic handwriting at load time against stored strokes, in formulas per second.

    python benchmarks/handwriting.py                      # generated formulas; needs TeX
    python benchmarks/handwriting.py --store data/handwriting/train.parquet \
        --bank data/glyphs/bank.parquet

The alternative composes every formula once and stores its strokes: an epoch then only loads them,
but every epoch has the same strokes, and the file is larger. Rates are in processor time of one
core; memory is the peak of `tracemalloc` while formulas are composed and drawn, without the bank.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from im2tex.data.preprocessing import Preprocessing
from im2tex.data.sample import Sample
from im2tex.data.store import Split, write_split
from im2tex.ink.glyphs import GlyphBank, built_in_bank
from im2tex.ink.handwriting import NATURAL, PAPER, Composer, HandwritingStyle, WriterStyles
from im2tex.ink.ink import Ink
from im2tex.render.layout.layout import Layout
from im2tex.render.layout.layouter import TexLayouter

LINES = [
    r"a + \frac { x } { 2 }",
    r"\sqrt { b } = y ^ { 2 }",
    r"\sum _ { i = 1 } ^ { n } x _ { i }",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--store", type=Path, help="a split of the source `handwriting`")
    parser.add_argument("--bank", type=Path, help="a glyph bank")
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    bank = GlyphBank.load(options.bank) if options.bank else built_in_bank()
    samples, size = read(options.store, options.count) if options.store else ([], 0.0)
    layouts = [sample.layout.layout for sample in samples if sample.layout] or made_up(
        options.count
    )
    symbols = sum(map(len, layouts)) / len(layouts)
    print(f"{len(layouts)} formulas of {symbols:.1f} symbols, {len(bank):,} glyphs")
    encoded = [(layout.to_bytes(), layout.tokens) for layout in layouts]
    _, rate = timed(lambda pair, _: Layout.from_bytes(*pair), encoded)
    print(f"decoded              {rate:9,.0f} formulas/s")
    draws = np.random.default_rng(0).random((len(layouts), HandwritingStyle.WRITER_DRAWS))
    inks: list[Ink] = []
    for name, style in (("paper", PAPER), ("natural", NATURAL)):
        for purpose, writers in (("test", None), ("train", style.writers(draws))):
            compose = partial(composed, Composer(bank, style), writers)
            inks, rate = timed(compose, layouts)
            print(f"composed, {name:7} {purpose:5} {rate:6,.0f} formulas/s")
    preprocessing = Preprocessing(symbol_size=16, stroke_width=0.12)
    _, rate = timed(lambda ink, _: preprocessing.rasterize(ink), inks)
    print(f"drawn                {rate:9,.0f} formulas/s, 16 pixels per symbol")

    def both(layout: Layout, number: int) -> None:
        preprocessing.rasterize(compose(layout, number))

    _, ours = timed(both, layouts)
    print(f"composed and drawn   {ours:9,.0f} formulas/s")
    tracemalloc.start()
    for number, layout in enumerate(layouts[:200]):
        both(layout, number)
    print(f"memory               {tracemalloc.get_traced_memory()[1] / 1e6:9.1f} MB at most")
    tracemalloc.stop()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        write_split(path, kept(inks, layouts), {})
        stored = Split(path)
        _, plain = timed(
            lambda index, _: preprocessing.rasterize(stored[index].ink), range(len(inks))
        )
        bytes_each = path.stat().st_size / len(inks)
    print(f"stored strokes, drawn {plain:7,.0f} formulas/s, {bytes_each:,.0f} bytes each")
    print(f"composing takes {plain / ours:.2f}x the time of stored strokes", end="")
    print(f" and {size / bytes_each:.2f}x the bytes ({size:,.0f} each)" if size else "")


def composed(composer: Composer, writers: WriterStyles | None, layout: Layout, number: int) -> Ink:
    """The ink of a layout, by a given writer as in training, or by a drawn one."""
    writer = None if writers is None else writers.writer(number)
    return composer.compose(layout, np.random.default_rng(number), writer)


def read(path: Path, count: int) -> tuple[list[Sample], float]:
    """Returns samples of a split, and the bytes of one sample."""
    split = Split(path)
    numbers = np.random.default_rng(0).permutation(len(split))[:count]
    return [split[int(k)] for k in numbers], path.stat().st_size / len(split)


def made_up(count: int) -> list[Layout]:
    """Returns layouts of a few formulas."""
    with TexLayouter() as layouter:
        layouts = [found for found in layouter.layout(LINES) if isinstance(found, Layout)]
    return [layouts[k % len(layouts)] for k in range(count)]


def kept(inks: Sequence[Ink], layouts: Sequence[Layout]) -> Iterable[Sample]:
    for number, (ink, layout) in enumerate(zip(inks, layouts, strict=True)):
        yield Sample(str(number), "", layout.tokens, ink=ink)


def timed(action: Callable[[Any, int], Any], over: Sequence[Any]) -> tuple[list[Any], float]:
    """Returns the results of an action, and its number of items per second of processor time."""
    begun = time.process_time()
    results = [action(item, number) for number, item in enumerate(over)]
    return results, len(over) / (time.process_time() - begun)


if __name__ == "__main__":
    main()
