"""Measures layouts of formulas: number per second and bytes of each.

    python benchmarks/layout.py                  # generated formulas, no data needed
    python benchmarks/layout.py FORMULAS.txt     # one formula per line, the first --count

The baseline is one TeX run per formula on as many cores, for a sample of them. Processor time is
that of this process and of TeX; unlike the rate, it does not depend on the load of the machine.
--sheet writes images of the first layouts over the rendered formulas into a folder.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from layout_draw import draw_layout

from im2tex.render import Failure, open_renderer
from im2tex.render.layout.layout import Layout
from im2tex.render.layout.layouter import TexLayouter
from im2tex.utils.text_files import read_lines


def made_up(count: int) -> list[str]:
    rng = random.Random(0)
    parts = [r"\alpha", r"\beta _ { i }", "x ^ { 2 }", r"\frac { a } { b }", r"\sqrt { y }", "+"]
    parts += [r"\sum _ { i = 1 } ^ { n }", r"\left( \partial _ { \mu } \right)", r"\int d x", "="]
    parts += [r"\mathcal { L }", r"\mathrm { t r }", r"\hat { H }", r"\psi ^ { \dagger }", "-", "2"]
    return [" ".join(rng.choices(parts, k=rng.randint(5, 30))) for _ in range(count)]


def processor() -> float:
    """Returns the processor time of this process and its finished children, seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def one_by_one(layouter: TexLayouter, formulas: Sequence[str], workers: int) -> float:
    """Returns the formulas per second with one TeX run for each."""
    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda formula: layouter.process_batch([formula]), formulas))
    return len(formulas) / (time.perf_counter() - started)


def sheet(folder: Path, formulas: Sequence[str], found: Sequence[Layout | Failure]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with open_renderer("tex", dpi=200) as renderer:
        for number, (layout, drawn) in enumerate(
            zip(found, renderer.render(formulas), strict=True)
        ):
            if isinstance(layout, Layout):
                draw_layout(layout, drawn.pixels, 200).save(folder / f"{number:04d}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formulas", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--single", type=int, default=20, help="formulas laid out one by one")
    parser.add_argument("--sheet", type=Path, help="folder for images of the first 60")
    options = parser.parse_args()
    lines = read_lines(options.formulas) if options.formulas else made_up(options.count)
    lines = lines[: options.count]
    started = time.perf_counter()
    with TexLayouter(workers=options.workers) as layouter:
        print(f"start: {time.perf_counter() - started:.2f} s")
        before, started = processor(), time.perf_counter()
        found = list(layouter.layout(lines))
        seconds, used = time.perf_counter() - started, processor() - before
        print(
            f"{'TeX':12} {len(lines) / seconds:7.0f} per second   "
            f"{1000 * used / len(lines):.2f} ms of processor time each"
        )
        obvious = one_by_one(layouter, lines[: options.single], options.workers)
        print(f"{'one by one':12} {obvious:7.1f} per second")
    layouts = [layout for layout in found if isinstance(layout, Layout)]
    causes = Counter(f"{item.cause}: {item.reason}" for item in found if isinstance(item, Failure))
    print(f"{len(layouts):,} of {len(found):,} laid out")
    for reason, times in causes.most_common(20):
        print(f"  {times:,} {reason}")
    if layouts:
        pieces = statistics.mean(len(layout.placed) for layout in layouts)
        bytes_ = statistics.mean(len(layout.to_bytes()) for layout in layouts)
        print(f"{pieces:.1f} pieces and {bytes_:.0f} bytes each, before compression")
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    for who, name in ((resource.RUSAGE_SELF, "python"), (resource.RUSAGE_CHILDREN, "TeX")):
        print(f"peak memory, {name}: {resource.getrusage(who).ru_maxrss / unit:.0f} MB")
    if options.sheet:
        sheet(options.sheet, lines[:60], found[:60])


if __name__ == "__main__":
    main()
