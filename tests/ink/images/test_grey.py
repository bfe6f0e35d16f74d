"""Images of all colours, opacities and number types."""

import numpy as np
import pytest
from PIL import Image
from sheet_factory import HEIGHT, INK, WIDTH, encoded, jpeg, sheet, similarity

from im2tex.errors import Im2TexError
from im2tex.ink.images.ink_image import load_ink_image

FIRST = np.arange(WIDTH) < 120  # the first symbols


@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((0, 128, 0), (255, 0, 0)),
        ((255, 0, 0), (0, 128, 0)),
        ((76, 76, 76), (80, 60, 255)),
        ((0, 150, 0), (200, 0, 200)),
        ((255, 255, 255), (255, 240, 0)),
        ((0, 128, 128), (170, 60, 170)),
    ],
)
def test_load_ink_image_of_colours_of_equal_lightness_gives_the_formula(paper, ink):
    assert similarity(sheet(paper, ink)) > 0.95
    assert similarity(jpeg(sheet(paper, ink), 85)) > 0.9


@pytest.mark.parametrize(
    ("paper", "ink", "first"),
    [
        ((0, 128, 0), (255, 255, 255), (255, 0, 0)),
        ((255, 255, 255), (0, 0, 0), (255, 240, 0)),
        ((0, 0, 0), (255, 255, 255), (0, 0, 255)),
    ],
)
def test_load_ink_image_of_one_symbol_as_light_as_the_paper_gives_all(paper, ink, first):
    levels = np.where(FIRST[:, None], sheet(paper, first), sheet(paper, ink))
    assert similarity(levels) > 0.93


def test_load_ink_image_of_a_highlighted_formula_gives_the_formula():
    levels = sheet((255, 255, 255), (0, 0, 0))
    levels[30:170, 200:400, 2] = 0  # yellow
    assert similarity(levels) > 0.95


@pytest.mark.parametrize("below", [0, 255])
@pytest.mark.parametrize(
    ("ink", "first"),
    [
        ((255, 255, 255), (255, 0, 0)),
        ((255, 255, 255), (0, 0, 0)),
        ((0, 0, 0), (255, 255, 255)),
        ((0, 0, 0), (255, 0, 0)),
        ((230, 240, 255), (120, 255, 120)),
    ],
)
def test_load_ink_image_of_transparent_paper_gives_ink_of_all_colours(ink, first, below):
    levels = np.full((HEIGHT, WIDTH, 4), below, np.uint8)
    colours = np.where(FIRST[:, None], first, ink)
    levels[..., :3] = np.where((INK > 0)[..., None], colours, below)
    levels[..., 3] = 255 * INK
    assert similarity(levels) > 0.95


def test_load_ink_image_of_a_dark_card_with_transparent_corners_gives_the_formula():
    levels = np.dstack([sheet(30, 230)] * 3 + [np.full((HEIGHT, WIDTH), 255, np.uint8)])
    for rows in (np.s_[:15], np.s_[-15:]):
        for columns in (np.s_[:15], np.s_[-15:]):
            levels[rows, columns] = 0
    assert similarity(levels) > 0.95


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_load_ink_image_of_few_bits_in_sixteen_gives_the_formula(bits):
    levels = ((1 - INK) * (2**bits - 1)).astype(np.uint16)
    assert similarity(encoded(Image.fromarray(levels))) > 0.95
    assert similarity(encoded(Image.fromarray(2**bits - 1 - levels))) > 0.95


def arrays():
    light = 1 - INK
    yield "float from 0 to 1", light
    yield "half precision", light.astype(np.float16)
    yield "float of 255", (255 * light).astype(np.float32)
    yield "standardised", (light - 0.9) / 0.2
    yield "with NaN", np.where(np.arange(HEIGHT)[:, None] < 4, np.nan, light)
    yield "boolean", light > 0.5
    yield "int32 below zero", (light * 4095 - 2000).astype(np.int32)
    yield "uint16 with an offset", (30000 + light * 4000).astype(np.uint16)
    yield "uint16 colours", np.dstack([(light * 4095).astype(np.uint16)] * 3)
    yield "float colours", np.dstack([light] * 3)
    yield "four bits in eight", (light * 15).astype(np.uint8)
    yield "big-endian TIFF", encoded(Image.fromarray((light * 4095).astype(">u2")), "TIFF")
    yield "float TIFF", encoded(Image.fromarray(light.astype(np.float32)), "TIFF")


@pytest.mark.parametrize(("name", "source"), [pytest.param(*a, id=a[0]) for a in arrays()])
def test_load_ink_image_of_any_number_type_gives_the_formula(name, source):
    assert similarity(source) > 0.95


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F"])
def test_load_ink_image_of_any_mode_gives_the_formula(mode):
    picture = Image.fromarray(sheet()).convert("RGB")
    picture = picture.convert("L").convert(mode) if mode in "1LAIF" else picture.convert(mode)
    assert similarity(picture) > 0.95


@pytest.mark.parametrize("levels", [np.full((40, 60), 30000, np.uint16), np.zeros((40, 60))])
def test_load_ink_image_of_one_number_is_blank(levels):
    with pytest.raises(Im2TexError, match="blank"):
        load_ink_image(levels)
    noise = np.random.default_rng(0).integers(0, 300, levels.shape)
    with pytest.raises(Im2TexError, match="blank"):
        load_ink_image((30000 + noise).astype(np.uint16))
