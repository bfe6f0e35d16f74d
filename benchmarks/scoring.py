"""Measures the processor time of scoring, against an earlier version of im2tex.

    python benchmarks/scoring.py                        # generated formulas
    IM2TEX_DATA=... python benchmarks/scoring.py        # CROHME's training labels
    git worktree add /tmp/before e6391a7
    python benchmarks/scoring.py --baseline /tmp/before

About half of the predictions are their references; the others have 1 to 3 random token edits.
Test: all scoring of `im2tex test`, in batches of 16. Validation: the scoring of one epoch. Scores
are compared sample by sample. With an engine the images are taken from the render cache, which a
first run fills.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from render import made_up

Pair = tuple[list[str], list[str], str]
_BATCH = 16
_SAME = 0.55  # fraction of the predictions that are right
_INNER_REPEATS = 3


def references(count: int) -> list[tuple[list[str], str]]:
    """Returns tokens and LaTeX of references: labels of CROHME, or generated formulas."""
    folder = os.environ.get("IM2TEX_DATA")
    path = Path(folder or "nowhere") / "crohme" / "captions.tsv"
    if path.exists():
        with path.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        random.Random(0).shuffle(rows)
        return [(row["label"].split(), row["raw_truth"]) for row in rows[:count]]
    return [(line.split(), line) for line in made_up(count)]


def make_pairs(count: int) -> list[Pair]:
    """Returns predictions, references and their LaTeX."""
    random_ = random.Random(0)
    gold = references(count)
    vocabulary = sorted({token for tokens, _ in gold for token in tokens})
    pairs = []
    for tokens, latex in gold:
        prediction = list(tokens)
        for _ in range(0 if random_.random() < _SAME else random_.choice([1, 1, 2, 3])):
            at, kind = random_.randrange(len(prediction) + 1), random_.random()
            new = [] if kind < 0.2 else [random_.choice(vocabulary)]
            prediction[at : at + (kind < 0.8)] = new
        pairs.append((prediction, tokens, latex))
    return pairs


def measure(pairs: list[Pair], engine: str) -> dict[str, Any]:
    """Returns the processor time of a test and a validation, scores by sample, and metrics."""
    from im2tex.evaluation.rendered_pairs import Engine  # noqa: PLC0415
    from im2tex.evaluation.results import SampleResult  # noqa: PLC0415
    from im2tex.evaluation.scoring import score_samples  # noqa: PLC0415

    def score_batches() -> list[SampleResult]:
        add, values = _metrics()
        samples: list[SampleResult] = []
        for start in range(0, len(pairs), _BATCH):
            records = [
                SampleResult.of(str(start + row), gold, prediction)
                for row, (prediction, gold, _) in enumerate(pairs[start : start + _BATCH])
            ]
            add(records)
            samples += records
        values()
        return samples

    test, validation = [], []
    for _ in range(_INNER_REPEATS):
        _clear_caches()
        started = time.process_time()
        samples = score_batches()
        validation.append(time.process_time() - started)
        as_found = [
            replace(sample, latex=pair[2]) for sample, pair in zip(samples, pairs, strict=True)
        ]
        scored = score_samples(as_found, Engine(engine))
        test.append(time.process_time() - started)
    return {
        "test": min(test),
        "validation": min(validation),
        "scores": [
            dict(getattr(sample, "metrics", None) or getattr(sample, "verdicts", {}))
            for sample in scored.samples
        ],
        "metrics": dict(scored.metrics),
    }


def _clear_caches() -> None:
    """Empties the caches of functions, so that each repeat does all of the work."""
    for module in [m for name, m in sys.modules.items() if name.startswith("im2tex.")]:
        for member in vars(module).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()


def _metrics() -> tuple[Any, Any]:
    """Returns functions that add samples to a `FormulaMetrics` and compute its metrics."""
    try:
        from im2tex.evaluation.metrics.formula_metrics import FormulaMetrics  # noqa: PLC0415
    except ImportError:
        old = importlib.import_module("im2tex.evaluation.metrics").FormulaMetrics()
        return (
            lambda samples: old.update([s.prediction for s in samples], [s.gold for s in samples])
        ), old.compute
    metrics = FormulaMetrics()
    return lambda samples: metrics.update([s.metrics for s in samples]), metrics.compute


def run(folder: Path, pairs: Path, engine: str) -> dict[str, Any]:
    """Returns the measurement with the im2tex of a folder, in a separate process."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--worker", str(pairs), "--engine", engine]
    output = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True, cwd=folder
    )
    return dict(json.loads(output.stdout.splitlines()[-1]))


def compare(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Prints the scores and metrics that differ between two measurements."""
    shared = {
        (index, name)
        for index, (a, b) in enumerate(zip(ours["scores"], theirs["scores"], strict=True))
        for name in a.keys() & b.keys()
    }
    differing = [
        (index, name)
        for index, name in sorted(shared)
        if ours["scores"][index][name] != theirs["scores"][index][name]
    ]
    print(f"{len(shared):,} scores of samples compared, {len(differing)} differ {differing[:5]}")
    names = ours["metrics"].keys() & theirs["metrics"].keys()
    apart = [n for n in sorted(names) if ours["metrics"][n] != theirs["metrics"][n]]
    missing = sorted(theirs["metrics"].keys() - names)
    print(
        f"{len(names)} metrics compared, differing: {apart or 'none'}, missing: {missing or 'none'}"
    )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--engine", default="none", help="tex, builtin, none (default)")
    parser.add_argument("--baseline", type=Path, help="checkout of an earlier version")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        pairs = json.loads(options.worker.read_text(encoding="utf-8"))
        print(json.dumps(measure(pairs, options.engine)))
        return
    folders = {"ours": Path(__file__).resolve().parents[1]}
    if options.baseline:
        folders["baseline"] = options.baseline.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        pairs = Path(temporary, "pairs.json")
        pairs.write_text(json.dumps(make_pairs(options.count)), encoding="utf-8")
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in folders}
        for _ in range(options.repeats):  # in turns, so that the load affects all equally
            for name, folder in folders.items():
                results[name].append(run(folder, pairs, options.engine))
    for phase in ("test", "validation"):
        seconds = {name: min(run[phase] for run in found) for name, found in results.items()}
        listed = ", ".join(f"{name} {value:.3f} s" for name, value in seconds.items())
        print(f"{phase}, {options.count} samples, engine {options.engine}: {listed}")
        if options.baseline:
            print(f"ours / baseline {seconds['ours'] / seconds['baseline']:.2f}")
    if options.baseline:
        compare(results["ours"][0], results["baseline"][0])


if __name__ == "__main__":
    main()
