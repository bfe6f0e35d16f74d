"""Traces, continuations, definitions, groups and views, and labels."""

import numpy as np
import pytest

from im2tex.data.preprocessing import Preprocessing
from im2tex.ink.inkml import InkmlError, read_inkml


def read(body):
    return read_inkml(f'<ink xmlns="http://www.w3.org/2003/InkML">{body}</ink>'.encode())


def points(body):
    return [stroke.tolist() for stroke in read(body).ink.strokes]


def view(reference):
    return f'<traceView traceDataRef="{reference}"/>'


# ---------------------------------------------------------------- continued and pen-up traces


def test_continued_trace_is_one_stroke():
    body = (
        '<trace xml:id="a" continuation="begin">1 2, 3 4</trace><trace xml:id="z">9 9</trace>'
        '<trace xml:id="b" continuation="middle" priorRef="#a">5 6</trace>'
        '<trace xml:id="c" continuation="end" priorRef="#b">7 8,\'1\'1</trace>'
        f"<traceGroup><annotation>x</annotation>{view('#b')}{view('#c')}</traceGroup>"
    )
    found = read(body)
    strokes = [stroke.tolist() for stroke in found.ink.strokes]
    assert strokes == [[[1, 2], [3, 4], [5, 6], [7, 8], [8, 9]], [[9, 9]]]
    assert [(group.truth, group.strokes) for group in found.groups] == [("x", (0,))]
    assert found.empty == 0


@pytest.mark.parametrize("prior", ["", 'priorRef="#gone"', 'priorRef="#b"', 'priorRef="#c"'])
def test_continuation_of_nothing_is_its_own_stroke(prior):
    body = (
        f'<trace xml:id="a">1 2</trace><trace xml:id="b" continuation="end" {prior}>3 4</trace>'
        f'<trace xml:id="c" continuation="middle" priorRef="#c">5 6</trace>'
    )
    assert points(body) == [[[1, 2]], [[3, 4]], [[5, 6]]]


def test_pen_up_trace_is_not_drawn():
    body = '<trace xml:id="a" type="penUp">1 x</trace><trace type="indeterminate">3 4</trace>'
    assert points(body) == [[[3, 4]]]


# ---------------------------------------------------------------- definitions, groups, views

HIDDEN = '<trace xml:id="a">1 2</trace>'
SHOWN = '<trace xml:id="z">5 6</trace>'


@pytest.mark.parametrize(
    "definitions",
    [
        HIDDEN,
        f"<traceGroup>{HIDDEN}</traceGroup>",
        f'<traceGroup xml:id="g">{HIDDEN}</traceGroup>{view("#g")}',
    ],
)
def test_trace_of_definitions_is_not_drawn(definitions):
    assert points(f"<definitions>{definitions}</definitions>{SHOWN}") == [[[5, 6]]]


@pytest.mark.parametrize(
    "shown",
    [
        view("#a"),
        view("#g"),
        view("#v"),
        f"<traceView>{view('#a')}</traceView>",
        f"<traceGroup>{view('#a')}</traceGroup>",
        f"<traceGroup><traceGroup>{view('g')}</traceGroup></traceGroup>",
    ],
)
def test_trace_of_definitions_is_drawn_if_referenced(shown):
    definitions = f'<traceGroup xml:id="g">{HIDDEN}</traceGroup><traceView xml:id="v">{view("#a")}'
    body = f"<definitions>{definitions}</traceView></definitions>{SHOWN}{shown}"
    assert points(body) == [[[1, 2]], [[5, 6]]]


def test_traces_only_in_definitions_are_drawn_with_note():
    found = read(f"<definitions>{HIDDEN}</definitions>")
    assert [stroke.tolist() for stroke in found.ink.strokes] == [[[1, 2]]]
    assert "definitions" in found.notes[0]


def test_views_make_symbols_as_groups_do():
    body = (
        '<trace xml:id="a">1 2</trace><trace xml:id="b">3 4</trace><trace xml:id="c">5 6</trace>'
        f'<traceGroup xml:id="g">{view("#a")}{view("#c")}</traceGroup>'
        f"<traceView><annotation>x</annotation>{view('#g')}</traceView>"
        f"<traceView><annotation>y</annotation>{view('#b')}</traceView>"
    )
    assert [g.strokes for g in read(body).groups if g.truth] == [(0, 2), (1,)]


def test_groups_with_circular_references_end():
    body = (
        f'<trace xml:id="a">1 2</trace><traceGroup xml:id="g">{view("#h")}{view("#a")}</traceGroup>'
        f'<traceGroup xml:id="h">{view("#g")}</traceGroup>{view("#h")}'
    )
    assert [group.strokes for group in read(body).groups] == [(0,), (0,), (0,)]


def test_read_inkml_repeated_references_are_an_error():
    many = "".join(f'<trace xml:id="t{i}">1 2</trace>' for i in range(2000))
    all_of_them = "".join(view(f"#t{i}") for i in range(2000))
    body = f'{many}<traceGroup xml:id="g">{all_of_them}</traceGroup>' + view("#g") * 2000
    with pytest.raises(InkmlError, match="repeatedly"):
        read(body)


# ---------------------------------------------------------------- truth


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"label": "a_1", "normalizedLabel": "a_{1}"}, "a_{1}"),
        ({"label": "a_1"}, "a_1"),
        ({"label": "a_1", "normalizedLabel": ""}, "a_1"),
        ({"label": "l", "normalizedLabel": "n", "truth": "t"}, "t"),
        ({"label": "l", "truth": ""}, "l"),
        ({"label": ""}, None),
        ({"truth": ""}, ""),
        ({"writer": "w"}, None),
    ],
)
def test_label_is_crohmes_then_mathwritings(annotations, expected):
    body = "".join(f'<annotation type="{k}">{v}</annotation>' for k, v in annotations.items())
    assert read(f"{body}<trace>1 2</trace>").latex == expected


def test_mathwriting_file_is_read_with_strokes_and_label():
    channels = "".join(f'<channel name="{name}" type="decimal"/>' for name in "XYT")
    body = (
        f"<traceFormat>{channels}</traceFormat>"
        '<annotation type="label">x^2</annotation>'
        '<annotation type="normalizedLabel">x^{2}</annotation>'
        '<annotation type="sampleId">0a1b</annotation>'
        '<trace id="0">20.5 100.25 0.00,23.0 102.0 0.01</trace><trace id="1">5.0 6.0 0.5</trace>'
    )
    found = read(body)
    assert found.latex == "x^{2}"
    assert found.annotations["sampleId"] == "0a1b"
    strokes = [stroke.tolist() for stroke in found.ink.strokes]
    assert strokes == [[[20.5, 100.25], [23, 102]], [[5, 6]]]


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    "trace",
    [
        "3e38 3e38, -3e38 -3e38",
        "0 0, 1e-45 1e-45",
        "0 0, 1e-30 0",
        "0 0, 1e20 0",
        "1e300 0, 0 0",
        "0 nan, 1 1",
        "0 0, -inf 1",
        f"0 0, {'9' * 400} 1",
    ],
)
def test_ink_of_extreme_extent_is_an_error(trace):
    with pytest.raises(InkmlError, match=r"between 1e-06 and 1e\+12 units|not finite"):
        read(f"<trace>{trace}</trace>")


@pytest.mark.parametrize(
    ("unit", "offset"), [(1e-5, 0), (1e-3, 1000), (1, 1e9), (1, -1e12), (1e4, 1e15), (1e9, 0)]
)
def test_ink_is_drawn_alike_in_any_unit_and_position(unit, offset):
    x = np.linspace(0, 100, 40)
    strokes = [np.stack([x, 30 * np.cos(x / 5 + i)], axis=1) for i in range(3)]

    def drawn(unit, offset):
        traces = "".join(
            "<trace>"
            + ",".join(f"{x:.17g} {y:.17g}" for x, y in stroke * unit + offset)
            + "</trace>"
            for stroke in strokes
        )
        return Preprocessing().rasterize(read(traces).ink).image

    assert drawn(unit, offset).shape == drawn(1, 0).shape
