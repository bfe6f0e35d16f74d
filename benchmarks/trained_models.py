"""Measures trained models on the same images: time per decoding step, in total, and ratios.

    python benchmarks/trained_models.py data/crohme/test_2014.parquet standard=A.ckpt hard=B.ckpt

Prints the number of correct predictions, milliseconds of encoding and of searching per image, and
milliseconds per step, in which the search extends all hypotheses of a batch by one token; ratios
are relative to the first model. The models run in turns; the best pass counts. Processor time with
one thread, wall time with several threads or a GPU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from decode import TimedPrediction, inks
from header import begin

from im2tex import Im2Tex
from im2tex.decoders import SearchOptions


class Counted:
    """Counts the steps of a decoder."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self.inner = step
        self.count = 0

    def __call__(self, *args: Any) -> Any:
        """Runs and counts a step."""
        self.count += 1
        return self.inner(*args)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("store", type=Path, help="a split with ink")
    parser.add_argument("models", nargs="+", metavar="NAME=CHECKPOINT")
    parser.add_argument("--images", type=int, default=200, help="number of images, evenly spaced")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--beam", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--passes", type=int, default=2)
    args = begin(parser)
    paths = dict(argument.partition("=")[::2] for argument in args.models)
    models = {
        name: Im2Tex.load_from_checkpoint(path, map_location="cpu").to(args.device).eval()
        for name, path in paths.items()
    }
    drawn, labels = inks(args.store, args.images)
    first = next(iter(models.values()))
    images = [first.preprocessing.rasterize(ink).image for ink in drawn]
    if any(model.preprocessing != first.preprocessing for model in models.values()):
        parser.error("the models have different preprocessing and cannot be compared")
    height, width = np.array([image.shape for image in images]).mean(0)
    print(
        f"{len(images)} images of {args.store}, {height:.0f} x {width:.0f} pixels and "
        f"{np.mean([len(label) for label in labels]):.1f} tokens on average; {args.device}, "
        f"{args.threads} thread(s), {args.clock.name}\n"
    )
    print(
        f"{'batch':>5}{'beam':>5}  {'model':<14}{'right':>7}{'encoded ms':>12}{'searched ms':>13}"
        f"{'step ms':>11}{'ratio':>7}{'all ratio':>11}"
    )
    for batch in args.batch:
        for beam in args.beam:
            compare(models, images, labels, SearchOptions(beam), batch, args.passes, args.clock.now)
    return 0


def compare(
    models: dict[str, Im2Tex],
    images: list[Any],
    labels: list[tuple[str, ...]],
    options: SearchOptions,
    batch: int,
    passes: int,
    clock: Callable[[], float],
) -> None:
    predictors = {
        name: TimedPrediction(model, images, labels, options, False, clock)
        for name, model in models.items()
    }
    best = {name: np.full(3, np.inf) for name in models}  # encoding, searching, a step
    right = dict.fromkeys(models, 0)
    with torch.inference_mode():
        for number in range(passes + 1):  # the first pass compiles kernels
            for name, model in models.items():
                decoder: Any = model.recognizer.require_decoder()
                counted = decoder.step = Counted(type(decoder).step.__get__(decoder))
                found, encoding, searching = predictors[name](batch)
                del decoder.step
                if number:
                    spent = np.array([encoding, searching, searching / counted.count])
                    best[name] = np.minimum(best[name], spent)
                right[name] = sum(
                    tuple(model.recognizer.require_vocabulary().decode(tokens)) == tuple(label)
                    for tokens, label in zip(found, labels, strict=True)
                )
    first = next(iter(best.values()))
    for name, spent in best.items():
        encoded, searched = 1e3 * spent[:2] / len(images)
        print(
            f"{batch:>5}{options.beam_size:>5}  {name:<14}{right[name]:>7}{encoded:>12.2f}"
            f"{searched:>13.2f}{1e3 * spent[2]:>11.2f}{first[2] / spent[2]:>6.1f}x"
            f"{first[:2].sum() / spent[:2].sum():>10.1f}x",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
