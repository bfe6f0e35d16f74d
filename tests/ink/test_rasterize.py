"""`rasterize.draw` and its sizes."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from im2tex.ink import rasterize
from im2tex.ink.ink import Ink


def stroke(*points):
    return np.array(points, dtype=np.float32)


def test_draw_shape_is_extent_plus_pen_plus_padding():
    # 10 x 4 units at 3 pixels a unit = 30 x 12; pen 2; padding 5 on each side.
    strokes = [stroke((100, 50), (110, 54))]
    image = rasterize.draw(Ink(tuple(strokes)), 3.0, 2.0, 5)
    assert image.shape == (12 + 2 + 10, 30 + 2 + 10)
    assert image.shape == rasterize.raster_size(Ink(tuple(strokes)), 3.0, 2.0, 5)
    assert image.dtype == np.uint8
    assert not image[:5].any()
    assert not image[-5:].any()
    assert not image[:, :5].any()
    assert not image[:, -5:].any()


def test_draw_bar_has_stroke_width():
    image = rasterize.draw(Ink((stroke((0, 0), (20, 0)),)), 1.0, 3.0, 1)
    column = image[:, 12].astype(int)
    assert column.tolist() == [0, 255, 255, 255, 0]


@pytest.mark.parametrize("thickness", [1.0, 1.5, 2.0, 2.4, 3.0, 4.7])
def test_draw_ink_mass_is_proportional_to_stroke_width(thickness):
    slanted = [stroke((0, 0), (40, 23))]
    mass = rasterize.draw(Ink(tuple(slanted)), 1.0, thickness, 3).sum() / 255
    pen = round(3 * thickness) / 3
    expected = pen * math.hypot(40, 23) + math.pi * (pen / 2) ** 2
    assert mass == pytest.approx(expected, rel=0.15)


def test_draw_single_point_is_round_dot():
    image = rasterize.draw(Ink((stroke((7, 7)),)), 5.0, 6.0, 2)
    assert image.shape == (10, 10)
    assert image.sum() / 255 == pytest.approx(math.pi * 9, rel=0.08)
    assert np.array_equal(image, image.T)


def test_draw_dense_points_do_not_change_line():
    ends = [stroke((0, 0), (30, 30))]
    dense = [np.linspace((0, 0), (30, 30), 4000, dtype=np.float32)]
    difference = rasterize.draw(Ink(tuple(ends)), 1, 2, 1).astype(int) - rasterize.draw(
        Ink(tuple(dense)), 1, 2, 1
    )
    assert abs(difference).mean() < 4


def test_draw_includes_both_ends_of_strokes():
    strokes = [stroke((0, 0), (0.1, 0)), stroke((9, 0), (9.05, 0)), stroke((18, 0), (27, 0))]
    image = rasterize.draw(Ink(tuple(strokes)), 1, 1, 0)
    assert image[0, [0, 9, 18, 27]].min() > 100


def draw_simply(ink, scale, stroke_width, padding):
    """As `draw`: lines of one cell, a disc around each cell, means of blocks of 3 x 3."""
    pen = max(1, round(3 * stroke_width))
    height, width = rasterize.raster_size(ink, scale, stroke_width, padding)
    canvas = Image.new("1", (3 * width + pen, 3 * height + pen))
    left, top = np.concatenate(ink.strokes).min(axis=0)
    for points in ink.strokes:
        cells = (points - (left, top)) * np.float32(3 * scale) + np.float32(3 * padding + 0.5)
        ImageDraw.Draw(canvas).line([*map(tuple, cells.tolist()), tuple(cells[-1].tolist())], 1)
    middle, radius = (pen - 1) / 2, pen / 2 - 0.1
    rows, columns = np.indices((pen, pen))
    disc = (rows - middle) ** 2 + (columns - middle) ** 2 <= radius**2
    fine = np.zeros((3 * height + 2 * pen, 3 * width + 2 * pen), bool)
    for row, column in np.argwhere(disc if pen > 1 else [[True]]):
        fine[row : row + canvas.height, column : column + canvas.width] |= np.array(canvas)
    blocks = fine[: 3 * height, : 3 * width].reshape(height, 3, width, 3)
    return np.rint(255 * blocks.mean(axis=(1, 3))).astype(np.uint8)


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("stroke_width", [k / 3 for k in range(1, 19)])
def test_draw_pixels_are_those_of_simple_drawing(stroke_width, padding):
    rng = np.random.default_rng(0)
    # Points are farther apart than those that are left out.
    steps = rng.uniform(1, 4, (4, 5, 2)) * rng.choice([-1, 1], (4, 5, 2))
    ink = Ink(tuple(steps.cumsum(axis=1).astype(np.float32)))
    image = rasterize.draw(ink, 1.7, stroke_width, padding)
    assert np.array_equal(image, draw_simply(ink, 1.7, stroke_width, padding))
    strided = rasterize.draw(ink, 1.7, stroke_width, padding, (8, 16))
    assert strided.shape == (-(-image.shape[0] // 8) * 8, -(-image.shape[1] // 16) * 16)
    assert np.array_equal(strided[: image.shape[0], : image.shape[1]], image)
    assert strided.sum() == image.sum()


@pytest.mark.parametrize(("scale", "stroke_width"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_draw_invalid_arguments_are_refused(scale, stroke_width):
    with pytest.raises(ValueError, match="must be positive"):
        rasterize.draw(Ink((stroke((0, 0)),)), scale, stroke_width, 0)
    with pytest.raises(ValueError, match="without strokes"):
        rasterize.draw(Ink(()), 1, 1, 0)
