"""Measures training data against an older version of im2tex, and stores of many sizes.

    git worktree add --detach old e526574
    python benchmarks/data_pipeline.py --root data --baseline old
    python benchmarks/data_pipeline.py --make 1000000 --root big --layouts data/handwriting
    python benchmarks/data_pipeline.py --root big

The first table has the settings of `configs/crohme_small.yaml` on `crohme`, and of
`configs/synthetic_small.yaml` on `handwriting`: processor time to plan an epoch and to draw a
sample, time to the first batch, and images per second without a model. Both versions run one after
the other, several times; the table has the best of each.

The third command makes `big/handwriting/train-SIZE` for 10,000, 100,000 and 1,000,000 samples: the
layouts of a store again and again, with new keys, in shards. The last one prints, for each size,
the seconds to open the split and to read its geometry, and the private memory of the process
afterwards and after 20,000 random samples; `pipeline_probe.py` measures each in a process of its
own. Delete the folder afterwards.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from header import announce

from im2tex.data.arrow_cache import derived_schema, open_derived
from im2tex.data.geometry import GEOMETRY_SCHEMA, Geometry
from im2tex.data.shards import shard_path, split_files
from im2tex.data.store import Split

BASE = 10_000  # layouts that are repeated
SHARD = 100_000  # samples
SOURCE = "handwriting"


def sizes_up_to(most: int) -> list[int]:
    """Numbers of samples to measure: powers of 10 from 10,000 up to `most`."""
    return [n for n in (10**k for k in range(4, 10)) if n <= most]


def make_store(layouts: Path, split: Path, count: int) -> None:
    """Writes a split of `count` samples and its derived files.

    Args:
        layouts: split of layouts, whose first ones are repeated.
        split: path of the split.
        count: number of samples.
    """
    table = pa.concat_tables(map(pq.read_table, split_files(layouts)))[:BASE]
    split.parent.mkdir(parents=True, exist_ok=True)
    firsts = range(0, count, SHARD)
    for number, first in enumerate(firsts):
        rows = np.arange(first, min(first + SHARD, count))
        shard = table.take(pa.array(rows % len(table)))
        keys = pa.array(rows.astype(str))
        shard = shard.set_column(shard.schema.get_field_index("key"), "key", keys)
        path = shard_path(split, number, len(firsts))
        pq.write_table(shard, path, compression="zstd", write_page_checksum=True)
    whole = Split(split)
    # The same layouts have the same geometry, which is not measured again.
    measured = Geometry.of(whole[: min(len(table), count)])
    geometry = measured.take(np.arange(count) % len(measured))

    def build(path: Path, schema: pa.Schema) -> None:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(geometry.to_batch(schema))

    schema = derived_schema(GEOMETRY_SCHEMA, split_files(split))
    open_derived(split, "geometry", schema, build, lambda *_: None)


def probe(tree: Path, root: Path, mode: str, *options: object) -> dict[str, float]:
    """Runs `pipeline_probe.py` with the version of im2tex in `tree`."""
    script = Path(__file__).with_name("pipeline_probe.py")
    command = [sys.executable, script, mode, "--tree", tree, "--root", root, *options]
    done = subprocess.run(
        [str(word) for word in command],
        env={"PYTHONPATH": str(tree), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def compare(tree: Path, baseline: Path, root: Path, rounds: int) -> None:
    """Prints the table of both versions."""
    print(f"{'':44} {'ours':>10} {'baseline':>10} {'ratio':>8}")
    for source in ("crohme", "handwriting"):
        plain = ("--source", source)
        for name, mode, key, options in (
            ("plan, microseconds a sample", "plan", "us_per_sample", ()),
            ("plan, the same, one of 2 ranks", "plan", "us_per_sample", ("--ranks", 2)),
            ("draw, samples a second of a core", "draw", "rate", ()),
            ("first batch, seconds", "start", "seconds", ()),
            ("private memory at the first batch, MB", "start", "private_mb", ()),
            ("images a second, 1 worker", "load", "rate", ("--workers", 1)),
            ("images a second, 2 workers", "load", "rate", ("--workers", 2)),
        ):
            ours, theirs = (
                [probe(version, root, mode, *plain, *options)[key] for _ in range(rounds)]
                for version in (tree, baseline)
            )
            best = max if key == "rate" else min
            ratio = best(ours) / best(theirs)
            ratio = ratio if key == "rate" else 1 / ratio
            print(
                f"{source + ': ' + name:44} {best(ours):10.4g} {best(theirs):10.4g} {ratio:8.3g}",
                flush=True,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--root", type=Path, required=True, help="folder of the stores")
    parser.add_argument("--make", type=int, help="makes stores of up to so many samples")
    parser.add_argument("--layouts", type=Path, help="prepared source `handwriting`, for --make")
    parser.add_argument("--baseline", type=Path, help="files of the version to compare with")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    folder = args.root / SOURCE
    if args.make is not None:
        for size in sizes_up_to(args.make):
            make_store(args.layouts / "train.parquet", folder / f"train-{size}.parquet", size)
            print(f"made {size:,} samples", flush=True)
        bank = Path("glyphs") / "bank.parquet"
        (args.root / bank).parent.mkdir(exist_ok=True)
        shutil.copy(args.layouts.parent / bank, args.root / bank)
        return 0
    announce()
    tree = Path(__file__).parents[1]
    if args.baseline is not None:
        compare(tree, args.baseline.absolute(), args.root.absolute(), args.rounds)
        return 0
    print(f"{'samples':>10} {'open':>8} {'geometry':>9} {'tokens':>8} {'memory':>8} {'read':>8}")
    print(f"{'':>10} {'seconds':>8} {'seconds':>9} {'seconds':>8} {'MB':>8} {'MB':>8}")
    for size in sizes_up_to(10**9):
        if not list(folder.glob(f"train-{size}-*.parquet")):
            continue
        found = probe(tree, args.root, "open", "--source", SOURCE, "--split", f"train-{size}")
        print(
            f"{size:>10,} {found['open_seconds']:8.2f} {found['geometry_seconds']:9.3f} "
            f"{found['tokens_seconds']:8.2f} {found['private_mb']:8.1f} {found['read_mb']:8.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
