"""Prediction pictures of inks: pens, resolutions, paper; lines redrawn against lines scaled along.

    python benchmarks/pictures.py --store data/crohme/validation.parquet --count 150

The same inks are read as they are drawn for the model, and from pictures a person might have of
them. Each row gives formulas read right: with the lines redrawn where they are hair lines, and with
lines that keep their width, scaled along with the symbols.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from header import announce
from PIL import Image, ImageFilter

from im2tex import Im2Tex
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.store import Split
from im2tex.decoders import SearchOptions
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink
from im2tex.ink.rasterize import draw
from im2tex.ink.scale import ink_size
from im2tex.model.prediction import Prediction, batches


def page(ink: Ink, size: float, pen: float, paper: int = 255, darkest: int = 15) -> Image.Image:
    """A clean picture: symbols of `size` pixels, lines of `pen` pixels, grey levels of both."""
    drawn = draw(ink.strokes, size / ink_size(ink), pen, round(size))
    return Image.fromarray((paper + (darkest - paper) * (drawn / 255.0)).round().astype(np.uint8))


def lit(picture: Image.Image, light: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Image.Image:
    """The picture under a light that depends on the place, (x, y) from 0 to 1, with some noise."""
    grey = np.asarray(picture, np.float32)
    height, width = grey.shape
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    grey = grey * light(x, y) + np.random.default_rng(0).normal(0, 4, grey.shape)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def jpeg(picture: Image.Image) -> Image.Image:
    """The picture as a camera keeps it, at a low quality."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=40)
    return Image.open(io.BytesIO(stream.getvalue()))


def edge(x: np.ndarray, depth: float) -> np.ndarray:
    """A shadow on the right half, with a soft edge."""
    return 1 - depth / (1 + np.exp((0.5 - x) * 200))


def seen(picture: Image.Image, rule: Preprocessing) -> np.ndarray:
    """What the model sees; blank where that says there is nothing."""
    try:
        return rule.load_image(picture).image
    except Im2TexError:
        return rule.blank().image


PENS = [(15, 1), (15, 1.5), (20, 1.5), (40, 1), (40, 2.5), (40, 4), (40, 6), (40, 8), (120, 3)]
PENS += [(120, 5), (120, 15), (250, 5)]
PICTURES: dict[str, Callable[[Ink], Image.Image]] = {
    f"{size} pixels a symbol, pen of {pen}": lambda ink, size=size, pen=pen: page(ink, size, pen)
    for size, pen in PENS
}
PICTURES |= {
    "pencil": lambda ink: page(ink, 60, 3, 245, 150),
    "white on black": lambda ink: page(ink, 60, 4, 10, 240),
    "out of focus": lambda ink: page(ink, 60, 4).filter(ImageFilter.GaussianBlur(2)),
    "JPEG": lambda ink: jpeg(page(ink, 60, 4)),
    "paper half as light at a corner": lambda ink: lit(
        page(ink, 60, 4, 235, 40), lambda x, y: 1 - 0.3 * x - 0.2 * y
    ),
    "paper a quarter as light at a corner": lambda ink: lit(
        page(ink, 60, 4, 235, 40), lambda x, y: 1 - 0.45 * x - 0.3 * y
    ),
    "shadow of 40 % on one half": lambda ink: lit(
        page(ink, 60, 4, 235, 40), lambda x, y: edge(x, 0.4)
    ),
    "shadow of 60 % on one half": lambda ink: lit(
        page(ink, 60, 4, 235, 40), lambda x, y: edge(x, 0.6)
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--store", type=Path, required=True, help="a split with inks")
    parser.add_argument("--model", default="handwritten_small", help="name or folder")
    parser.add_argument("--count", type=int, default=150, help="inks (default: %(default)s)")
    parser.add_argument("--beam", type=int, default=3, help="beam size (default: %(default)s)")
    parser.add_argument("--only", default="", help="pictures with this in their name")
    options = parser.parse_args()
    announce()
    model = Im2Tex.from_pretrained(options.model)
    split = Split(options.store)
    every = max(1, len(split) // options.count)
    samples = [split[i] for i in range(0, len(split), every)][: options.count]
    rule = model.preprocessing
    search = SearchOptions(options.beam, 100)

    @torch.inference_mode()
    def right(images: list[np.ndarray]) -> int:
        found = 0
        for numbers, batch in batches(images, 16):
            for number, best in zip(numbers, model(batch, search), strict=True):
                found += Prediction.of(best, model.recognizer.require_vocabulary()).tokens == list(
                    samples[number].tokens
                )
        return found

    inks = [sample.ink for sample in samples if sample.ink is not None]
    drawn = right([rule.rasterize(ink).image for ink in inks])
    print(f"{len(samples)} inks of {options.store}; drawn for the model, {drawn} are read right")
    print(f"{'pictures of them':40} {'redrawn':>8} {'scaled':>8} {'ms each':>8}")
    for name, make in PICTURES.items():
        if options.only in name:
            pictures = [make(ink) for ink in inks]
            start = time.process_time()
            redrawn = [seen(picture, rule) for picture in pictures]
            spent = (time.process_time() - start) / len(pictures)
            scaled = [seen(picture, replace(rule, redraw=False)) for picture in pictures]
            both = f"{right(redrawn):>8} {right(scaled):>8}"
            print(f"{name:40} {both} {1000 * spent:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
