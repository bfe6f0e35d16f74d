"""`rasterize.draw` and its sizes."""

import math

import numpy as np
import pytest

from im2tex.ink import rasterize


def stroke(*points):
    return np.array(points, dtype=np.float32)


def test_draw_shape_is_extent_plus_pen_plus_padding():
    # 10 x 4 units at 3 pixels a unit = 30 x 12; pen 2; padding 5 on each side.
    strokes = [stroke((100, 50), (110, 54))]
    image = rasterize.draw(strokes, 3.0, 2.0, 5)
    assert image.shape == (12 + 2 + 10, 30 + 2 + 10)
    assert image.shape == rasterize.raster_size(strokes, 3.0, 2.0, 5)
    assert image.dtype == np.uint8
    assert not image[:5].any()
    assert not image[-5:].any()
    assert not image[:, :5].any()
    assert not image[:, -5:].any()


def test_draw_bar_has_stroke_width():
    image = rasterize.draw([stroke((0, 0), (20, 0))], 1.0, 3.0, 1)
    column = image[:, 12].astype(int)
    assert column.tolist() == [0, 255, 255, 255, 0]


@pytest.mark.parametrize("thickness", [1.0, 1.5, 2.0, 2.4, 3.0, 4.7])
def test_draw_ink_mass_is_proportional_to_stroke_width(thickness):
    slanted = [stroke((0, 0), (40, 23))]
    mass = rasterize.draw(slanted, 1.0, thickness, 3).sum() / 255
    pen = round(3 * thickness) / 3
    expected = pen * math.hypot(40, 23) + math.pi * (pen / 2) ** 2
    assert mass == pytest.approx(expected, rel=0.15)


def test_draw_single_point_is_round_dot():
    image = rasterize.draw([stroke((7, 7))], 5.0, 6.0, 2)
    assert image.shape == (10, 10)
    assert image.sum() / 255 == pytest.approx(math.pi * 9, rel=0.08)
    assert np.array_equal(image, image.T)


def test_draw_dense_points_do_not_change_line():
    ends = [stroke((0, 0), (30, 30))]
    dense = [np.linspace((0, 0), (30, 30), 4000, dtype=np.float32)]
    difference = rasterize.draw(ends, 1, 2, 1).astype(int) - rasterize.draw(dense, 1, 2, 1)
    assert abs(difference).mean() < 4


def test_draw_includes_both_ends_of_strokes():
    strokes = [stroke((0, 0), (0.1, 0)), stroke((9, 0), (9.05, 0)), stroke((18, 0), (27, 0))]
    image = rasterize.draw(strokes, 1, 1, 0)
    assert image[0, [0, 9, 18, 27]].min() > 100


@pytest.mark.parametrize(("scale", "stroke_width"), [(0, 1), (1, 0), (-1, 1), (float("nan"), 1)])
def test_draw_invalid_arguments_are_refused(scale, stroke_width):
    with pytest.raises(ValueError, match="must be positive"):
        rasterize.draw([stroke((0, 0))], scale, stroke_width, 0)
    with pytest.raises(ValueError, match="no stroke"):
        rasterize.draw([], 1, 1, 0)
