"""What lies where on a page, on files written here byte by byte; ink boxes from AFM files."""

import struct

from dvi_files import SIZE, dvi_file

from im2tex.render.layout import dvi as layout_dvi
from im2tex.render.layout.dvi import MARK, RULE, Item
from im2tex.render.layout.fonts import read_afm
from im2tex.render.tex.tfm import Metrics

METRICS = Metrics(65, [1 << 20, 1 << 19], [0, 0], [0, 0])  # `A` 1 wide, `B` half


def pages(*bodies):
    return layout_dvi.pages(dvi_file(*bodies), {"cmx": METRICS}.__getitem__)


def test_glyphs_rules_and_marks_in_order_and_in_place():
    mark = bytes([239, 2]) + b"17"
    right = bytes([146]) + struct.pack(">i", 500)
    down = bytes([160]) + struct.pack(">i", 300)
    rule = bytes([132]) + struct.pack(">2i", 40, 70)
    unseen = bytes([132]) + struct.pack(">2i", 0, 70)
    push, pop = bytes([141]), bytes([142])
    body = bytes([171]) + mark + b"AB" + push + right + down + rule + b"A" + pop + unseen + b"B"
    after = SIZE + SIZE // 2
    assert pages(body) == {
        0: [
            Item(MARK, "17", 0, 0, 0),
            Item(65, "cmx", SIZE, 0, 0),
            Item(66, "cmx", SIZE, SIZE, 0),
            Item(RULE, "", 0, after + 500, 300, 70, 40),
            Item(65, "cmx", SIZE, after + 570, 300),
            Item(66, "cmx", SIZE, after + 70, 0),
        ]
    }


def test_moves_that_repeat_and_pages_that_begin_anew():
    w = bytes([149]) + (300).to_bytes(2, "big")
    z = bytes([168]) + (-200).to_bytes(2, "big", signed=True)
    put = bytes([137]) + struct.pack(">2i", 10, 10)
    found = pages(w + bytes([147]) + z + bytes([166]) + put, bytes([171]) + bytes([128, 65]))
    assert found[0] == [Item(RULE, "", 0, 600, -400, 10, 10)]
    assert found[1] == [Item(65, "cmx", SIZE, 0, 0)]


def test_ink_boxes_from_an_afm_file():
    text = (
        "StartCharMetrics 3\n"
        "C 65 ; WX 750 ; N A ; B 32 -11 717 716 ;\n"
        "C 102 ; WX 306 ; N f ; B 33 0 357 705 ; L i fi ;\n"
        "C -1 ; WX 500 ; N unencoded ; B 0 0 1 1 ;\n"
    )
    assert read_afm(text) == {65: (0.032, -0.011, 0.717, 0.716), 102: (0.033, 0.0, 0.357, 0.705)}
