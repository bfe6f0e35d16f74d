"""`Augmentation`."""

from dataclasses import replace

import numpy as np
import pytest

from im2tex.errors import Im2TexError
from im2tex.ink.augment import Augmentation
from im2tex.ink.ink import Ink, Symbol

OFF = Augmentation(
    scale=(1, 1),
    stroke_width=(1, 1),
    rotation=0,
    slant=0,
    stretch=1,
    symbol_resize=1,
    symbol_rotation=0,
    symbol_shift=0,
    wobble=0,
)


def stroke(*points):
    return np.array(points, dtype=np.float32)


INK = Ink(
    (
        stroke((0, 0), (10, 20)),
        stroke((10, 0), (0, 20)),
        stroke((30, 10), (45, 10)),
        stroke((60, 20)),
    ),
    (Symbol("x", (0, 1), 0), Symbol("-", (2,), 1)),
)


KEPT = {"symbol_resize": 1.0, "symbol_rotation": 0.0, "symbol_shift": 0.0, "wobble": 0.0}


def test_augmentation_off_is_identity():
    assert OFF.apply(INK, np.random.default_rng(0)) is INK


def test_augmentation_is_deterministic_and_pure():
    before = [s.copy() for s in INK.strokes]
    one = Augmentation().apply(INK, np.random.default_rng(5))
    two = Augmentation().apply(INK, np.random.default_rng(5))
    other = Augmentation().apply(INK, np.random.default_rng(6))
    assert all(np.array_equal(a, b) for a, b in zip(one.strokes, two.strokes, strict=True))
    assert not np.array_equal(one.strokes[0], other.strokes[0])
    assert all(np.array_equal(a, b) for a, b in zip(INK.strokes, before, strict=True))


def test_augmentation_keeps_order_and_type():
    ink = Augmentation().apply(INK, np.random.default_rng(1))
    assert ink.symbols == INK.symbols
    assert [s.shape for s in ink.strokes] == [(2, 2), (2, 2), (2, 2), (1, 2)]
    assert all(s.dtype == np.float32 and np.isfinite(s).all() for s in ink.strokes)


def test_augmentation_factors_are_log_uniform():
    augmentation = Augmentation(scale=(0.5, 2.0), stroke_width=(0.25, 4.0))
    plan = augmentation.plan(np.random.default_rng(0).random((400, Augmentation.PLANNED_DRAWS)))
    drawn = np.log2([plan.stroke_width, plan.scale])
    assert abs(drawn).max(axis=1) == pytest.approx([2, 1], abs=0.05)
    # The means of 400 scatter by 0.06 and 0.03.
    assert drawn.mean(axis=1) == pytest.approx([0, 0], abs=0.25)


def test_augmentation_planned_matrix_is_slant_times_stretch_times_rotation():
    augmentation = Augmentation(rotation=10.0, slant=0.5, stretch=1.5)
    draws = np.array([[0.0, 0.0, 1.0, 0.25, 0.75]])  # rotation by 10, slant -0.25, half a stretch
    angle, half = np.radians(10), 1.5**0.25
    expected = (
        np.array([[1, 0], [0.25, 1]])
        @ np.diag([half, 1 / half])
        @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    )
    matrix = augmentation.plan(draws).matrix[0]
    assert matrix == pytest.approx(expected)
    ink = replace(augmentation, **KEPT).apply(INK, np.random.default_rng(0), matrix)
    assert ink.strokes[0] == pytest.approx(INK.strokes[0] @ expected, rel=1e-5)


def test_augmentation_rotation_keeps_lengths():
    ink = replace(OFF, rotation=10.0).apply(INK, np.random.default_rng(3))
    old = INK.strokes[2][1] - INK.strokes[2][0]
    new = ink.strokes[2][1] - ink.strokes[2][0]
    assert np.hypot(*new) == pytest.approx(np.hypot(*old), rel=1e-5)
    assert 0 < abs(np.degrees(np.arctan2(new[1], new[0]))) <= 10


def test_augmentation_slant_changes_vertical_lines_only():
    ink = replace(OFF, slant=0.5).apply(INK, np.random.default_rng(3))
    level = ink.strokes[2][1] - ink.strokes[2][0]
    assert level == pytest.approx([15, 0])
    leaning = (ink.strokes[0][1] - ink.strokes[0][0])[0] - 10
    assert 0 < abs(leaning) <= 0.5 * 20


def test_augmentation_stretch_keeps_area():
    ink = replace(OFF, stretch=1.5).apply(INK, np.random.default_rng(3))
    wide, high = ink.strokes[0][1] - ink.strokes[0][0]
    assert wide * high == pytest.approx(200, rel=1e-4)
    assert wide != pytest.approx(10, rel=1e-3)


def test_augmentation_moves_symbols_as_a_whole():
    ink = replace(OFF, symbol_resize=1.3, symbol_rotation=20, symbol_shift=0.2).apply(
        INK, np.random.default_rng(2)
    )
    assert np.array_equal(ink.strokes[3], INK.strokes[3])
    one = ink.strokes[0][1] - ink.strokes[0][0]
    two = ink.strokes[1][1] - ink.strokes[1][0]
    # Both strokes of the x are turned and resized alike: lengths and the angle between stay equal.
    assert np.hypot(*one) == pytest.approx(np.hypot(*two), rel=1e-4)
    assert one @ two / (np.hypot(*one) * np.hypot(*two)) == pytest.approx(300 / 500, rel=1e-4)
    crossing = (ink.strokes[0].mean(axis=0), ink.strokes[1].mean(axis=0))
    assert crossing[0] == pytest.approx(crossing[1], abs=1e-3)


def test_augmentation_symbols_vary_about_their_centres():
    augmentation = replace(OFF, symbol_resize=1.3, symbol_rotation=20, symbol_shift=0.2)
    varied = augmentation.apply(INK, np.random.default_rng(4))
    size = 20.0  # the median of 20, 20 and 15
    draws = np.random.default_rng(4).uniform(-1, 1, (4, 3))
    for i, (symbol, extent) in enumerate(zip(INK.symbols, (20.0, 15.0), strict=True)):
        points = np.concatenate([INK.strokes[k] for k in symbol.strokes])
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        angle, factor = np.radians(20) * draws[0, i], 1.3 ** draws[1, i]
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        shift = 0.2 * min(size, extent) * draws[2:, i]
        expected = factor * (points - centre) @ turn + centre + shift
        found = np.concatenate([varied.strokes[k] for k in symbol.strokes])
        assert found == pytest.approx(expected, abs=1e-4)


def test_augmentation_wobble_is_smooth():
    line = np.linspace((0, 0), (100, 0), 500, dtype=np.float32)
    ink = Ink((line, stroke((0, 10), (0, 20)), stroke((50, 10), (50, 20))))
    out = replace(OFF, wobble=0.1).apply(ink, np.random.default_rng(0))
    moved = out.strokes[0] - line
    assert 0 < abs(moved).max() < 5
    assert abs(np.diff(moved, axis=0)).max() < 0.5


def test_augmentation_single_dot():
    ink = Ink((stroke((3, 3)),), (Symbol(".", (0,), 0),))
    out = Augmentation().apply(ink, np.random.default_rng(0))
    assert np.isfinite(out.strokes[0]).all()


@pytest.mark.parametrize(
    "wrong",
    [{"scale": (0, 1)}, {"stroke_width": (2, 1)}, {"stretch": 0.9}, {"wobble": -1}],
)
def test_augmentation_values_out_of_range_are_errors(wrong):
    with pytest.raises(Im2TexError, match=next(iter(wrong))):
        Augmentation(**wrong)
