"""Points far away from the formula are skipped, or give a note."""

import numpy as np
import pytest

from im2tex.ink.inkml import read_inkml
from im2tex.ink.inkml.outliers import far_points


def zigzag(count=60, width=500.0, height=150.0):
    x = np.linspace(3000, 3000 + width, count)
    return np.stack([x, 3000 + height * (np.arange(count) % 2)], axis=1)


def ink(*strokes):
    traces = "".join(
        "<trace>" + ", ".join(f"{x} {y}" for x, y in stroke) + "</trace>" for stroke in strokes
    )
    return read_inkml(f"<ink>{traces}</ink>".encode())


@pytest.mark.parametrize(
    "dots",
    [
        [(0, 0)],
        [(3250, -90000)],
        [(9e9, 3000)],
        [(1e30, -1e30)],
        [(0, 0), (6500, 6500)],
        [(0, 0), (1e6, 1e6)],
        [(4500, 3050)],
    ],
)
def test_far_dot_is_skipped_with_note(dots):
    clean = ink(zigzag())
    read = ink(*([dot] for dot in dots), zigzag())
    assert len(read.ink.strokes) == 1
    assert read.ink.bounds == clean.ink.bounds
    assert read.notes == (f"points far away from the formula are skipped: {len(dots)}",)
    assert read.empty == 0


@pytest.mark.parametrize("at", [0, 30, 59])
def test_far_point_of_stroke_is_skipped_with_note(at):
    points = zigzag()
    points[at] = (0, -20000)
    read = ink(points, zigzag())
    assert [len(stroke) for stroke in read.ink.strokes] == [59, 60]
    assert read.notes


def test_far_point_of_eight_point_stroke_is_skipped():
    points = zigzag(8)
    points[0] = (0, 0)
    read = ink(points, zigzag())
    assert [len(stroke) for stroke in read.ink.strokes] == [7, 60]


def test_symbols_keep_strokes_when_another_is_skipped():
    trace = ", ".join(f"{x} {y}" for x, y in zigzag())
    read = read_inkml(
        (
            f'<ink><trace id="a">0 0</trace><trace id="b">{trace}</trace><traceGroup>'
            '<annotation type="truth">x</annotation><traceView traceDataRef="a"/>'
            '<traceView traceDataRef="b"/></traceGroup></ink>'
        ).encode()
    )
    assert [group.strokes for group in read.groups] == [(0,)]


@pytest.mark.parametrize(
    "strokes",
    [
        [zigzag()],
        [zigzag(), [(3900, 3075)]],  # a full stop after the formula
        [[(0, 0), (500, 10)], [(200, 300), (210, 320)]],
        [[(5, 5)]],
        [[(5, 5)], [(5, 5)]],
        [[(0, 0)], [(1000, 0)]],
        [zigzag(60, 30, 60), [(2000, 3030), (4000, 3030)]],  # a long bar of two points
        [zigzag(60, 30, 60), [(2990, 3060), (2995, 3070), (3000, 2990), (4000, 2990)]],  # a radical
        [zigzag(20, 50, 50), np.add(zigzag(20, 50, 50), (100, 0))],
    ],
)
def test_far_points_of_formulas_are_none(strokes):
    read = ink(*strokes)
    assert [len(stroke) for stroke in read.ink.strokes] == [len(stroke) for stroke in strokes]
    assert not read.notes


def test_many_points_far_away_are_kept_and_noted():
    left, right = (np.add(zigzag(6, 50, 50), (x, 0)) for x in (-20000, 20000))
    read = ink(left, zigzag(), right)
    assert len(read.ink.strokes) == 3
    assert "far apart" in read.notes[0]


def test_far_points_of_coinciding_points_are_none():
    assert not far_points([np.ones((50, 2)), np.zeros((1, 2))]).any()
