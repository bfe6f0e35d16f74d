"""How much paper a page takes, on files written here byte by byte."""

import struct

from dvi_files import SIZE, dvi_file

from im2tex.render.tex import dvi, page_sizes
from im2tex.render.tex.tfm import Metrics

FONT = Metrics(65, [1 << 20], [1 << 19], [1 << 18])  # `A`: 1 wide, 0.5 high, 0.25 deep


def pages(*bodies):
    return page_sizes.pages(dvi_file(*bodies), {"cmx": FONT}.__getitem__)


def test_sizes_are_those_of_the_ink():
    rule = bytes([132]) + struct.pack(">2i", 3 * dvi.POINT, 7 * dvi.POINT)
    letter = bytes([171, 65])
    right = bytes([146]) + struct.pack(">i", 5 * dvi.POINT)
    down = bytes([160]) + struct.pack(">i", 2 * dvi.POINT)
    invisible = bytes([132]) + struct.pack(">2i", -1, 7 * dvi.POINT)
    found = pages(
        rule,
        letter,
        rule + right + letter,
        bytes([141]) + right + down + bytes([142]) + rule,
        invisible,
    )
    point = dvi.POINT
    assert [(p.number, p.width, p.height, p.fault) for p in found] == [
        (0, 7 * point, 3 * point, None),
        (1, SIZE, SIZE * 3 // 4, None),
        # 7 of rule, 5 of space, 10 of letter; 5 up and 2.5 down
        (2, 22 * point, SIZE * 3 // 4, None),
        (3, 7 * point, 3 * point, None),
        (4, 0, 0, None),
    ]


def test_moves_that_repeat():
    w = bytes([149]) + (300).to_bytes(2, "big")
    rule = bytes([137]) + struct.pack(">2i", 10, 10)
    # w3 by 300, then w0 twice more: a rule at 0 and one at 900.
    assert pages(rule + w + bytes([147, 147]) + rule)[0].width == 910
    z = bytes([168]) + (-200).to_bytes(2, "big", signed=True)
    assert pages(rule + z + bytes([166]) + rule)[0].height == 410


def test_a_special_and_a_far_place_are_faults():
    special = bytes([239, 4]) + b"ps: "
    far = bytes([146]) + struct.pack(">i", 1 << 30)
    found = pages(special, far, bytes([132]) + struct.pack(">2i", 5, 5))
    assert [page.fault and page.fault.split()[-1] for page in found] == [
        "\\special",
        "measure",
        None,
    ]
