"""Checks that every rendering belongs to its formula, among many broken and hostile formulas.

    python benchmarks/render_check.py FORMULAS.txt …                 # one formula per line
    python benchmarks/render_check.py FORMULAS.txt --count 10000 --singles 1500

Formulas are sampled from the files, a fraction of them is broken in ways that people and models
break them, and all attacks of tests/render are inserted. All are rendered together. Then every
attack and broken formula, their neighbours, and --singles other formulas are rendered singly, with
separate programs for each, and must give the same result: the same image, or the same failure. The
exit status is 1 if any differs, or if a process or a file is left over.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from im2tex.render import Rendering
from im2tex.render.tex.renderer import TexRenderer
from im2tex.utils.text_files import read_lines

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "render"))
from render_samples import ATTACKS


def broken(formula: str, rng: random.Random) -> str:
    """Returns a formula with one defect."""
    tokens = formula.split() or ["x"]
    at = rng.randrange(len(tokens))
    other = rng.randrange(len(tokens))
    way = rng.randrange(8)
    if way == 0:  # without a brace
        braces = [i for i, token in enumerate(tokens) if token in "{}"] or [at]
        del tokens[rng.choice(braces)]
    elif way == 1:  # cut off
        tokens = tokens[: at + 1]
    elif way == 2:  # two tokens swapped
        tokens[at], tokens[other] = tokens[other], tokens[at]
    else:  # an additional token
        extra = ["\\begin{array}", "\\left(", "&", "\\\\", "\\unknowncommand", "}", "\\right.", "^"]
        tokens.insert(at, rng.choice(extra))
    return " ".join(tokens)


def running_in(folder: Path) -> list[str]:
    """Returns the ids of processes that run in a folder, even a deleted one (Linux)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = os.readlink(process / "cwd")
        except OSError:
            continue
        if where.startswith(str(folder)):
            found.append(process.name)
    return found


def compare(
    renderer: TexRenderer, formulas: list[str], together: list[Rendering], which: Iterable[int]
) -> list[int]:
    """Returns the indices of formulas whose single rendering differs."""
    chosen = sorted(which)
    with ThreadPoolExecutor(renderer.workers) as pool:
        singly = pool.map(lambda number: renderer.render_batch([formulas[number]])[0], chosen)
        return [n for n, alone in zip(chosen, singly, strict=True) if alone != together[n]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formulas", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--broken", type=float, default=0.05, help="fraction of broken formulas")
    parser.add_argument("--singles", type=int, default=1500, help="number of other formulas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    pool = [line for path in options.formulas for line in read_lines(path)]
    formulas = rng.sample(pool, min(options.count, len(pool)))
    wrong = {n for n in range(len(formulas)) if rng.random() < options.broken}
    formulas = [broken(f, rng) if n in wrong else f for n, f in enumerate(formulas)]
    hostile = dict(
        zip(rng.sample(range(len(formulas)), len(ATTACKS)), ATTACKS.values(), strict=True)
    )
    for number, attack in hostile.items():
        formulas[number] = attack
    renderer = TexRenderer(workers=options.workers)
    print(f"{renderer.signature}\nload: {os.getloadavg()[0]:.1f}", flush=True)
    try:
        started = time.perf_counter()
        together = list(renderer.render(formulas))
        seconds = time.perf_counter() - started
        print(f"{len(formulas)} formulas, {len(wrong)} broken, {len(hostile)} hostile")
        print(f"{len(formulas) / seconds:.0f} per second, {seconds:.0f} s", flush=True)
        failures = [item.failure for item in together if item.failure is not None]
        for cause, count in Counter(str(failure.cause) for failure in failures).most_common():
            print(f"  {count:5} failed: {cause}")
        disk = sum(path.stat().st_size for path in renderer.folder.rglob("*") if path.is_file())
        print(f"working folder at the end: {disk / 1e6:.1f} MB", flush=True)
        suspects = wrong | set(hostile)
        suspects |= {
            n + step for n in suspects for step in (-1, 1) if 0 <= n + step < len(formulas)
        }
        others = sorted(set(range(len(formulas))) - suspects)
        suspects |= set(rng.sample(others, min(options.singles, len(others))))
        differ = compare(renderer, formulas, together, suspects)
        print(f"{len(suspects)} rendered singly, {len(differ)} differ")
        for number in differ[:20]:
            print(f"  line {number}: {formulas[number][:100]!r} {together[number].failure}")
    finally:
        renderer.close()
    left = len(running_in(renderer.folder)), int(renderer.folder.exists())
    print(f"left over: {left[0]} processes, {left[1]} folders")
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    for who, name in ((resource.RUSAGE_SELF, "python"), (resource.RUSAGE_CHILDREN, "TeX, dvipng")):
        print(f"peak memory, {name}: {resource.getrusage(who).ru_maxrss / unit:.0f} MB")
    sys.exit(bool(differ) or left != (0, 0))


if __name__ == "__main__":
    main()
