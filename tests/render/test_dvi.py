"""The reader of DVI files, on files written byte by byte and on invalid ones."""

import struct

import pytest
from dvi_files import SIZE, dvi_file

from im2tex.render.tex import dvi
from im2tex.render.tex.dvi import DviItem
from im2tex.render.tex.fonts import Metrics

FONT = Metrics(65, [1 << 20, 1 << 19], [0, 0], [0, 0])  # `A` 1 wide, `B` half
RULE = struct.pack(">2i", 40, 70)  # height, width
TALL = Metrics(65, [1 << 20], [1 << 19], [1 << 18])  # `A`: 1 wide, 0.5 high, 0.25 deep
PUSH, POP, NOTHING = bytes([141]), bytes([142]), bytes([138])


def read(*bodies, data=None, fonts=None):
    """The pages of a file by number."""
    metrics = {"cmx": FONT} if fonts is None else fonts
    return dvi.read(data or dvi_file(*bodies), lambda names: metrics)


def items(*bodies, **settings):
    return {number: page.items for number, page in read(*bodies, **settings).items()}


def glyph(letter, x, y=0):
    return DviItem(ord(letter), "cmx", SIZE, x, y)


def rule(x, y=0):
    return DviItem(dvi.RULE, "", 0, x, y, 70, 40)


def test_read_returns_glyphs_rules_and_specials_with_positions():
    by_code, by_number = bytes([171]), bytes([236, 0, 0])  # font 0
    set_, put = bytes([128, 66]), bytes([134, 0, 66])
    unseen = bytes([132]) + struct.pack(">2i", 0, 70) + bytes([137]) + struct.pack(">2i", 40, -1)
    special = bytes([240, 0, 3]) + b"abc"
    first = by_code + b"A" + set_ + put + bytes([137]) + RULE + bytes([132]) + RULE + special
    at = SIZE + SIZE // 2
    assert items(first, NOTHING + by_number + unseen + b"A") == {
        0: [
            *(glyph("A", 0), glyph("B", SIZE), glyph("B", at), rule(at), rule(at)),
            DviItem(dvi.SPECIAL, "abc", 0, at + 70, 0),
        ],
        1: [glyph("A", 70)],
    }


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("first", "again", "across"),
    # right, w, x, down, y, z: the instruction of no byte, and the one that repeats it
    [
        (142, None, True),
        (147, 147, True),
        (152, 152, True),
        (156, None, False),
        (161, 161, False),
        (166, 166, False),
    ],
)
def test_read_moves_of_every_register_and_length(first, again, across, length):
    move = bytes([first + length]) + (-100).to_bytes(length, "big", signed=True)
    body = move + (bytes([again, again]) if again else move * 2)
    # Moves within a group end with it, and so do the registers.
    other = PUSH + bytes([first + 1, 7]) + POP
    found = items(other + body + other + bytes([137]) + RULE)
    assert found == {0: [rule(-300, 0) if across else rule(0, -300)]}


def test_read_pop_restores_the_registers():
    w3, w0 = bytes([148, 3]), bytes([147])
    found = items(w3 + PUSH + bytes([148, 50]) + POP + w0 + bytes([137]) + RULE)
    assert found == {0: [rule(6)]}


def test_read_flags_positions_out_of_bounds():
    far = bytes([146]) + struct.pack(">i", 1 << 30)
    near = bytes([146]) + struct.pack(">i", (1 << 30) - 1)
    found = read(far, bytes([160]) + struct.pack(">i", -(1 << 30)), near)
    assert [page.out_of_bounds for page in found.values()] == [True, True, False]


def test_read_skips_no_operations_between_pages():
    # More of it than a reader could go into one by one.
    data = dvi_file(bytes([171]) + b"A")
    page, end = data.index(bytes([139])), data.index(bytes([248]))
    between = NOTHING * 5000
    (start,) = struct.unpack_from(">I", data, data.rindex(bytes([249])) + 1)
    assert start == end
    last = data.rindex(bytes([249])) + 1
    tail = struct.pack(">I", end + len(between)) + data[last + 4 :]
    padded = data[:page] + between + data[page:last] + tail
    assert items(data=padded) == items(data=data) == {0: [glyph("A", 0)]}


@pytest.mark.parametrize("cut", [0, 1, 20, 60, 100, -1])
def test_read_truncated_file_raises(cut):
    data = dvi_file(bytes([171, 65]))[:cut]
    assert not dvi.is_complete(data)
    with pytest.raises(dvi.DviError):
        read(data=data or b"nothing")


def test_read_invalid_instructions_raise():
    for body in (bytes([171, 90]), bytes([172, 65]), bytes([251]), POP):
        with pytest.raises(dvi.DviError):
            read(body)
    with pytest.raises(dvi.DviError):
        read(b"", fonts={})


def test_ink_size_is_the_bounding_box_of_glyphs_and_rules():
    point = dvi.POINT
    letter = DviItem(65, "cmx", SIZE, 5 * point, 2 * point)
    line = DviItem(dvi.RULE, "", 0, 0, 0, 7 * point, 3 * point)
    special = DviItem(dvi.SPECIAL, "far", 0, 99 * point, 0)
    fonts = {"cmx": TALL}
    assert dvi.ink_size([line], fonts) == (7 * point, 3 * point)
    assert dvi.ink_size([letter, special], fonts) == (SIZE, SIZE * 3 // 4)
    # From 0 to 5 + 10 points across; from 3 points up to 2 + 2.5 points down.
    assert dvi.ink_size([line, letter], fonts) == (15 * point, 15 * point // 2)
    assert dvi.ink_size([special], fonts) == dvi.ink_size([], fonts) == (0, 0)
