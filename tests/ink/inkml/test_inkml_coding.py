"""All codings of a value in section 3.2.1 of the InkML recommendation."""

import numpy as np
import pytest

from im2tex.ink.inkml.coding import CodingError, decode_trace
from im2tex.ink.inkml.contexts import TraceFormat

XY = TraceFormat()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20 100,'3'3,4 4", [(20, 100), (23, 103), (27, 107)]),
        ("20 100, '3 '3, 4 4", [(20, 100), (23, 103), (27, 107)]),
        # Velocity (1, 2), then accelerations (1, 1) and (0, -1).
        ("0 0,'1'2,\"1\"1,0 -1", [(0, 0), (1, 2), (3, 5), (5, 7)]),
        ("0 0,'1'1,!7!8,9 10", [(0, 0), (1, 1), (7, 8), (9, 10)]),
        # Each channel keeps its own coding.
        ("0 0,'1 5,1 6", [(0, 0), (1, 5), (2, 6)]),
        # After explicit values the second difference goes on from their velocity.
        ('0 0,2 3,"1"1', [(0, 0), (2, 3), (5, 7)]),
        ("#A #1f,'#2'-#1", [(10, 31), (12, 30)]),
        ("-#A - 5", [(-10, -5)]),
        ("1 2,* 3,4 *", [(1, 2), (1, 3), (4, 3)]),
        # The recommendation: the wildcard repeats a velocity, or an acceleration.
        ("0 0,'1'2,* *,*3", [(0, 0), (1, 2), (2, 4), (3, 7)]),
        ("0 0,'1'1,\"1\"1,**", [(0, 0), (1, 1), (3, 3), (6, 6)]),
        ("1 2,? 3,4 5", [(1, 2), (4, 5)]),
        ("1-2,+3+4,5-.5", [(1, -2), (3, 4), (5, -0.5)]),
        ("1e1 2E-1,3.e0 .4", [(10, 0.2), (3, 0.4)]),
        ("!-0!1", [(0, 1)]),
    ],
)
def test_coded_values_decode_to_points(text, expected):
    np.testing.assert_allclose(decode_trace(text, XY), expected)


def test_example_of_the_recommendation_decodes_to_its_table():
    form = TraceFormat(0, 1, 2, 2)
    text = "1125 18432,'23'43,\"7\"-8,3-5,7 -3,6 2,6 8,3 6 T,2 4*T,3 6,3-6 F F"
    x, vx, y, vy = 1125, 23, 18432, 43
    expected = [(x, y), (x := x + vx, y := y + vy)]
    for ax, ay in [(7, -8), (3, -5), (7, -3), (6, 2), (6, 8), (3, 6), (2, 4), (3, 6), (3, -6)]:
        vx, vy = vx + ax, vy + ay
        expected.append((x := x + vx, y := y + vy))
    np.testing.assert_array_equal(decode_trace(text, form), expected)


def test_decode_trace_booleans_in_other_channels_are_ignored():
    form = TraceFormat(1, 2, 3)
    np.testing.assert_array_equal(decode_trace("T 1 2,F 3 4,T'1'1", form), [(1, 2), (3, 4), (4, 5)])


def test_position_in_an_intermittent_channel_stays_until_the_next():
    form = TraceFormat(0, 1, 1, 1)
    np.testing.assert_array_equal(decode_trace("1 2,3,4 5", form), [(1, 2), (3, 2), (4, 5)])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("'1'2,3 4", "no point before it"),
        ("* 2", "no point before it"),
        ("1", "too few"),
        ("1 2,3", "too few"),
        ("T 2", "no number"),
        ("1 x", "no number"),
        ("1 2.3.4", "no number"),
        ("1 2_0", "no number"),
        ("1 \uff12", "no number"),
        ("1 ''2", "no number"),
        ("1 #G", "no number"),
        ("1 --2", "no number"),
    ],
)
def test_decode_trace_invalid_values_are_refused(text, reason):
    with pytest.raises(CodingError, match=reason):
        decode_trace(text, XY)


@pytest.mark.parametrize("number", ["9" * 5000, "#" + "F" * 5000, "1e999", "-inf", "nan"])
def test_decode_trace_huge_numbers_are_infinite(number):
    assert not np.isfinite(decode_trace(f"1 2,3 {number}", XY)).all()


def test_message_of_a_long_point_is_short():
    with pytest.raises(CodingError) as caught:
        decode_trace("1 " + "x" * 100_000, XY)
    assert len(str(caught.value)) < 200
