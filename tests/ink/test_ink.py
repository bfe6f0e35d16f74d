"""`Ink`: points in one array, and boxes."""

import numpy as np
import pytest

from im2tex.ink.ink import Ink, Symbol


def stroke(*points):
    return np.array(points, dtype=np.float32)


STROKES = (stroke((0, 5), (10, 20)), stroke((30, 10), (45, 10), (40, -2)), stroke((60, 20)))
SYMBOLS = (Symbol("x", (0, 2), 0), Symbol("-", (1,), 1), Symbol("y", (), 2))
INK = Ink(STROKES, SYMBOLS)


def test_ink_boxes_are_those_of_strokes():
    assert INK.boxes.tolist() == [[0, 5, 10, 20], [30, -2, 45, 10], [60, 20, 60, 20]]
    assert INK.bounds == (0, -2, 60, 20)


def test_ink_symbol_boxes_surround_their_strokes():
    assert INK.symbol_boxes[:2].tolist() == [[0, 5, 60, 20], [30, -2, 45, 10]]
    assert np.isnan(INK.symbol_boxes[2]).all()


def test_ink_of_points_has_views_as_strokes():
    points = np.concatenate(STROKES)
    ink = Ink.of_points(points, [0, 2, 5, 6], SYMBOLS)
    assert [one.tolist() for one in ink.strokes] == [one.tolist() for one in STROKES]
    assert ink.points is points
    assert all(one.base is points for one in ink.strokes)
    assert np.array_equal(ink.boxes, INK.boxes)


def test_ink_without_strokes_has_no_bounds():
    with pytest.raises(ValueError, match="no bounds"):
        _ = Ink(()).bounds
