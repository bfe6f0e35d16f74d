"""Draws the picture of the README: handwritten formulas and the LaTeX predicted for them.

    python docs/figures.py

The handwriting is the package's built-in single-stroke font with random variation; the packaged
model reads it.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from im2tex import Recognizer
from im2tex.ink.augment import Augmentation
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.ink import Ink

FORMULAS = {  # with the seed of the variation
    r"\sum _ { n = 1 } ^ { \infty } \frac { 1 } { n ^ { 2 } } = \frac { \pi ^ { 2 } } { 6 }": 2,
    r"\int _ { 0 } ^ { 1 } x ^ { 2 } d x = \frac { 1 } { 3 }": 1,
    r"\lim _ { x \rightarrow 0 } \frac { \sin x } { x } = 1": 0,
}
SIZE = 60  # pixels per capital height
SUPERSAMPLING = 4
FILE = Path(__file__).parent / "assets" / "handwriting_to_latex.png"


def draw(ink: Ink, margin: int = 20, pen: int = 4) -> Image.Image:
    """A grey image of an ink, dark on light."""
    points = np.concatenate(ink.strokes)
    scale, low = SIZE * SUPERSAMPLING, points.min(0)
    width, height = ((points.max(0) - low) * scale).astype(int) + 2 * margin * SUPERSAMPLING
    image = Image.new("L", (int(width), int(height)), 255)
    canvas, radius = ImageDraw.Draw(image), pen * SUPERSAMPLING / 2
    for stroke in ink.strokes:
        path: NDArray[np.float64] = (stroke - low) * scale + margin * SUPERSAMPLING
        canvas.line([(float(x), float(y)) for x, y in path], fill=25, width=pen * SUPERSAMPLING)
        for x, y in path:
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=25)
    size = (image.width // SUPERSAMPLING, image.height // SUPERSAMPLING)
    return image.resize(size, Image.Resampling.LANCZOS)


def main() -> None:
    """Writes the picture."""
    model = Recognizer.from_pretrained("handwritten_small")
    figure, rows = plt.subplots(len(FORMULAS), 2, figsize=(11, 4.2), width_ratios=[1, 1.6])
    for (left, right), (formula, seed) in zip(rows, FORMULAS.items(), strict=True):
        ink = typeset(formula.split(), cursive=True)
        style = Augmentation(wobble=0.05, symbol_shift=0.07, symbol_rotation=7)
        image = draw(style.apply(ink, np.random.default_rng(seed)))
        latex = model.predict(image)[0].latex
        left.imshow(image, cmap="gray", vmin=0, vmax=255)
        right.text(0, 0.5, "→", fontsize=24, va="center", color="0.5")
        right.text(
            0.09, 0.5, latex, fontsize=13.5, va="center", family="monospace", parse_math=False
        )
        for axes in (left, right):
            axes.axis("off")
    figure.subplots_adjust(left=0.01, right=0.99, top=0.98, bottom=0.02, wspace=0.02, hspace=0.1)
    figure.savefig(FILE, dpi=120)
    print(FILE)


if __name__ == "__main__":
    main()
