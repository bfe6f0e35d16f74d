"""`image_warnings` and `has_several_lines`."""

import numpy as np
import pytest
from PIL import Image
from sheet_factory import INK

from im2tex.data.preprocessing import Preprocessing
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.images.image_warnings import has_several_lines
from im2tex.ink.rasterize import draw
from im2tex.ink.scale import image_symbol_size

RULE = Preprocessing(symbol_size=16, stroke_width=0.12, max_height=256, max_width=1024)


def written(tokens, pen=3):
    ink = typeset(tokens)
    return draw(ink, RULE.scale_of(ink) * 2, pen, 0)


@pytest.mark.parametrize("rise", [0.0, 2.0, -2.0])
def test_has_several_lines_two_formulas_is_true(rise):
    upper, lower = written(tuple("2x+3=y")), written(tuple("z-47=a"))
    width = max(upper.shape[1], lower.shape[1])
    rows = [np.pad(one, ((0, 30), (0, width - one.shape[1]))) for one in (upper, lower)]
    page = np.pad(np.concatenate(rows), 20)
    page = np.asarray(Image.fromarray(page).rotate(rise))
    assert has_several_lines(page, image_symbol_size(page))


@pytest.mark.parametrize(
    "tokens",
    [
        tuple("2x+3=y"),
        (r"\frac", *"{2x+3}{5y-47}"),
        (*"a+", r"\frac", *"{2x+3}{5y-47}"),
        (r"\sum", *"_{i=0}^{n}i"),
        (r"\sqrt", "{", r"\frac", *"{a+b}{c+d}}"),
    ],
)
def test_has_several_lines_one_formula_is_false(tokens):
    picture = written(tokens)
    assert not has_several_lines(picture, image_symbol_size(picture))


def test_image_warnings_small_symbols():
    long = np.tile((255 * INK).astype(np.uint8), (1, 25))
    notes = RULE.load_image(255 - long, with_warnings=True).notes
    assert any("of the size that the model was trained on" in note for note in notes)
    assert RULE.load_image(255 - (255 * INK).astype(np.uint8), with_warnings=True).notes == ()


def test_image_warnings_nearly_all_ink():
    levels = np.full((120, 160), 255, np.uint8)
    levels[15:105, 20:140] = 0
    levels[40:50, 40:80] = 255
    assert any(
        "nearly all ink" in note for note in RULE.load_image(levels, with_warnings=True).notes
    )
