"""Measures loading of a glyph bank and access to its strokes, against JSON lines.

    python benchmarks/glyphs.py                           # generated drawings, no data needed
    python benchmarks/glyphs.py data/glyphs/bank.parquet

Times are processor time of one core, the best of three. Memory is what stays allocated after
loading, by tracemalloc (without Arrow's own buffers, which are freed again).
"""

from __future__ import annotations

import argparse
import gc
import json
import lzma
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from im2tex.ink.glyphs import GlyphBank, GlyphSample
from im2tex.ink.glyphs.making import font_glyphs

TAKEN = 20_000


def made_up(samples: int) -> GlyphBank:
    """Returns a bank of the built-in font with random distortion."""
    rng = np.random.default_rng(0)
    font = font_glyphs()
    drawn = []
    for _ in range(samples):
        glyph = font[int(rng.integers(len(font)))]
        strokes = (
            np.stack([np.interp(np.linspace(0, len(s) - 1, 30), range(len(s)), s[:, i])
                      for i in (0, 1)], 1) + rng.normal(0, 0.01, (30, 2))
            for s in glyph.strokes
        )  # fmt: skip
        drawn.append(
            GlyphSample(glyph.token, tuple(s.astype(np.float32) for s in strokes), "built-in")
        )
    return GlyphBank.of(drawn)


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    best = float("inf")
    result = None
    for _ in range(3):
        gc.collect()
        start = time.process_time()
        result = action()
        best = min(best, time.process_time() - start)
    return best, result


def held(action: Callable[[], Any]) -> float:
    """Returns the memory that stays allocated after an action, MB."""
    gc.collect()
    tracemalloc.start()
    kept = action()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return size / 1e6


def as_json(bank: GlyphBank, path: Path) -> None:
    """Writes each glyph as a line, with coordinates on the bank's grid, as in Detexify's files."""
    with lzma.open(path, "wt") as file:
        for token in bank.tokens:
            if token not in bank.substitutes:
                for i in range(bank.count(token)):
                    strokes = [
                        np.rint(s * 1000).astype(int).tolist() for s in bank.strokes(token, i)
                    ]
                    file.write(json.dumps({"token": token, "strokes": strokes}) + "\n")


def from_json(path: Path) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {}
    with lzma.open(path, "rt") as file:
        for line in file:
            row = json.loads(line)
            strokes = [np.array(s, np.float32) / 1000 for s in row["strokes"]]
            found.setdefault(row["token"], []).append(strokes)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bank", nargs="?", type=Path, help="a bank (default: a generated one)")
    parser.add_argument("--samples", type=int, default=20_000, help="glyphs of the generated bank")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.bank
        if path is None:
            path = Path(folder) / "bank.parquet"
            made_up(given.samples).save(path)
        loading, bank = timed(lambda: GlyphBank.load(path))
        lines = Path(folder) / "bank.jsonl.xz"
        as_json(bank, lines)
        parsing, _ = timed(lambda: from_json(lines))
        rng = np.random.default_rng(0)
        tokens = [bank.tokens[i] for i in rng.integers(0, len(bank.tokens), TAKEN)]
        places = [(token, int(rng.integers(bank.count(token)))) for token in tokens]
        taking, strokes = timed(lambda: sum(len(bank.strokes(*place)) for place in places))
        print(f"{len(bank):,} glyphs, {path.stat().st_size / 1e6:.1f} MB; "
              f"as JSON lines with xz {lines.stat().st_size / 1e6:.1f} MB")  # fmt: skip
        print(f"loading: {loading:.3f} s; JSON lines {parsing:.2f} s, {parsing / loading:.0f} x")
        print(f"access:  {TAKEN / taking:,.0f} glyphs per second, {strokes / taking:,.0f} strokes")
        ours, theirs = held(lambda: GlyphBank.load(path)), held(lambda: from_json(lines))
        print(
            f"memory:  {ours:.1f} MB held; lists of arrays {theirs:.1f} MB, {theirs / ours:.0f} x"
        )


if __name__ == "__main__":
    main()
