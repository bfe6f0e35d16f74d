"""The DVI reader, on files written here byte by byte, and on what is none."""

import struct

import pytest

from im2tex.render import dvi

FONT = dvi.Metrics(65, [1 << 20], [1 << 19], [1 << 18])  # `A`: 1 wide, 0.5 high, 0.25 deep
SIZE = 10 * dvi.POINT


def file(*pages):
    """A DVI file with one font, number 0, of 10 points."""
    font = bytes([243, 0]) + struct.pack(">3I", 0, SIZE, SIZE) + bytes([0, 3]) + b"cmx"
    data = bytes([247, 2]) + struct.pack(">3I", 25400000, 473628672, 1000) + bytes([1]) + b"x"
    for number, body in enumerate(pages):
        first = font if number == 0 else b""
        data += (
            bytes([139]) + struct.pack(">11i", number, *[0] * 9, -1) + first + body + bytes([140])
        )
    start = len(data)
    data += bytes([248]) + struct.pack(">6I", 0, 25400000, 473628672, 1000, 0, 0) + bytes(4)
    data += font + bytes([249]) + struct.pack(">I", start) + bytes([2]) + b"\xdf" * 4
    return data


def pages(*bodies):
    return dvi.pages(file(*bodies), {"cmx": FONT}.__getitem__)


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


@pytest.mark.parametrize("cut", [0, 1, 20, 60, 100, -1])
def test_a_cut_file_is_an_error_of_its_own(cut):
    data = file(bytes([171, 65]))[:cut]
    assert not dvi.complete(data)
    with pytest.raises(dvi.DviError):
        dvi.pages(data, {"cmx": FONT}.__getitem__)


def test_an_unknown_font_and_character_are_errors():
    with pytest.raises(dvi.DviError):
        dvi.pages(file(b""), {}.__getitem__)
    with pytest.raises(dvi.DviError):
        pages(bytes([171, 66]))


def test_metrics_from_a_tfm_file():
    # lf lh bc ec nw nh nd, five more; a header of two words; one character; the tables.
    head = struct.pack(">12H", 0, 2, 65, 65, 2, 2, 2, 0, 0, 0, 0, 0) + bytes(8)
    tables = struct.pack(">6i", 0, 1 << 20, 0, 1 << 19, 0, 1 << 18)
    assert dvi.read_tfm(head + bytes([1, 0x11, 0, 0]) + tables) == FONT
    with pytest.raises(dvi.DviError):
        dvi.read_tfm(b"short")
