"""Measures the comparison of images in pairs per second, against the released script's algorithm.

    python benchmarks/image_scores.py                 # generated formulas
    python benchmarks/image_scores.py FORMULAS.txt    # one formula per line, the first --count

Half of the predictions are right, half have a few changed tokens. Rendering is not timed.
"""

from __future__ import annotations

import argparse
import random
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein
from render import made_up

from im2tex.evaluation.metrics.image_match import compare_images
from im2tex.render.rendering import GrayImage
from im2tex.render.tex.renderer import TexRenderer
from im2tex.utils.text_files import read_lines

Pair = tuple[GrayImage, GrayImage]


def changed(formula: str, rng: random.Random) -> str:
    """Returns a formula with a few letters or digits changed, sometimes with an addition."""
    tokens = [
        rng.choice("abkz27") if len(t) == 1 and t.isalnum() and rng.random() < 0.1 else t
        for t in formula.split()
    ]
    return " ".join([*tokens, "+ x"] if rng.random() < 0.3 else tokens)


def compare(pair: Pair) -> dict[str, bool | int]:
    return compare_images(*pair)


def obvious(pair: Pair) -> bool:
    """Computes the match by the released script's algorithm, with columns as strings."""
    prediction, gold = ((image <= 128).T for image in pair)
    height = max(gold.shape[1], prediction.shape[1])
    sides = [
        ["".join(map(str, column.astype(int))).ljust(height, "0") for column in image]
        for image in (gold, prediction)
    ]
    letters: dict[str, int] = {}
    seen: list[np.ndarray] = []
    for column in sides[0] + sides[1]:
        if column in letters:
            continue
        bits = np.array(list(map(int, column)))
        for number, other in enumerate(seen):
            if np.abs(bits - other).sum() < 5:
                letters[column] = number
                break
        else:
            letters[column] = len(seen)
            seen.append(bits)
    a, b = ([letters[column] for column in side] for side in sides)
    return all(
        op.tag == "equal" or op.src_end - op.src_start < 5 for op in Levenshtein.opcodes(a, b)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("formulas", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    lines = read_lines(options.formulas) if options.formulas else made_up(options.count)
    lines = lines[: options.count]
    rng = random.Random(0)
    guesses = [line if rng.random() < 0.5 else changed(line, rng) for line in lines]
    renderer = TexRenderer(workers=options.workers)
    drawn = [[item.pixels for item in renderer.render(side)] for side in (guesses, lines)]
    renderer.close()
    pairs = [(a, b) for a, b in zip(*drawn, strict=True) if a is not None and b is not None]
    width = np.mean([gold.shape[1] for _, gold in pairs])
    print(f"{len(pairs)} pairs, {width:.0f} columns wide on average")
    started = time.perf_counter()
    found = [compare(pair) for pair in pairs]
    ours = len(pairs) / (time.perf_counter() - started)
    differing = sum(not scores["image_exact"] for scores in found)
    print(f"one process  {ours:6.0f} pairs per second, {differing} differ")
    with ProcessPoolExecutor(options.workers) as pool:
        list(pool.map(compare, pairs[:64]))
        started = time.perf_counter()
        list(pool.map(compare, pairs, chunksize=64))
        print(f"{options.workers} processes  {len(pairs) / (time.perf_counter() - started):6.0f}")
    some = pairs[:40]
    started = time.perf_counter()
    matches = [obvious(pair) for pair in some]
    theirs = len(some) / (time.perf_counter() - started)
    print(f"as released  {theirs:6.1f} pairs per second; ours is {ours / theirs:.0f} times as fast")
    agree = sum(m == c["image_match_released"] for m, c in zip(matches, found, strict=False))
    print(f"its match and ours agree on {agree} of {len(some)}")


if __name__ == "__main__":
    main()
