"""Trace formats and contexts."""

import numpy as np
import pytest

from im2tex.ink.inkml import read_inkml

XY = '<channel name="X"/><channel name="Y"/>'
TXY = '<channel name="T"/><channel name="X"/><channel name="Y"/>'


def fmt(channels, attributes=""):
    return f"<traceFormat {attributes}>{channels}</traceFormat>"


def points(body):
    data = f'<ink xmlns="http://www.w3.org/2003/InkML">{body}</ink>'.encode()
    return [stroke.tolist() for stroke in read_inkml(data).ink.strokes]


PEN = f'<context xml:id="pen">{fmt(XY)}</context>'
MOUSE = f'<context xml:id="mouse">{fmt(TXY)}</context>'
BOTH = '<trace contextRef="#pen">1 2, 3 4</trace><trace contextRef="#mouse">9 5 6, 9 7 8</trace>'


@pytest.mark.parametrize("contexts", [PEN + MOUSE, MOUSE + PEN])
def test_context_reference_chooses_the_trace_format(contexts):
    assert points(f"<definitions>{contexts}</definitions>{BOTH}") == [
        [[1, 2], [3, 4]],
        [[5, 6], [7, 8]],
    ]


def test_definitions_after_the_traces_are_obeyed():
    assert points(f"{BOTH}<definitions>{PEN}{MOUSE}</definitions>") == [
        [[1, 2], [3, 4]],
        [[5, 6], [7, 8]],
    ]


@pytest.mark.parametrize(
    ("definitions", "reference"),
    [
        (fmt(TXY, 'xml:id="f"'), 'traceFormatRef="#f"'),
        (fmt(TXY, 'id="f"'), 'traceFormatRef="f"'),
        (fmt(TXY, 'xml:id="f"') + '<context xml:id="c" traceFormatRef="#f"/>', 'contextRef="#c"'),
        (f'<context xml:id="c"><inkSource>{fmt(TXY)}</inkSource></context>', 'contextRef="#c"'),
        (
            f'<inkSource xml:id="s">{fmt(TXY)}</inkSource><context xml:id="c" inkSourceRef="#s"/>',
            'contextRef="#c"',
        ),
        (
            f'<context xml:id="a">{fmt(TXY)}</context><context xml:id="c" contextRef="#a"/>',
            'contextRef="#c"',
        ),
    ],
    ids=["format", "bare", "format_of_context", "source", "source_reference", "inherited"],
)
def test_trace_format_is_found_by_every_reference(definitions, reference):
    others = fmt(XY, 'xml:id="other"')
    body = f"<definitions>{others}{definitions}</definitions><trace {reference}>9 1 2</trace>"
    assert points(body) == [[[1, 2]]]


def test_context_of_a_group_holds_for_its_traces():
    body = (
        f'<definitions>{PEN}{MOUSE}</definitions><traceGroup contextRef="#mouse">'
        "<trace>9 1 2</trace><traceGroup><trace>9 3 4</trace></traceGroup>"
        '<trace contextRef="#pen">5 6</trace></traceGroup>'
    )
    assert points(body) == [[[1, 2]], [[3, 4]], [[5, 6]]]


def test_format_outside_definitions_holds_from_there_on():
    body = f"<trace>1 2</trace>{MOUSE}<trace>9 3 4</trace>{fmt(XY)}<trace>5 6 9</trace>"
    assert points(body) == [[[1, 2]], [[3, 4]], [[5, 6]]]


def test_trace_format_without_reference_is_the_only_one_of_the_definitions():
    assert points(f"<definitions>{MOUSE}</definitions><trace>9 1 2</trace>") == [[[1, 2]]]


def test_trace_without_reference_among_several_contexts_is_x_and_y():
    body = f"<definitions>{MOUSE}{PEN}</definitions><trace>1 2</trace>"
    assert points(body) == [[[1, 2]]]


def test_default_context_is_x_and_y():
    assert points(f'{MOUSE}<trace contextRef="#DefaultContext">1 2 3</trace>') == [[[1, 2]]]


@pytest.mark.parametrize(
    "loop",
    [
        '<context xml:id="a" contextRef="#a"/>',
        '<context xml:id="a" contextRef="#b"/><context xml:id="b" contextRef="#a"/>',
    ],
)
def test_contexts_in_a_loop_end(loop):
    body = f'<definitions>{loop}</definitions><trace contextRef="#a">1 2</trace>'
    assert points(body) == [[[1, 2]]]


def test_reference_to_nothing_is_noted():
    read = read_inkml(b'<ink><trace contextRef="#gone">1 2</trace></ink>')
    assert any("'#gone'" in note for note in read.notes)


def test_channel_names_in_lower_case_are_known():
    body = fmt('<channel name="t"/><channel name="y"/><channel name="x"/>')
    assert points(f"{body}<trace>9 2 1</trace>") == [[[1, 2]]]


def test_intermittent_channels_may_be_missing_at_the_end_of_a_point():
    channels = (
        '<intermittentChannels><channel name="S1" type="boolean"/><channel name="F"/>'
        f"</intermittentChannels>{XY}"
    )
    assert points(f"{fmt(channels)}<trace>1 2, 3 4 T, 5 6 * 0.5, 7 8</trace>") == [
        [[1, 2], [3, 4], [5, 6], [7, 8]]
    ]


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ("+ve", "+ve", [[1, 2], [3, 5]]),
        ("+ve", "-ve", [[1, -2], [3, -5]]),
        ("-ve", "+ve", [[-1, 2], [-3, 5]]),
        ("-ve", "-ve", [[-1, -2], [-3, -5]]),
    ],
)
def test_orientation_turns_the_axis(x, y, expected):
    channels = f'<channel name="X" orientation="{x}"/><channel name="Y" orientation="{y}"/>'
    assert points(f"{fmt(channels)}<trace>1 2, 3 5</trace>") == [expected]


def source(x, y, units="1/cm"):
    properties = "".join(
        f'<channelProperty channel="{name}" name="resolution" value="{value}" units="{units}"/>'
        for name, value in (("X", x), ("Y", y))
    )
    return f"<inkSource>{fmt(XY)}<channelProperties>{properties}</channelProperties></inkSource>"


@pytest.mark.parametrize(
    ("declared", "y"),
    [
        (fmt('<channel name="X" units="cm"/><channel name="Y" units="mm"/>'), 2.0),
        (fmt('<channel name="X" units="in"/><channel name="Y" units="pt"/>'), 20 / 72),
        (source(100, 200), 10.0),
        (source(100, 200, "1/dev"), 10.0),
        (source(100, 200, "dpi"), 10.0),
        # What says nothing, or cannot be true, changes nothing.
        (source(100, 100), 20.0),
        (source(100, 0), 20.0),
        (source(100, "nan"), 20.0),
        (source(1, 1e300), 20.0),
        (fmt('<channel name="X" units="cm"/><channel name="Y" units="dev"/>'), 20.0),
    ],
)
def test_unit_of_y_is_brought_to_that_of_x(declared, y):
    np.testing.assert_allclose(points(f"{declared}<trace>10 0, 0 20</trace>"), [[[10, 0], [0, y]]])


def test_contexts_of_different_units_are_brought_to_the_first():
    body = (
        '<definitions><context xml:id="a">'
        + fmt('<channel name="X" units="cm"/><channel name="Y" units="cm"/>')
        + '</context><context xml:id="b">'
        + fmt('<channel name="X" units="mm"/><channel name="Y" units="mm"/>')
        + '</context></definitions><trace contextRef="#a">1 2, 3 4</trace>'
        '<trace contextRef="#b">10 20, 30 40</trace>'
    )
    first, second = points(body)
    np.testing.assert_allclose(second, first)
