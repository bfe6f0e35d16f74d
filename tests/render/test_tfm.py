"""Font metrics, from a file written here byte by byte."""

import struct

import pytest

from im2tex.render.tex.tfm import Metrics, TfmError, read_tfm


def test_metrics_from_a_tfm_file():
    # lf lh bc ec nw nh nd, five more; a header of two words; one character; the tables.
    head = struct.pack(">12H", 0, 2, 65, 65, 2, 2, 2, 0, 0, 0, 0, 0) + bytes(8)
    tables = struct.pack(">6i", 0, 1 << 20, 0, 1 << 19, 0, 1 << 18)
    found = read_tfm(head + bytes([1, 0x11, 0, 0]) + tables)
    assert found == Metrics(65, [1 << 20], [1 << 19], [1 << 18])
    with pytest.raises(TfmError):
        read_tfm(b"short")
