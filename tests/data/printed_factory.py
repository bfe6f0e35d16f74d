"""A renderer for tests that draws bars, and lists of formulas."""

import io
from contextlib import contextmanager

import numpy as np
from PIL import Image

from im2tex.render import Cause, Failure, Rendering
from im2tex.render.rendering import encode_png


class FakeRenderer:
    r"""Draws a bar, 4 pixels for each character wide and 20 high; fails for `\bad`.

    Records the formulas in `rendered`, and raises KeyboardInterrupt after `stops_after` formulas.
    """

    engine = "fake"
    signature = "fake 1"

    def __init__(self, stops_after=None):
        self.rendered = []
        self.stops_after = stops_after

    def render(self, formulas):
        for formula in formulas:
            if self.stops_after is not None and len(self.rendered) >= self.stops_after:
                raise KeyboardInterrupt
            self.rendered.append(formula)
            if "\\bad" in formula:
                yield Rendering(failure=Failure(Cause.TEX, "Undefined control sequence."))
            else:
                yield Rendering(png=encode_png(np.zeros((20, 4 * len(formula)), np.uint8)))

    def close(self):
        pass


def opener(renderer):
    """A substitute for `open_renderer`."""

    @contextmanager
    def open_renderer(*arguments, **settings):
        yield renderer

    return open_renderer


def formula(i, terms=3):
    """Formula number i: 41 characters or more, no two the same."""
    return " + ".join(rf"a_{{{i}}} \alpha^{{{k}}}" for k in range(10, 10 + terms))


def table(path, rows):
    """A list with papers and kinds; rows of (paper, kind, raw)."""
    lines = ["paper\tkind\traw", *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def size_of(png):
    """Width and height of an encoded picture."""
    return Image.open(io.BytesIO(png)).size
