"""Compares sampled formulas with CROHME's training labels: distances, speed and memory.

    python benchmarks/crohme_like.py [--root data] [--data FOLDER] [--count N] [--seed N]
        [--plot FILE] [--write FILE] [--show N]

ROOT contains a prepared CROHME, FOLDER (default: the environment's IM2TEX_DATA) the formulas
arxiv/formulas.tsv.xz. The target profile is that of the training split, without the labels held out
for validation; formulas of validation and of the tests are excluded. --plot draws the target and
the sampled distributions side by side and needs matplotlib.
"""

from __future__ import annotations

import argparse
import lzma
import os
import random
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from profile_distance import differences, token_counts

from im2tex.data.preparation.formula_sampling import Profile, sample_formulas
from im2tex.data.source import SOURCES
from im2tex.errors import Im2TexError


def arxiv(folder: Path) -> list[str]:
    with lzma.open(folder / "arxiv" / "formulas.tsv.xz", "rt", newline="\n") as lines:
        next(lines)
        return [line.split("\t", 3)[2] for line in lines]


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fractions(counts: Mapping[Any, int]) -> dict[Any, float]:
    return {value: n / sum(counts.values()) for value, n in counts.items()}


def draw(target: Profile, sample: Profile, path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - an extra, needed for the plot only

    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, panels = plt.subplots(2, 2, figsize=(14, 9), constrained_layout=True)
    sides = [("CROHME training labels", target, "black"), ("sampled", sample, "tab:red")]
    length, token, shape, depth = panels.flat
    for name, profile, colour in sides:
        of = fractions(profile.lengths)
        length.step(range(1, 81), [of.get(n, 0) for n in range(1, 81)], color=colour, label=name)
    length.set(xlabel="tokens", ylabel="fraction of formulas", title="length")
    tokens = token_counts(target)
    order = sorted(tokens, key=lambda token: -tokens[token])
    for (name, profile, colour), mark in zip(sides, "_.", strict=True):
        of = fractions(token_counts(profile))
        token.plot([of.get(t, 0) for t in order], mark, color=colour, label=name)
    token.set(yscale="log", ylabel="fraction of tokens", title="tokens in order of frequency")
    token.set_xticks(range(len(order)), [t.replace("$", "") for t in order], rotation=90, size=5)
    for text in token.get_xticklabels():
        text.set_parse_math(False)
    names = [name for name in target.shapes if name != "depth"]
    for (name, profile, colour), shift in zip(sides, (-0.2, 0.2), strict=True):
        have = [1 - fractions(profile.shapes[n]).get(0, 0) for n in names]
        shape.bar([i + shift for i in range(len(names))], have, 0.4, color=colour, label=name)
        of = fractions(profile.shapes["depth"])
        depth.bar([n + shift for n in of], list(of.values()), 0.4, color=colour, label=name)
    shape.set_xticks(range(len(names)), names, rotation=20)
    shape.set(ylabel="fraction of formulas with any", title="structure")
    depth.set(xlabel="levels of fractions, radicals, scripts", title="nesting depth", yscale="log")
    for panel in panels.flat:
        panel.legend()
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description="Formulas like CROHME's, against CROHME's.")
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--data", type=Path, default=os.environ.get("IM2TEX_DATA"))
    parser.add_argument("--count", type=int, default=75_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="draw target and sample into this PNG")
    parser.add_argument("--write", type=Path, help="write the formulas, one per line")
    parser.add_argument("--show", type=int, default=0, help="print this number of formulas of each")
    options = parser.parse_args()
    if options.data is None or not options.data.is_dir():
        print("crohme_like: no data: set IM2TEX_DATA or --data to its folder", file=sys.stderr)
        return 2
    crohme = SOURCES.build("crohme", {})
    try:
        labels = list(crohme.split(options.root, "train").tokens())
    except Im2TexError as error:
        print(f"crohme_like: {error}", file=sys.stderr)
        return 2
    held_out = [
        tokens
        for split in crohme.available(options.root)
        if split != "train"
        for tokens in crohme.split(options.root, split).tokens()
    ]
    pool = arxiv(options.data)
    before = memory()
    start = time.process_time()
    target = Profile.of(labels)
    profiled = time.process_time()
    found = sample_formulas(pool, target, options.count, seed=options.seed, exclude=held_out)
    took = time.process_time() - profiled
    trained = {tuple(label) for label in labels}
    again = sum(formula in trained for formula in found.formulas)
    print(
        f"{options.count:,} formulas in {took:.1f} s of one core, profile of {target.labels:,} "
        f"labels in {profiled - start:.1f} s; memory {before:.0f} -> {memory():.0f} MiB\n"
        f"{found.cut / options.count:.0%} cut from real ones, "
        f"{len(set(found.formulas)) / options.count:.1%} different, "
        f"{again / options.count:.1%} are training labels"
    )
    sample = Profile.of(found.formulas)
    print(f"{'':16} {'TV':>7} {'KL, nats':>9}")
    for name, (variation, divergence) in differences(target, sample).items():
        print(f"{name:16} {variation:7.4f} {divergence:9.4f}")
    for name, formulas in (("training labels", labels), ("sampled", found.formulas)):
        for formula in random.Random(options.seed).sample(formulas, options.show):
            print(f"{name}: {' '.join(formula)}")
    if options.write:
        options.write.write_text("".join(" ".join(f) + "\n" for f in found.formulas))
    if options.plot:
        draw(target, sample, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
