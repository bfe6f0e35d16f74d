"""The interpreter of DVI pages, on files written here byte by byte, and on what is none."""

import struct

import pytest
from dvi_files import SIZE, dvi_file

from im2tex.render.tex import dvi
from im2tex.render.tex.tfm import Metrics

FONT = Metrics(65, [1 << 20, 1 << 19], [0, 0], [0, 0])  # `A` 1 wide, `B` half
RULE = struct.pack(">2i", 40, 70)  # height, width
PUSH, POP, NOTHING = bytes([141]), bytes([142]), bytes([138])


class Told:
    """Writes down what a watcher is told."""

    def __init__(self):
        self.said = []

    def glyph(self, code, font, x, y):
        self.said.append((chr(code), font.name, font.size, x, y))

    def rule(self, width, height, x, y):
        self.said.append(("rule", width, height, x, y))

    def special(self, text, x, y):
        self.said.append(("special", text, x, y))

    def lost(self):
        self.said.append("lost")


def told(*bodies, data=None, fonts=None):
    """What the watchers of a file's pages are told, by page number."""
    found = {}
    metrics = {"cmx": FONT} if fonts is None else fonts
    dvi.read(data or dvi_file(*bodies), metrics.__getitem__, lambda n: found.setdefault(n, Told()))
    return {number: page.said for number, page in found.items()}


def test_glyphs_rules_and_specials_come_in_order_and_in_place():
    by_code, by_number = bytes([171]), bytes([236, 0, 0])  # font 0
    set_, put = bytes([128, 66]), bytes([134, 0, 66])
    unseen = bytes([132]) + struct.pack(">2i", 0, 70) + bytes([137]) + struct.pack(">2i", 40, -1)
    special = bytes([240, 0, 3]) + b"abc"
    first = by_code + b"A" + set_ + put + bytes([137]) + RULE + bytes([132]) + RULE + special
    at = SIZE + SIZE // 2
    assert told(first, NOTHING + by_number + unseen + b"A") == {
        0: [
            ("A", "cmx", SIZE, 0, 0),
            ("B", "cmx", SIZE, SIZE, 0),
            ("B", "cmx", SIZE, at, 0),
            ("rule", 70, 40, at, 0),
            ("rule", 70, 40, at, 0),
            ("special", b"abc", at + 70, 0),
        ],
        1: [("A", "cmx", SIZE, 70, 0)],
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
def test_moves_of_every_kind_and_length(first, again, across, length):
    move = bytes([first + length]) + (-100).to_bytes(length, "big", signed=True)
    body = move + (bytes([again, again]) if again else move * 2)
    # What a group moves, and what it repeats, ends with it.
    other = PUSH + bytes([first + 1, 7]) + POP
    ((kind, *_, x, y),) = told(other + body + other + bytes([137]) + RULE)[0]
    assert (kind, x, y) == ("rule", *((-300, 0) if across else (0, -300)))


def test_a_group_gives_back_what_moves_repeat():
    w3, w0 = bytes([148, 3]), bytes([147])
    ((*_, x, _),) = told(w3 + PUSH + bytes([148, 50]) + POP + w0 + bytes([137]) + RULE)[0]
    assert x == 6


def test_a_place_too_far_for_tex_is_told():
    far = bytes([146]) + struct.pack(">i", 1 << 30)
    assert told(far, bytes([160]) + struct.pack(">i", -(1 << 30))) == {0: ["lost"], 1: ["lost"]}
    assert told(bytes([146]) + struct.pack(">i", (1 << 30) - 1)) == {0: []}


def test_nothing_between_pages_is_passed_over():
    # More of it than a reader could go into one by one.
    data = dvi_file(bytes([171]) + b"A")
    page, end = data.index(bytes([139])), data.index(bytes([248]))
    between = NOTHING * 5000
    (start,) = struct.unpack_from(">I", data, data.rindex(bytes([249])) + 1)
    assert start == end
    last = data.rindex(bytes([249])) + 1
    tail = struct.pack(">I", end + len(between)) + data[last + 4 :]
    padded = data[:page] + between + data[page:last] + tail
    assert told(data=padded) == told(data=data) == {0: [("A", "cmx", SIZE, 0, 0)]}


@pytest.mark.parametrize("cut", [0, 1, 20, 60, 100, -1])
def test_a_cut_file_is_an_error_of_its_own(cut):
    data = dvi_file(bytes([171, 65]))[:cut]
    assert not dvi.complete(data)
    with pytest.raises(dvi.DviError):
        told(data=data or b"nothing")


def test_what_tex_would_not_write_is_an_error():
    for body in (bytes([171, 90]), bytes([172, 65]), bytes([251]), POP):
        with pytest.raises(dvi.DviError):
            told(body)
    with pytest.raises(dvi.DviError):
        told(b"", fonts={})
