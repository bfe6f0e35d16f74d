r"""Does every output belong to its line? Many formulas, broken and hostile ones in between.

    python benchmarks/render_check.py FORMULAS.txt …                 # a formula a line
    python benchmarks/render_check.py FORMULAS.txt --count 10000 --singles 1500

Formulas are drawn from the files at random, a share of them is broken as people and models break
them, and all attacks of tests/render stand in between. All are drawn together; then the neighbours
of every attack, every broken one, its neighbours, and --singles others are drawn singly, each by
programs of its own, and must come out the same: the same picture, or the same failure. Ends with 1
if any does not, or if a process or a file is left behind.
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
    """A formula with one thing wrong."""
    tokens = formula.split() or ["x"]
    at = rng.randrange(len(tokens))
    other = rng.randrange(len(tokens))
    way = rng.randrange(8)
    if way == 0:  # a brace lost
        braces = [i for i, token in enumerate(tokens) if token in "{}"] or [at]
        del tokens[rng.choice(braces)]
    elif way == 1:  # cut off
        tokens = tokens[: at + 1]
    elif way == 2:  # two swapped
        tokens[at], tokens[other] = tokens[other], tokens[at]
    else:  # one too many
        extra = ["\\begin{array}", "\\left(", "&", "\\\\", "\\unknowncommand", "}", "\\right.", "^"]
        tokens.insert(at, rng.choice(extra))
    return " ".join(tokens)


def running_in(folder: Path) -> list[str]:
    """The ids of processes that work in a folder, also one that is gone (Linux)."""
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
    """The lines that are not what they are alone."""
    chosen = sorted(which)
    with ThreadPoolExecutor(renderer.workers) as pool:
        singly = pool.map(lambda number: renderer.render_batch([formulas[number]])[0], chosen)
        return [n for n, alone in zip(chosen, singly, strict=True) if alone != together[n]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formulas", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.05, help="of broken ones")
    parser.add_argument("--singles", type=int, default=1500, help="others drawn alone")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    pool = [line for path in options.formulas for line in read_lines(path)]
    formulas = rng.sample(pool, min(options.count, len(pool)))
    wrong = {n for n in range(len(formulas)) if rng.random() < options.share}
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
        print(f"{len(formulas) / seconds:.0f} a second, {seconds:.0f} s", flush=True)
        failures = [item.failure for item in together if item.failure is not None]
        for cause, count in Counter(str(failure.cause) for failure in failures).most_common():
            print(f"  {count:5} not drawn: {cause}")
        disk = sum(path.stat().st_size for path in renderer.folder.rglob("*") if path.is_file())
        print(f"working folder at the end: {disk / 1e6:.1f} MB", flush=True)
        suspects = wrong | set(hostile)
        suspects |= {
            n + step for n in suspects for step in (-1, 1) if 0 <= n + step < len(formulas)
        }
        others = sorted(set(range(len(formulas))) - suspects)
        suspects |= set(rng.sample(others, min(options.singles, len(others))))
        differ = compare(renderer, formulas, together, suspects)
        print(f"{len(suspects)} drawn singly, {len(differ)} differ")
        for number in differ[:20]:
            print(f"  line {number}: {formulas[number][:100]!r} {together[number].failure}")
    finally:
        renderer.close()
    left = len(running_in(renderer.folder)), int(renderer.folder.exists())
    print(f"left behind: {left[0]} processes, {left[1]} folders")
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    for who, name in ((resource.RUSAGE_SELF, "python"), (resource.RUSAGE_CHILDREN, "TeX, dvipng")):
        print(f"peak memory, {name}: {resource.getrusage(who).ru_maxrss / unit:.0f} MB")
    sys.exit(bool(differ) or left != (0, 0))


if __name__ == "__main__":
    main()
