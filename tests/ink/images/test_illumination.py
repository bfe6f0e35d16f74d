"""Shadows of photographs are removed, and ink in them is kept."""

import numpy as np
import pytest

from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.images.illumination import correct_illumination
from im2tex.ink.images.ink_image import load_ink_image
from im2tex.ink.rasterize import draw

INK = typeset(("2", "x", "+", "3", "=", "y"))
HEIGHT, WIDTH = 240, 560


def sheet(light, noise=4.0, paper=235, darkest=40):
    """The formula on a sheet, under a light that depends on the place."""
    left, top, right, bottom = INK.bounds
    lines = draw(INK, min(440 / (right - left), 160 / (bottom - top)), 5, 20) / 255.0
    ink = np.zeros((HEIGHT, WIDTH))
    ink[20 : 20 + lines.shape[0], 30 : 30 + lines.shape[1]] = lines
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    grey = (paper + (darkest - paper) * ink) * light(x, y)
    grey = grey + np.random.default_rng(0).normal(0, noise, grey.shape)
    return grey.clip(0, 255).astype(np.uint8), ink > 0.5


LIGHTS = {
    "slope": lambda x, y: 1 - 0.3 * x - 0.2 * y,
    "dark corner": lambda x, y: 1 - 0.4 * x - 0.25 * y,
    "lamp": lambda x, y: 1 - 0.6 * np.hypot(x - 0.5, y - 0.5),
    "hand": lambda x, y: 1 - 0.5 / (1 + np.exp((0.5 - x) * 150)),
    "dark hand": lambda x, y: 1 - 0.65 / (1 + np.exp((x - 0.4) * 150)),
}


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("light", LIGHTS)
def test_load_ink_image_removes_shadow_and_keeps_ink(light, negative):
    grey, ink = sheet(LIGHTS[light])
    found = load_ink_image(255 - grey if negative else grey)
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    true = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert np.abs(np.array(found.shape) - true.shape).max() <= 4
    height, width = np.minimum(found.shape, true.shape)
    found, true = found[:height, :width] > 100, true[:height, :width]
    assert (found & true).sum() > 0.85 * true.sum()
    assert (found & ~true).sum() < 0.15 * true.sum()


def test_correct_illumination_even_light_is_none():
    for noise in (0.0, 4.0):
        assert correct_illumination(sheet(lambda x, y: np.ones_like(x), noise)[0]) is None


@pytest.mark.parametrize("shape", ["dot", "bar", "letter"])
def test_load_ink_image_keeps_large_ink(shape):
    grey = np.full((120, 120), 230.0)
    y, x = np.mgrid[0:120, 0:120] - 60
    ink = {
        "dot": np.hypot(x, y) < 19,
        "bar": (abs(y) < 14) & (abs(x) < 58),
        "letter": (abs(x) < 16) & (abs(y) < 58),
    }[shape]
    grey[ink] = 30
    noisy = (grey + np.random.default_rng(0).normal(0, 4, grey.shape)).clip(0, 255)
    found = load_ink_image(noisy.astype(np.uint8)) > 100
    assert found.sum() == pytest.approx(ink.sum(), rel=0.05)
