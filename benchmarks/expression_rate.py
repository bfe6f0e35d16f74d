"""Counts the pairs of formulas that the expression rate compares per second, on one core.

    python benchmarks/expression_rate.py                          # generated formulas
    python benchmarks/expression_rate.py lgeval_verdicts.tsv      # columns gold and prediction

Both formulas of every pair are parsed anew. For comparison: pandoc alone, one process per formula
as the CROHME tools start it, takes 0.1 s per formula, 0.2 s per pair (2.19.2, one of two busy
cores).
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from pathlib import Path

from im2tex.evaluation.metrics.expression_rate import VARIANTS, graph_scores

Pair = tuple[list[str], list[str]]


def made_up(count: int) -> list[Pair]:
    """Returns formulas of about 20 tokens, and predictions with 3 % of the tokens replaced."""
    rng = random.Random(0)
    pieces = ["x", "2", "+", "= y", r"\alpha", "x ^ { 2 }", "a _ { i j }", "( x + 1 ) ^ { n }"]
    pieces += [r"\frac { x } { y + 1 }", r"\sqrt { x + 1 }", r"\sum _ { i = 0 } ^ { n }"]
    pairs = []
    for _ in range(count):
        gold = " ".join(rng.choice(pieces) for _ in range(rng.randint(2, 6))).split()
        pairs.append(([rng.choice("xyz") if rng.random() < 0.03 else t for t in gold], gold))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("pairs", nargs="?", type=Path)
    path = parser.parse_args().pairs
    if path is None:
        pairs = made_up(5_000)
    else:
        with path.open(newline="") as lines:
            rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            pairs = [(row["prediction"].split(), row["gold"].split()) for row in rows]
    tokens = sum(len(gold) for _, gold in pairs) / len(pairs)
    print(f"{len(pairs)} pairs, {tokens:.1f} tokens per reference")
    for variant in VARIANTS:
        seconds = []
        for _ in range(3):
            start = time.process_time()
            scores = [graph_scores(guess, gold, variant) for guess, gold in pairs]
            seconds.append(time.process_time() - start)
        name = "expression_rate" if variant == "crohme2019" else "expression_rate_strict"
        right = [score[name] for score in scores if name in score]
        rate = sum(right) / len(right)
        print(f"{variant}: {len(pairs) / min(seconds):,.0f} pairs per second ({name} {rate:.3f})")


if __name__ == "__main__":
    main()
