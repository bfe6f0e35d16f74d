"""Counts correct predictions of images with different pens, resolutions, papers and light.

    python benchmarks/image_conditions.py --store data/crohme/validation.parquet --count 150

Handwritten samples are predicted from the drawing made for the model, and from simulated
photographs and scans of them. Each row gives the number of correct predictions with thin lines
redrawn at the training data's pen width, and with lines scaled as the symbols are.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
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
from im2tex.model.prediction import Prediction, image_batches


def page(ink: Ink, size: float, pen: float, paper: int = 255, darkest: int = 15) -> Image.Image:
    """Draws ink with symbols of `size` pixels and lines of `pen` pixels, at given grey levels."""
    drawn = draw(ink, size / ink_size(ink), pen, round(size))
    return Image.fromarray((paper + (darkest - paper) * (drawn / 255.0)).round().astype(np.uint8))


def with_light(
    image: Image.Image, light: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Image.Image:
    """Multiplies an image by a light at (x, y) in 0..1, and adds noise."""
    grey = np.asarray(image, np.float32)
    height, width = grey.shape
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    grey = grey * light(x, y) + np.random.default_rng(0).normal(0, 4, grey.shape)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image) -> Image.Image:
    """Compresses an image as JPEG of quality 40."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=40)
    return Image.open(io.BytesIO(stream.getvalue()))


def edge(x: np.ndarray, depth: float) -> np.ndarray:
    """Returns the light of a shadow on the right half, with a soft edge."""
    return 1 - depth / (1 + np.exp((0.5 - x) * 200))


def preprocess(image: Image.Image, rule: Preprocessing) -> np.ndarray:
    """Returns the model's input; a blank image if the preprocessing refuses the image."""
    try:
        return rule.load_image(image).image
    except Im2TexError:
        return rule.blank().image


PENS = [(15, 1), (15, 1.5), (20, 1.5), (40, 1), (40, 2.5), (40, 4), (40, 6), (40, 8), (120, 3)]
PENS += [(120, 5), (120, 15), (250, 5)]
CONDITIONS: dict[str, Callable[[Ink], Image.Image]] = {
    f"{size} pixels per symbol, pen of {pen}": partial(page, size=size, pen=pen)
    for size, pen in PENS
}
CONDITIONS |= {
    "pencil": lambda ink: page(ink, 60, 3, 245, 150),
    "white on black": lambda ink: page(ink, 60, 4, 10, 240),
    "out of focus": lambda ink: page(ink, 60, 4).filter(ImageFilter.GaussianBlur(2)),
    "JPEG": lambda ink: jpeg(page(ink, 60, 4)),
    "paper half as light at a corner": lambda ink: with_light(
        page(ink, 60, 4, 235, 40), lambda x, y: 1 - 0.3 * x - 0.2 * y
    ),
    "paper a quarter as light at a corner": lambda ink: with_light(
        page(ink, 60, 4, 235, 40), lambda x, y: 1 - 0.45 * x - 0.3 * y
    ),
    "shadow of 40 % on one half": lambda ink: with_light(
        page(ink, 60, 4, 235, 40), lambda x, y: edge(x, 0.4)
    ),
    "shadow of 60 % on one half": lambda ink: with_light(
        page(ink, 60, 4, 235, 40), lambda x, y: edge(x, 0.6)
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--store", type=Path, required=True, help="a split with ink")
    parser.add_argument("--model", default="handwritten_small", help="name or folder")
    parser.add_argument("--count", type=int, default=150, help="samples (default: %(default)s)")
    parser.add_argument("--beam", type=int, default=3, help="beam size (default: %(default)s)")
    parser.add_argument("--only", default="", help="conditions with this in their name")
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
        for indices, batch in image_batches(images, 16):
            for index, best in zip(indices, model(batch, search), strict=True):
                found += Prediction.of(best, model.recognizer.require_vocabulary()).tokens == list(
                    samples[index].tokens
                )
        return found

    inks = [sample.ink for sample in samples if sample.ink is not None]
    drawn = right([rule.rasterize(ink).image for ink in inks])
    print(
        f"{len(samples)} samples of {options.store}; "
        f"{drawn} predicted correctly as drawn for the model"
    )
    print(f"{'condition':40} {'redrawn':>8} {'scaled':>8} {'ms each':>8}")
    for name, make in CONDITIONS.items():
        if options.only in name:
            images = [make(ink) for ink in inks]
            start = time.process_time()
            redrawn = [preprocess(image, rule) for image in images]
            spent = (time.process_time() - start) / len(images)
            scaled = [preprocess(image, replace(rule, redraw=False)) for image in images]
            both = f"{right(redrawn):>8} {right(scaled):>8}"
            print(f"{name:40} {both} {1000 * spent:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
