"""Lines of the paper are removed; bars of formulas are kept."""

import numpy as np
import pytest
from PIL import Image
from sheet_factory import HEIGHT, INK, WIDTH, sheet, similarity

from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.images.ink_image import read_ink_image
from im2tex.ink.images.ruled_lines import remove_ruled_lines
from im2tex.ink.rasterize import draw


def ruled(colour, step, width=1, squared=False, first=9):
    paper = np.full((HEIGHT, WIDTH, 3), 255.0)
    for k in range(width):
        paper[first + k :: step] = colour
        if squared:
            paper[:, first + k :: step] = colour
    return (paper * (1 - INK[..., None])).round().astype(np.uint8)


COLOURS = [(100, 150, 220), (150, 150, 150), (100, 100, 100), (225, 225, 225), (240, 120, 120)]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("step", "width"), [(23, 1), (36, 2), (47, 4)])
def test_load_ink_image_of_ruled_paper_gives_the_formula(colour, step, width):
    assert similarity(ruled(colour, step, width)) > (0.95 if width < 3 else 0.9)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("step", "width"), [(23, 1), (36, 2)])
def test_load_ink_image_of_squared_paper_gives_the_formula(colour, step, width):
    assert similarity(ruled(colour, step, width, squared=True)) > 0.93


def test_load_ink_image_of_lines_as_dark_as_the_ink_gives_the_formula():
    assert similarity(ruled((0, 0, 0), 36, 1)) > 0.9


def test_load_ink_image_of_a_dark_ruled_sheet_gives_the_formula():
    assert similarity(255 - ruled((120, 120, 120), 36, 2)) > 0.95


def test_load_ink_image_of_lines_that_rise_gives_the_formula_without_lines():
    picture = Image.fromarray(ruled((110, 150, 220), 36, 2))
    turned = picture.rotate(1.2, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))
    turned = turned.crop((10, 10, WIDTH - 10, HEIGHT - 10))
    loaded = read_ink_image(turned)
    assert any("lines" in note for note in loaded.notes)
    plain = read_ink_image(sheet()).ink
    assert abs(loaded.ink.shape[1] - plain.shape[1]) < 10
    assert loaded.ink.mean() < 1.3 * plain.mean()


@pytest.mark.parametrize("margin", [0, 1, 4])
@pytest.mark.parametrize(
    "tokens",
    [
        (r"\frac", *"{ab}{c}"),
        (r"\frac", *"{1}{1+", r"\frac", *"{1}{1+", r"\frac", *"{1}{x}}}"),
        tuple("|x|"),
        tuple("==="),
        (r"\sqrt", *"{x+1}"),
    ],
)
def test_remove_ruled_lines_keeps_bars_of_formula(tokens, margin):
    for pen in (2, 6):
        ink = np.pad(draw(typeset(tokens), 40.0, pen, 0), margin)
        assert remove_ruled_lines(ink)[1] == 0
