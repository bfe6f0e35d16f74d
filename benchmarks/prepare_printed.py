"""Measures the preparation of printed formulas, from a list to a store: rate and memory.

    python benchmarks/prepare_printed.py                 # generated formulas, no data needed
    python benchmarks/prepare_printed.py FORMULAS.tsv.xz # the first --count of a list

The baseline is one `latex` and one `dvipng` per formula on as many cores, with downscaling of the
image, for a sample of them; it does not parse the list, normalise the labels, or write a store.
Memory is that of the largest process: this one, and the largest of its children.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from render import made_up, one_by_one

from im2tex.data.preparation.printed.formula_lists import read_list
from im2tex.data.source import SOURCES
from im2tex.data.store import Split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formulas", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--single", type=int, default=20, help="formulas rendered one by one")
    options = parser.parse_args()
    if options.formulas:
        formulas = [formula.latex for formula in islice(read_list(options.formulas), options.count)]
    else:
        formulas = made_up(options.count)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        listed = root / "formulas.txt"
        listed.write_text("\n".join(formulas), encoding="utf-8")
        source = SOURCES.build("arxiv")
        started = time.perf_counter()
        prepared = source.prepare(root, str(listed))
        seconds = time.perf_counter() - started
        samples = sum(prepared.splits.values())
        size = sum(source.path(root, split).stat().st_size for split in prepared.splits)
        assert samples == sum(len(Split(source.path(root, split))) for split in prepared.splits)
    print(*prepared.lines, sep="\n")
    rate = len(formulas) / seconds
    print(
        f"\n{'im2tex data prepare':20} {rate:7.1f} per second   {len(formulas):,} formulas, "
        f"{samples:,} samples, {size / samples:,.0f} bytes each; {100_000 / rate / 60:.1f} min for "
        "100,000"
    )
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    for who, name in ((resource.RUSAGE_SELF, "itself"), (resource.RUSAGE_CHILDREN, "others")):
        print(f"peak memory, {name}: {resource.getrusage(who).ru_maxrss / unit:.0f} MB")
    obvious = one_by_one(formulas[: options.single], os.cpu_count() or 1)
    print(f"{'one by one':20} {obvious:7.1f} per second   {options.single} formulas")
    print(f"ratio {rate / obvious:.0f}; processes at a time: {os.cpu_count()}")


if __name__ == "__main__":
    main()
