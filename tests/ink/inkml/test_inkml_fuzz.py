"""Seeded mutations of valid files: strokes that can be drawn or an InkmlError, in bounded work.

Work is counted in lines of the reader that were run, not in seconds, so that the outcome is the
same on every machine.
"""

import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import im2tex.ink.inkml
from im2tex.data.preprocessing import Preprocessing
from im2tex.ink.inkml import InkmlError, is_inkml, read_if_inkml, read_inkml

MUTANTS = 400  # of each seed
LINES = 4000  # of the reader, for an empty file
LINES_PER_BYTE = 40
ROOM = str(Path(im2tex.ink.inkml.__file__).parent)

CROHME = """<ink xmlns="http://www.w3.org/2003/InkML"><traceFormat><channel name="X"/>
<channel name="Y"/></traceFormat><annotation type="truth">$a &lt; b$</annotation>
<annotationXML type="truth"><math><mrow><mi xml:id="a_1">a</mi><mo>&lt;</mo></mrow></math>
</annotationXML><trace id="0">1 2, 3 4, 5 6.5</trace><trace id="1">10 2, 13 4, 15 6</trace>
<traceGroup xml:id="2"><annotation type="truth">Segmentation</annotation><traceGroup xml:id="3">
<annotation type="truth">a</annotation><traceView traceDataRef="0"/><annotationXML href="a_1"/>
</traceGroup></traceGroup></ink>"""
CODED = """<?xml version="1.0" encoding="UTF-8"?><i:ink xmlns:i="http://www.w3.org/2003/InkML">
<i:definitions><i:context xml:id="c"><i:inkSource xml:id="s"><i:traceFormat xml:id="f">
<i:channel name="x" units="cm" orientation="+ve"/><i:channel name="Y" orientation="-ve"/>
<i:intermittentChannels><i:channel name="S" type="boolean"/></i:intermittentChannels>
</i:traceFormat><i:channelProperties><i:channelProperty channel="X" name="resolution"
value="1000" units="1/cm"/></i:channelProperties></i:inkSource></i:context>
<i:context xml:id="d" contextRef="#c"/><i:trace xml:id="h">7 7</i:trace></i:definitions>
<i:trace xml:id="a" contextRef="#d" continuation="begin">20 100 T,
'3'3,"1"-1 F,* *,?2,#1F-#A</i:trace>
<i:trace xml:id="b" contextRef="#c" continuation="end" priorRef="#a">!1!2,3-4</i:trace>
<i:trace type="penUp">1 1</i:trace><i:traceView xml:id="v"><i:traceView traceDataRef="#h"/>
<i:traceView traceDataRef="#b"/></i:traceView></i:ink>"""
BROKEN = """<!DOCTYPE ink [<!ENTITY e "1 2">]><!-- a > b -->
<p:ink><annotation type="truth">a<b & &e;
</annotation><annotation type="label"><![CDATA[x<y]]></annotation><trace>1 2 3 4 5 6</trace>
<q:trace>1 2\t, 3   4 ,</q:trace><?pi ?></p:ink>"""
PIECES = [
    *("<", ">", "&", ";", '"', "'", "#", ",", " ", "-", "!", "*", "?", "]]>", "<!--", "-->"),
    *("<!DOCTYPE x [", "<![CDATA[", "<?xml", "<ink>", "</ink>", "<trace>", "</trace>", "<trace/>"),
    *("&#0;", "&#xFFFFFFFF;", "&lt;", "&e;", "\0", "\ufffe", "é", "\U0001d465", "ⅷ", "٣", "\u2028"),
    *("nan", "inf", "1e999", "-3e38", "1e-45", "9" * 400, "#" + "F" * 99, "1_0", "0x1"),
    *('xml:id="a"', 'contextRef="#d"', 'priorRef="#b"', 'traceDataRef="#v"', 'encoding="utf-16"'),
]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "shift_jis"]


def mutant(seed, text):
    """The text with a few pieces changed, and now and then in another encoding or cut off."""
    rng = random.Random(seed)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        spans = [(0, len(text))]
        if rng.random() < 0.7:  # most changes elsewhere make it no XML
            spans += [match.span(1) for match in re.finditer(r"""[>"]([^<>"]+)[<"]""", text)][:200]
        start = rng.randrange(*rng.choice(spans))
        end = min(len(text), start + rng.choice([0, 0, 1, 1, 2, 30]))
        other = rng.randrange(len(text))
        new = rng.choice(
            [
                rng.choice(PIECES),
                rng.choice(PIECES) * rng.choice([2, 50]),
                text[other : other + rng.choice([5, 60, 400])],
                "",
                chr(rng.randrange(1, 256)),
            ]
        )
        text = text[:start] + new + text[end:]
    data = text.encode(rng.choice([*["utf-8"] * 6, *ENCODINGS]), "replace")
    if rng.random() < 0.1:
        data = data[: rng.randrange(len(data) + 1)]
    if rng.random() < 0.1:
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.randbytes(3) + data[at:]
    return data


def lines_run(call):
    """How many lines of the reader a call runs, and what it returns."""
    count = 0

    def line(frame, event, argument):
        nonlocal count
        count += event == "line"
        return line

    def enter(frame, event, argument):
        return line if frame.f_code.co_filename.startswith(ROOM) else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        value = call()
    finally:
        sys.settrace(before)
    return count, value


def outcome(data):
    try:
        return read_inkml(data, "a.inkml")
    except InkmlError as error:
        message = str(error)
    assert message.startswith("a.inkml: ")
    assert "\n" not in message
    return None


@pytest.mark.parametrize("text", [CROHME, CODED, BROKEN], ids=["crohme", "coded", "broken"])
def test_mutated_files_give_strokes_or_a_named_error_in_bounded_work(text):
    draw = Preprocessing().rasterize
    assert read_inkml(text.encode()).ink.strokes
    read = 0
    for seed in range(MUTANTS):
        data = mutant(seed, text)
        count, found = lines_run(lambda data=data: outcome(data))
        assert count <= LINES + LINES_PER_BYTE * len(data), (seed, count, len(data))
        if found is None:
            continue
        read += 1
        points = np.concatenate(found.ink.strokes)
        assert np.isfinite(points).all(), seed
        assert all(0 <= i < len(found.ink.strokes) for g in found.groups for i in g.strokes), seed
        assert draw(found.ink).image.any(), seed
        if is_inkml(data):
            assert read_if_inkml(data) is not None, seed
    assert read > MUTANTS / 10  # not everything is broken, or nothing would be tested


@pytest.mark.parametrize(
    "piece",
    [
        "<trace>1 2</trace>",
        "<annotation>",
        "<annotation>a<b",
        "<a:",
        "<!--",
        "&",
        "&lt",
        "<!DOCTYPE",
        "<![CDATA[",
        "<trace>'",
        ",",
        "1 ",
        "1 2,",
        "#F,",
        " '1",
        '<context xml:id="a" contextRef="#a"/>',
        '<traceView traceDataRef="#a"/>',
        '<traceGroup xml:id="a"><traceView traceDataRef="#a"/></traceGroup>',
    ],
)
@pytest.mark.parametrize("around", ["{}", "<ink><trace>{}</trace></ink>", "<ink>{}"])
def test_work_grows_with_the_file_and_no_faster(piece, around):
    data = around.format(piece * (40_000 // len(piece))).encode()
    count, _ = lines_run(lambda: outcome(data))
    assert count <= LINES + LINES_PER_BYTE * len(data)


@pytest.mark.parametrize(
    "text", ["9", " ", "\t", "1 ", "#", "F", "-", "1e", "'", "'1", "<", "&", "é"]
)
@pytest.mark.parametrize("end", ["", "x", "."])
def test_long_runs_are_read_without_repeating_work(text, end):
    # A pattern that takes quadratic time would need many minutes, and the suite's limit ends it.
    run = text * (300_000 // len(text)) + end
    outcome(f"<ink><trace>1 2, 3 {run}</trace></ink>".encode())
    outcome(f"<ink><annotation>{run}<b</annotation><trace>1 2</trace></ink>".encode())
