"""Frames, letterboxes and dark edges are removed; bars and boxes of formulas are kept."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sheet_factory import HEIGHT, WIDTH, encoded, jpeg, sheet, similarity

from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.images.surroundings import remove_surroundings
from im2tex.ink.rasterize import draw


def framed(levels, colour, width, radius=0):
    picture = Image.fromarray(levels).convert("RGB")
    box = (0, 0, picture.width - 1, picture.height - 1)
    ImageDraw.Draw(picture).rounded_rectangle(box, radius, outline=colour, width=width)
    return picture


@pytest.mark.parametrize("width", [1, 2, 5, 12])
@pytest.mark.parametrize("colour", [(0, 0, 0), (230, 20, 20), (150, 150, 150), (215, 215, 215)])
def test_load_ink_image_of_a_framed_sheet_gives_the_formula(colour, width):
    picture = framed(sheet(), colour, width)
    assert similarity(encoded(picture)) > 0.95
    assert similarity(encoded(picture, "JPEG", quality=75)) > 0.95


@pytest.mark.parametrize("width", [1, 2, 5, 12])
@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 255, 120), (120, 120, 120)])
def test_load_ink_image_of_a_dark_sheet_with_a_light_frame_gives_the_formula(colour, width):
    assert similarity(framed(sheet(10, 240), colour, width)) > 0.95


@pytest.mark.parametrize("radius", [10, 25, 50])
def test_load_ink_image_of_a_rounded_frame_gives_the_formula(radius):
    assert similarity(framed(sheet(), (0, 0, 0), 4, radius)) > 0.95


@pytest.mark.parametrize("sides", ["t", "b", "l", "r", "tl", "br", "tb", "tlr"])
@pytest.mark.parametrize("width", [1, 6, 12])
def test_load_ink_image_of_lines_on_some_sides_gives_the_formula(sides, width):
    levels = sheet()
    places = {"t": np.s_[:width], "b": np.s_[-width:]}
    places |= {"l": np.s_[:, :width], "r": np.s_[:, -width:]}
    for side in sides:
        levels[places[side]] = 0
    assert similarity(levels) > 0.95


@pytest.mark.parametrize("bars", [((30, 30), (0, 0)), ((400, 400), (0, 0)), ((0, 0), (90, 20))])
@pytest.mark.parametrize(("paper", "ink", "level"), [(255, 0, 0), (245, 150, 20), (0, 255, 255)])
def test_load_ink_image_of_a_letterbox_gives_the_formula(bars, paper, ink, level):
    levels = np.pad(sheet(paper, ink), bars, constant_values=level)
    assert similarity(levels) > 0.95
    assert similarity(np.pad(levels, 40, constant_values=level)) > 0.95


def edges():
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    yield "left", x < 0.06
    yield "right and bottom", (x > 0.94) | (y > 0.93)
    yield "slanted", x < 0.06 * (1 - y)
    yield "all around", (x < 0.06) | (x > 0.94) | (y < 0.1) | (y > 0.92)


@pytest.mark.parametrize(("name", "dark"), [pytest.param(*edge, id=edge[0]) for edge in edges()])
def test_load_ink_image_of_a_scan_with_dark_edges_gives_the_formula(name, dark):
    levels = np.where(dark, 15, sheet(235, 45)) + np.random.default_rng(0).normal(
        0, 4, (HEIGHT, WIDTH)
    )
    levels = levels.clip(0, 255).astype(np.uint8)
    assert similarity(levels) > 0.95
    assert similarity(jpeg(levels)) > 0.95


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("margin", [0, 1, 4, 20])
@pytest.mark.parametrize(
    "tokens",
    [(r"\frac", *"{ab}{c}"), (r"\sqrt", *"{x+1}"), tuple("|x|"), tuple("=-"), tuple("[8]")],
)
def test_remove_surroundings_keeps_bars_of_formula(tokens, margin, inverted):
    for pen in (2, 6):
        levels = 255 - draw(typeset(tokens), 40 / 1.0, pen, 0)
        rows, columns = (np.flatnonzero((levels < 128).any(axis)) for axis in (1, 0))
        levels = levels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        levels = np.pad(levels, margin, constant_values=255)
        levels = 255 - levels if inverted else levels
        assert remove_surroundings(levels) is levels


@pytest.mark.parametrize("width", [1, 3, 8])
@pytest.mark.parametrize("margin", [3, 10])
def test_remove_surroundings_keeps_box_inside_paper(width, margin):
    boxed = np.asarray(framed(sheet(), (0, 0, 0), width).convert("L"))
    levels = np.pad(boxed, margin, constant_values=255)
    assert remove_surroundings(levels) is levels


def test_remove_surroundings_keeps_overline_of_cropped_formula():
    levels = np.pad(sheet()[45:, 50:], ((6, 0), (0, 0)), constant_values=255)
    rows, columns = (np.flatnonzero((levels < 128).any(axis)) for axis in (1, 0))
    levels = levels[: rows[-1] + 1, : columns[-1] + 1].copy()
    levels[:3] = 0
    assert remove_surroundings(levels) is levels
