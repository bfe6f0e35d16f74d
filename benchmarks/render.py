"""Measures rendering in formulas per second, with and without broken formulas in the batches.

    python benchmarks/render.py                  # generated formulas, no data needed
    python benchmarks/render.py FORMULAS.txt     # one formula per line, the first --count

The baseline is one `latex` and one `dvipng` per formula on as many cores, for a sample of them.
Nothing is cached. Memory is that of the largest process: this one, and the largest of TeX's.
--check also renders each formula alone, and compares the images.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from im2tex.render import Rendering
from im2tex.render.tex.renderer import TexRenderer
from im2tex.utils.text_files import read_lines

PAGE = r"""\documentclass[12pt]{article}
\pagestyle{empty}
\usepackage{amsmath,amssymb}
\begin{document}
\begin{displaymath}
%s
\end{displaymath}
\end{document}
"""


def made_up(count: int) -> list[str]:
    rng = random.Random(0)
    parts = [r"\alpha", r"\beta _ { i }", "x ^ { 2 }", r"\frac { a } { b }", r"\sqrt { y }", "+"]
    parts += [r"\sum _ { i = 1 } ^ { n }", r"\left( \partial _ { \mu } \right)", r"\int d x", "="]
    parts += [r"\mathcal { L }", r"\mathrm { t r }", r"\hat { H }", r"\psi ^ { \dagger }", "-", "2"]
    return [" ".join(rng.choices(parts, k=rng.randint(5, 30))) for _ in range(count)]


def corrupted(formulas: Sequence[str], fraction: float) -> list[str]:
    r"""Breaks a fraction of the formulas, in ways that models do or that the sanitiser misses."""
    rng = random.Random(1)
    ways = ("%s {", r"\foo %s", r"%s \input { x }", "%s ^ 2 ^ 2", r"\frac { %s }", "%s & x")
    return [rng.choice(ways) % f if rng.random() < fraction else f for f in formulas]


def one_by_one(formulas: Sequence[str], workers: int) -> float:
    """Returns the formulas per second with separate processes for each."""

    def draw(formula: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "f.tex").write_text(PAGE % formula, encoding="utf-8")
            for command in (
                ["latex", "-interaction=batchmode", "-no-shell-escape", "f.tex"],
                ["dvipng", "-q", "-D200", "-Ttight", "-of.png", "f.dvi"],
            ):
                subprocess.run(command, cwd=folder, capture_output=True, check=False)

    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(draw, formulas))
    return len(formulas) / (time.perf_counter() - started)


def measure(renderer: TexRenderer, formulas: Sequence[str]) -> tuple[float, list[Rendering]]:
    started = time.perf_counter()
    found = list(renderer.render(formulas))
    return len(formulas) / (time.perf_counter() - started), found


def check(renderer: TexRenderer, formulas: Sequence[str], together: Sequence[Rendering]) -> int:
    """Returns the number of renderings that differ from single renderings."""
    with ThreadPoolExecutor(renderer.workers) as pool:
        singly = list(pool.map(lambda formula: renderer.render_batch([formula])[0], formulas))
    differ = [f for f, a, b in zip(formulas, singly, together, strict=True) if a != b]
    for formula in differ[:10]:
        print("  differs:", formula[:120])
    return len(differ)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formulas", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--single", type=int, default=20, help="formulas rendered one by one")
    parser.add_argument("--check", action="store_true", help="compare with single renderings")
    options = parser.parse_args()
    lines = read_lines(options.formulas) if options.formulas else made_up(options.count)
    lines = lines[: options.count]
    started = time.perf_counter()
    renderer = TexRenderer(workers=options.workers)
    print(f"{renderer.signature}\nstart: {time.perf_counter() - started:.2f} s")
    try:
        for name, formulas in (("clean", lines), ("10 % broken", corrupted(lines, 0.1))):
            rate, found = measure(renderer, formulas)
            failed = sum(item.failure is not None for item in found)
            print(f"{name:12} {rate:7.0f} per second   {len(found)} formulas, {failed} failed")
            if options.check:
                print(f"{'':12} {check(renderer, formulas, found)} differ from single renderings")
    finally:
        renderer.close()
    obvious = one_by_one(lines[: options.single], options.workers)
    print(f"{'one by one':12} {obvious:7.1f} per second   {options.single} formulas")
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    for who, name in ((resource.RUSAGE_SELF, "python"), (resource.RUSAGE_CHILDREN, "TeX, dvipng")):
        print(f"peak memory, {name}: {resource.getrusage(who).ru_maxrss / unit:.0f} MB")


if __name__ == "__main__":
    main()
