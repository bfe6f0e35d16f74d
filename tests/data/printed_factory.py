"""A press for tests: bars of ink for formulas, and lists of formulas."""

import io
from contextlib import contextmanager

import numpy as np
from PIL import Image

from im2tex.render import Cause, Failure, Rendering
from im2tex.render.rendering import encode_png


class Press:
    r"""Draws a bar 4 pixels a character wide and 20 high; nothing where `\bad` stands.

    Counts what it draws, and jams (an interruption) where it is told to.
    """

    engine = "press"
    signature = "press 1"

    def __init__(self, jams_after=None):
        self.drawn = []
        self.jams_after = jams_after

    def render(self, formulas):
        for formula in formulas:
            if self.jams_after is not None and len(self.drawn) >= self.jams_after:
                raise KeyboardInterrupt
            self.drawn.append(formula)
            if "\\bad" in formula:
                yield Rendering(failure=Failure(Cause.TEX, "Undefined control sequence."))
            else:
                yield Rendering(png=encode_png(np.zeros((20, 4 * len(formula)), np.uint8)))

    def close(self):
        pass


def opened(press):
    """What stands in for `open_renderer`."""

    @contextmanager
    def open_renderer(*arguments, **settings):
        yield press

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
