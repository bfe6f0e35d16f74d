"""Factory of small inks and images of known size."""

import io

import numpy as np
from PIL import Image

from im2tex.data.sample import Sample
from im2tex.ink.ink import Ink, Symbol


def square(x, y, side=10.0):
    """A box drawn in one stroke, its left top corner at (x, y)."""
    corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    return np.array([(x + side * a, y + side * b) for a, b in corners], dtype=np.float32)


def row(tokens, side=10.0, gap=4.0, key=None):
    """A sample of boxes in a row, one a token, each the symbol of its token."""
    tokens = tuple(tokens)
    strokes = tuple(square(i * (side + gap), 0.0, side) for i in range(len(tokens)))
    symbols = tuple(Symbol(token, (i,), i) for i, token in enumerate(tokens))
    return Sample(key or " ".join(tokens), " ".join(tokens), tokens, Ink(strokes, symbols))


def scribble(rng, strokes=4, size=100.0):
    """A random ink."""
    return Ink(
        tuple(
            rng.uniform(-size, size, (int(rng.integers(1, 9)), 2)).astype(np.float32)
            for _ in range(strokes)
        )
    )


def png(pixels, mode=None):
    """An array as an encoded image."""
    stream = io.BytesIO()
    Image.fromarray(pixels, mode).save(stream, "PNG")
    return stream.getvalue()
