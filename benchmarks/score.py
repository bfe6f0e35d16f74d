"""Measures `im2tex score` from end to end in pairs per second, against scoring pair by pair.

    python benchmarks/score.py                              # generated formulas, no data needed
    python benchmarks/score.py --count 1000
    python benchmarks/score.py PREDICTIONS.tsv REFERENCES.tsv

Half of the predictions are right, half have a few changed tokens. Ours: all metrics of the table,
from files, rendered without a cache, each formula once. The baseline: one `latex` and one `dvipng`
per formula on as many cores, and only the expression rate, sample by sample (`--single` pairs).
Memory is that of this process; `render.py` measures TeX's.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image_scores import changed
from render import made_up, one_by_one

from im2tex.commands.formula_files import read_formulas
from im2tex.commands.pairing import pair_predictions
from im2tex.evaluation import rendered_pairs
from im2tex.evaluation.metrics.expression_rate import graph_scores
from im2tex.evaluation.results import SampleResult
from im2tex.evaluation.scoring import score_samples

WORKERS = 2


@contextmanager
def files(options: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """Yields the files of predictions and references, generated if none are given."""
    if options.references:
        yield options.predictions, options.references
        return
    rng = random.Random(0)
    gold = made_up(options.count)
    guesses = [line if rng.random() < 0.5 else changed(line, rng) for line in gold]
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "predictions.tsv"), Path(folder, "references.tsv")
        for path, lines in zip(paths, (guesses, gold), strict=True):
            text = "".join(f"{number}\t{line}\n" for number, line in enumerate(lines))
            path.write_text(text, encoding="utf-8")
        yield paths


def obvious(samples: list[SampleResult]) -> float:
    """Returns the pairs per second, each rendered and compared singly."""
    formulas = [
        " ".join(side) for sample in samples for side in (sample.gold, sample.prediction or ())
    ]
    drawing_seconds = len(formulas) / one_by_one(formulas, WORKERS)
    started = time.perf_counter()
    for sample in samples:
        graph_scores(sample.prediction, sample.gold)
    return len(samples) / (drawing_seconds + time.perf_counter() - started)


def peak() -> float:
    """Returns the peak memory of this process, MB."""
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("predictions", type=Path, nargs="?")
    parser.add_argument("references", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--single", type=int, default=10, help="pairs scored one by one")
    options = parser.parse_args()
    imported = peak()
    with files(options) as (predictions, references), tempfile.TemporaryDirectory() as cache:
        for name in ("none", "tex"):
            os.environ["XDG_CACHE_HOME"] = cache
            started = time.perf_counter()
            gold = read_formulas(references, "references")
            paired = pair_predictions(gold, read_formulas(predictions, "predictions"))
            scored = score_samples(paired.samples, rendered_pairs.Engine(name))
            seconds = time.perf_counter() - started
            rate = len(gold) / seconds
            print(f"engine {name:5} {rate:7.0f} pairs per second, {len(gold)} in {seconds:.1f} s")
        for figure in ("expression_rate", "image_match", "token_exact"):
            print(f"  {figure} {scored.metrics[figure]:.4f}")
    single = obvious(list(paired.samples[: options.single]))
    print(f"one by one   {single:7.1f} pairs per second; ours is {rate / single:.0f} times as fast")
    print(f"peak memory: {peak():.0f} MB, {imported:.0f} MB of it before the first formula")


if __name__ == "__main__":
    main()
