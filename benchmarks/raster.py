"""Counts strokes rasterised per second, against other rasterisers, and other steps of a sample.

    python benchmarks/raster.py                          # the built-in handwriting, no data needed
    python benchmarks/raster.py data/crohme/train.parquet

Processor time of one core. Ink is drawn with 24 pixels per symbol, as in training. Peak memory is
the largest allocation of a method beyond the ink (that of Pillow's canvases is computed, because
Python's tools do not see it).
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from im2tex.data.preparation.random_grammar import RandomGrammar
from im2tex.data.sample import Sample
from im2tex.data.sources.grammar import synthesize_ink
from im2tex.data.store import Split
from im2tex.ink import rasterize
from im2tex.ink.augment import Augmentation
from im2tex.ink.ink import Ink
from im2tex.ink.recombination.recombine import SwapBank, crop_candidates, swap
from im2tex.ink.scale import ink_size, symbol_size

PIXELS, PEN, PADDING = 24.0, 2.4, 4
Draw = Callable[[Ink, float], NDArray[np.uint8]]


def ours(ink: Ink, scale: float) -> NDArray[np.uint8]:
    return rasterize.draw(Ink(ink.strokes), scale, PEN, PADDING)  # nothing kept of earlier calls


def supersampled(ink: Ink, scale: float, times: int = 4) -> NDArray[np.uint8]:
    """Draws Pillow's thick lines with round joints at 4x, reduced with LANCZOS."""
    height, width = rasterize.raster_size(ink, scale, PEN, PADDING)
    canvas = Image.new("L", (width * times, height * times))
    pencil = ImageDraw.Draw(canvas)
    pen = round(PEN * times)
    corner = np.concatenate(ink.strokes).min(axis=0)
    for stroke in ink.strokes:
        moved = (stroke - corner) * (scale * times) + (PADDING * times + pen / 2)
        points = [(x, y) for x, y in moved.tolist()]
        if len(points) > 1:
            pencil.line(points, fill=255, width=pen, joint="curve")
        for x, y in (points[0], points[-1]):
            pencil.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    return np.asarray(canvas.resize((width, height), Image.Resampling.LANCZOS))


def agg() -> Draw | None:
    """Returns Matplotlib's Agg renderer, with one line collection per image; None if missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.collections import LineCollection  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return None

    def draw(ink: Ink, scale: float) -> NDArray[np.uint8]:
        height, width = rasterize.raster_size(ink, scale, PEN, PADDING)
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        canvas: Any = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        corner = np.concatenate(ink.strokes).min(axis=0)
        lines = [(s - corner) * scale + (PADDING + PEN / 2) for s in ink.strokes]
        axes.add_collection(
            LineCollection(lines, linewidths=PEN, colors="k", capstyle="round", joinstyle="round")
        )
        canvas.draw()
        return 255 - np.asarray(canvas.buffer_rgba())[:, :, 0]

    return draw


def rate(work: Callable[[int], object], count: int, seconds: float) -> float:
    """Returns the calls per second of processor time, the best of three passes."""
    best = 0.0
    for _ in range(3):
        done, start = 0, time.process_time()
        while time.process_time() - start < seconds / 3:
            work(done % count)
            done += 1
        best = max(best, done / (time.process_time() - start))
    return best


def peak(work: Callable[[int], object], count: int) -> float:
    """Returns the peak of Python's and NumPy's memory during one call, MB."""
    tracemalloc.start()
    for i in range(min(count, 50)):
        work(i)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def inks(store: Path | None, count: int) -> tuple[list[Ink], list[tuple[str, ...]]]:
    if store is not None:
        split = Split(store)
        chosen = [split[i] for i in np.linspace(0, len(split) - 1, count).astype(int)]
        return [s.ink for s in chosen if s.ink is not None], [s.tokens for s in chosen]
    rng = np.random.default_rng(0)
    grammar = RandomGrammar(
        "0 1 2 3 4 a b c x y z + - = ( ) \\frac \\sqrt ^ _ \\sum \\sin", 2, 8, 30
    )
    labels: list[tuple[str, ...]] = []
    while len(labels) < count:
        tokens = grammar.formula(rng)
        if tokens is not None:
            labels.append(tokens)
    return [synthesize_ink(tokens, rng) for tokens in labels], labels


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("store", type=Path, nargs="?", help="a split with ink")
    parser.add_argument("--count", type=int, default=400, help="inks used")
    parser.add_argument("--seconds", type=float, default=3.0, help="time a line")
    args = parser.parse_args()
    drawn, labels = inks(args.store, args.count)
    scales = [PIXELS / ink_size(ink) for ink in drawn]
    sizes = np.array(
        [rasterize.raster_size(i, s, PEN, PADDING) for i, s in zip(drawn, scales, strict=True)]
    )
    height, width = sizes.mean(axis=0)
    print(f"{len(drawn)} inks of {args.store or 'the built-in handwriting'}")
    print(f"{height:.0f} x {width:.0f} pixels on average, pen {PEN} pixels\n")
    pixels = float(sizes.prod(axis=1).max()) / 1e6
    methods: list[tuple[str, Draw | None, float]] = [
        ("draw (ours)", ours, 0.0),
        ("Pillow, 4x, LANCZOS", supersampled, 16 * pixels),
        ("matplotlib Agg", agg(), 4 * pixels),
    ]
    print(f"{'drawing':<24}{'per second':>12}{'ours is':>10}{'peak MB':>9}")
    first = None
    for name, draw, canvas in methods:
        if draw is None:
            print(f"{name:<24}{'not installed':>13}")
            continue

        def work(i: int, draw: Draw = draw) -> object:
            return draw(drawn[i], scales[i])

        speed = rate(work, len(drawn), args.seconds)
        first = first or speed
        memory = peak(work, len(drawn)) + canvas
        print(f"{name:<24}{speed:>10,.0f}{first / speed:>9.1f}x{memory:>9.1f}")
    images = [ours(ink, scale) for ink, scale in zip(drawn, scales, strict=True)]
    bank = SwapBank.from_samples(
        [
            Sample(str(index), "", tokens, ink=ink)
            for index, (ink, tokens) in enumerate(zip(drawn, labels, strict=True))
        ]
    )
    augmentation = Augmentation()
    print(f"\n{'other steps':<24}{'per second':>12}")
    steps: list[tuple[str, Callable[[int], object]]] = [
        ("ink_size", lambda i: ink_size(Ink(drawn[i].strokes))),
        ("symbol_size", lambda i: symbol_size(images[i])),
        ("augmentation", lambda i: augmentation.apply(drawn[i], np.random.default_rng(i))),
        ("swap", lambda i: swap(drawn[i], labels[i], bank, np.random.default_rng(i))),
        ("crop_candidates", lambda i: crop_candidates(drawn[i], labels[i])),
    ]
    for name, step in steps:
        print(f"{name:<24}{rate(step, len(drawn), args.seconds):>10,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
