"""Measures formulas normalised per second on one core, and agreement with the authors' script.

    python benchmarks/normalize.py [--data FOLDER] [--every N] [--show N]

FOLDER (default: the environment's IM2TEX_DATA) contains arxiv/formulas.tsv.xz and
im2latex100k/{sample_1200_raw,formulas_val_test}.tsv.xz: formulas as written, and as normalised by
the authors' script. Pairs in which that script changed the meaning of a formula are counted by
defect and excluded (`im2markup_defects.py`). Papers with odd numbers were held out while
the rules were written.
"""

from __future__ import annotations

import argparse
import contextlib
import lzma
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from im2markup_defects import DEFECTS, defects

from im2tex.latex.normalize import NormalizationForm, normalize_or_none
from im2tex.latex.tokens import LatexError, tokenize

Pair = tuple[str, str]


def rows(path: Path, columns: int) -> Iterator[list[str]]:
    with lzma.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        next(lines)
        for line in lines:
            yield line.rstrip("\n").split("\t", columns - 1)


def arxiv(folder: Path, every: int) -> dict[str, list[Pair]]:
    halves: dict[str, list[Pair]] = {"arXiv, even papers": [], "arXiv, odd papers (held out)": []}
    for number, row in enumerate(rows(folder / "arxiv" / "formulas.tsv.xz", 4)):
        if number % every == 0:
            halves[list(halves)[int(row[0]) % 2]].append((row[3], row[2]))
    return halves


def im2latex(folder: Path) -> dict[str, list[Pair]]:
    """Returns the formulas of the authors' sample in validation or test, in both copies."""
    known = {
        (row[0], row[1]): (row[3], row[4])
        for row in rows(folder / "im2latex100k" / "formulas_val_test.tsv.xz", 5)
    }
    pairs: dict[str, list[Pair]] = {}
    for split, number, _, raw in rows(folder / "im2latex100k" / "sample_1200_raw.tsv.xz", 4):
        copies = known.get((split, number), ("", ""))
        for copy, reference in zip(("kaggle", "guillaume"), copies, strict=True):
            if reference:
                pairs.setdefault(f"IM2LATEX, {copy}", []).append((raw, reference))
    return pairs


def agreement(name: str, pairs: Iterable[Pair], show: int) -> None:
    pairs = list(pairs)
    found: Counter[str] = Counter()
    aside = equal = equal_anyway = 0
    for raw, reference in pairs:
        names = defects(raw, reference)
        found.update(names)
        ours = normalize_or_none(raw)
        if names:
            aside += 1
            equal_anyway += ours == reference
        elif ours == reference:
            equal += 1
        elif show:
            show -= 1
            print(f"    raw  {raw}\n    ref  {reference}\n    ours {ours}")
    sound = len(pairs) - aside
    print(
        f"{name}: {len(pairs):,} pairs; {100 * aside / len(pairs):.2f} % excluded; of the rest"
        f" {100 * equal / sound:.3f} % equal ({sound - equal} not);"
        f" of all {100 * (equal + equal_anyway) / len(pairs):.2f} %"
    )
    for defect in DEFECTS:
        if found[defect]:
            print(f"    {found[defect]:5d}  {defect}")


def speed(formulas: list[str], repeats: int = 3) -> None:
    tasks: dict[str, Callable[[str], object]] = {"im2tex.latex.tokens alone": _cut}
    tasks |= {
        f"normalize --form {form}": partial(normalize_or_none, form=form)
        for form in NormalizationForm
    }
    for name, task in tasks.items():
        best = min(_seconds(task, formulas) for _ in range(repeats))
        print(f"{name:28} {len(formulas) / best:8,.0f} formulas per second")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the whole run: {peak:.0f} MiB")


def _cut(formula: str) -> None:
    with contextlib.suppress(LatexError):
        tokenize(formula)


def _seconds(task: Callable[[str], object], formulas: list[str]) -> float:
    start = time.process_time()
    for formula in formulas:
        task(formula)
    return time.process_time() - start


def main() -> int:
    parser = argparse.ArgumentParser(description="Speed and parity of `im2tex normalize`.")
    parser.add_argument("--data", type=Path, default=os.environ.get("IM2TEX_DATA"))
    parser.add_argument("--every", type=int, default=1, help="take each N-th arXiv formula")
    parser.add_argument("--show", type=int, default=0, help="number of differences to print")
    options = parser.parse_args()
    if options.data is None or not options.data.is_dir():
        print("normalize: no data: set IM2TEX_DATA or --data to its folder", file=sys.stderr)
        return 2
    sets = arxiv(options.data, options.every) | im2latex(options.data)
    for name, pairs in sets.items():
        agreement(name, pairs, options.show)
    speed([raw for raw, _ in sets["arXiv, odd papers (held out)"]][:5000])
    return 0


if __name__ == "__main__":
    sys.exit(main())
