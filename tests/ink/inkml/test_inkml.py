"""`read_inkml` on the forms of InkML that CROHME uses, and its errors."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from im2tex.errors import Im2TexError
from im2tex.ink.inkml import InkmlError, read_inkml

CHANNELS = '<traceFormat><channel name="X"/><channel name="Y"/></traceFormat>'


def ink(body: str, attributes: str = 'xmlns="http://www.w3.org/2003/InkML"') -> bytes:
    return f"<ink {attributes}>{body}</ink>".encode()


def points(data: bytes) -> list[list[list[float]]]:
    return [stroke.tolist() for stroke in read_inkml(data).ink.strokes]


@pytest.mark.parametrize(
    "text",
    [
        "1 2, 3 4",
        "\n1 2, 3 4\n",
        "1 2,3 4",
        " 1\t2 ,  3   4 ",
        "1 2\n,\n3 4",
        "1.0 2.0, 3e0 +4",
        "1 2, 3 4,",
    ],
)
def test_read_inkml_spacing_and_number_formats(text):
    assert points(ink(f'{CHANNELS}<trace id="0">{text}</trace>')) == [[[1, 2], [3, 4]]]


def test_read_inkml_points_without_commas():
    assert points(ink(f'{CHANNELS}<trace id="0">1 2 3 4 5 6</trace>')) == [[[1, 2], [3, 4], [5, 6]]]


def test_read_inkml_other_channels_are_ignored():
    timed = (
        '<traceFormat><channel name="T"/><channel name="Y"/><channel name="X"/></traceFormat>'
        '<trace id="0">900 2 1, 901 4 3</trace>'
    )
    assert points(ink(timed)) == [[[1, 2], [3, 4]]]


def test_read_inkml_undeclared_pressure_is_ignored():
    # Three numbers a point, and nothing that says so: x and y come first.
    assert points(ink('<trace id="0">1 2 0.5, 3 4 0.7</trace>')) == [[[1, 2], [3, 4]]]


def test_read_inkml_points_of_unequal_width():
    assert points(ink('<trace id="0">1 2 9, 3 4</trace>')) == [[[1, 2], [3, 4]]]


@pytest.mark.parametrize(
    "data",
    [
        b'<ink><trace id="0">1 2</trace></ink>',
        b'<i:ink xmlns:i="http://www.w3.org/2003/InkML"><i:trace id="0">1 2</i:trace></i:ink>',
        b'<i:ink><i:trace id="0">1 2</i:trace></i:ink>',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\n<ink><trace id="0">1 2</trace></ink>',
        b'<?xml version="1.0"?><!-- <trace>7 7</trace> --><ink><trace id="0">1 2</trace></ink>',
        '<?xml version="1.0" encoding="UTF-16"?><ink><trace>1 2</trace></ink>'.encode("utf-16"),
        b'<ink><annotation type="x">&nbsp;a & b&lt;\xe9\x00</annotation><trace>1 2</trace></ink>',
        b"<ink><definitions><trace xml:id='0'>1 2</trace></definitions></ink>",
        b'<ink><traceGroup><trace id="0" type="penDown">1 2</trace></traceGroup></ink>',
    ],
    ids=[
        "bare",
        "prefix",
        "undeclared",
        "bom",
        "comment",
        "utf16",
        "entity",
        "definitions",
        "group",
    ],
)
def test_read_inkml_namespaces_and_encodings(data):
    assert points(data) == [[[1, 2]]]


def test_read_inkml_empty_traces_are_skipped_and_counted():
    data = ink(
        '<trace id="a"></trace><trace id="b">1 2</trace><trace id="c"/>'
        '<trace id="d">5 6, 7 8</trace>'
        '<traceGroup><traceGroup><annotation type="truth">x</annotation>'
        '<traceView traceDataRef="a"/><traceView traceDataRef="#d"/></traceGroup></traceGroup>'
    )
    read = read_inkml(data)
    assert [len(stroke) for stroke in read.ink.strokes] == [1, 2]
    assert read.empty == 2
    assert [(g.truth, g.strokes) for g in read.groups] == [("x", (1,))]


def test_read_inkml_pen_up_traces_are_ignored():
    data = ink('<trace id="0">1 2</trace><trace id="1" type="penUp">9 9, 8 8</trace>')
    assert points(data) == [[[1, 2]]]


def test_read_inkml_label_and_annotations():
    data = ink(
        '<annotation type="UI">"2009210-947-0.ink"</annotation>'
        '<annotation type="writer">w7</annotation>'
        '<annotation type="truth">$x &lt; 2$</annotation>'
        '<annotationXML type="truth" encoding="Content-MathML">'
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi xml:id="x_1">x</mi></math>'
        "</annotationXML>"
        '<trace id="0">1 2, 3 4</trace>'
        '<traceGroup xml:id="g"><annotation type="truth">Segmentation</annotation>'
        '<traceGroup xml:id="s"><annotation type="truth">x</annotation>'
        '<traceView traceDataRef="0"/><annotationXML href="x_1"/></traceGroup></traceGroup>'
    )
    read = read_inkml(data)
    assert read.ui == "2009210-947-0.ink"
    assert read.writer == "w7"
    assert read.latex == "$x < 2$"
    assert read.math is not None
    assert [child.text for child in read.math] == ["x"]
    assert [(g.truth, g.href, g.strokes) for g in read.groups] == [("x", "x_1", (0,))]
    assert [(s.token, s.strokes, s.position) for s in read.ink.symbols] == [("x", (0,), -1)]


def test_read_inkml_misspelt_attribute_of_2013():
    data = ink('<annotation typx="truth">x</annotation><trace id="0">1 2</trace>')
    assert read_inkml(data).latex == "x"


def test_read_inkml_float32_strokes_and_groups_without_mathml():
    read = read_inkml(
        ink(
            '<trace id="0">1 2</trace><traceGroup><annotation type="truth">a</annotation>'
            '<traceView traceDataRef="0"/></traceGroup>'
        )
    )
    assert read.ink.strokes[0].dtype == np.float32
    assert read.groups[0].href == ""
    assert read.math is None
    assert read.latex is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (ink('<trace id="0">1 2, 3 4</trace>')[:-9], "cut off"),
        (ink('<trace id="0">1 2, 3 4')[:-6], "cut off"),
        (b"\x89PNG\r\n", "not well-formed"),
        (ink(""), "no stroke"),
        (ink('<trace id="0"> </trace>'), "no stroke"),
        (ink('<trace id="0">1 2, nan 4</trace>'), "not finite"),
        (ink('<trace id="0">1 2, inf 4</trace>'), "not finite"),
        (ink('<trace id="0">1 2, 1e60 4</trace>'), "not finite"),
        (ink('<trace id="0">1 2, 99999999999999999999999999999999999999999 4</trace>'), "finite"),
        (ink('<trace id="0">1 2, 3</trace>'), "too few"),
        (ink('<trace id="0">1 2, 3 x</trace>'), "no number"),
        (ink('<trace id="0">1 2, 3 4.5.6</trace>'), "no number"),
    ],
)
def test_read_inkml_without_ink_error_has_file_and_reason(data, reason):
    with pytest.raises(InkmlError, match=reason) as caught:
        read_inkml(data, "folder/a.inkml")
    assert isinstance(caught.value, Im2TexError)
    assert caught.value.file == "folder/a.inkml"
    assert "folder/a.inkml" in str(caught.value)


def test_read_inkml_path_and_missing_path(tmp_path):
    path = tmp_path / "a.inkml"
    path.write_bytes(ink('<trace id="0">1 2</trace>'))
    assert len(read_inkml(path).ink.strokes) == 1
    with pytest.raises(InkmlError, match=r"b\.inkml"):
        read_inkml(tmp_path / "b.inkml")


def test_read_inkml_entity_bomb_is_not_expanded():
    # Ten levels of ten: 10**10 characters, were they expanded.
    levels = zip("abcdefghij", "bcdefghijk", strict=True)
    declarations = "".join(f'<!ENTITY {outer} "{f"&{inner};" * 10}">' for inner, outer in levels)
    bomb = (
        f'<!DOCTYPE ink [<!ENTITY a "a">{declarations}]>'
        "<ink><annotation type='note'>&k;</annotation><trace>1 2</trace></ink>"
    )
    read = read_inkml(bomb.encode())
    assert len(read.annotations["note"]) < 10


def test_read_inkml_real_files_agree_with_plain_parser():
    """An independent, slow reading of a sample of the real files gives the same points."""
    import xml.etree.ElementTree as ET

    root = os.environ.get("IM2TEX_DATA")
    if not root:
        pytest.skip("IM2TEX_DATA is not set: the CROHME archive is needed")
    read = 0
    with tarfile.open(Path(root) / "crohme" / "crohme_2014.tar.xz") as archive:
        for number, member in enumerate(archive):
            if number % 7 or not member.name.endswith(".inkml"):
                continue
            stream = archive.extractfile(member)
            assert stream is not None
            data = stream.read()
            try:
                plain = ET.fromstring(data)
            except ET.ParseError:
                continue
            traces = [e.text or "" for e in plain.iter("{http://www.w3.org/2003/InkML}trace")]
            expected = [
                np.array([p.split()[:2] for p in trace.split(",")], dtype=np.float32)
                for trace in traces
            ]
            strokes = read_inkml(data, member.name).ink.strokes
            assert len(strokes) == len(expected)
            for ours, theirs in zip(strokes, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)
            read += 1
    assert read > 1000
