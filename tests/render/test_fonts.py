"""Metrics and ink boxes of fonts, from files written here."""

import struct

import pytest

from im2tex.render.tex.fonts import Metrics, TfmError, read_afm, read_tfm


def test_read_tfm_returns_metrics():
    # lf lh bc ec nw nh nd, five more; a header of two words; one character; the tables.
    head = struct.pack(">12H", 0, 2, 65, 65, 2, 2, 2, 0, 0, 0, 0, 0) + bytes(8)
    tables = struct.pack(">6i", 0, 1 << 20, 0, 1 << 19, 0, 1 << 18)
    found = read_tfm(head + bytes([1, 0x11, 0, 0]) + tables)
    assert found == Metrics(65, [1 << 20], [1 << 19], [1 << 18])
    with pytest.raises(TfmError):
        read_tfm(b"short")


def test_read_afm_returns_ink_boxes():
    text = (
        "StartCharMetrics 3\n"
        "C 65 ; WX 750 ; N A ; B 32 -11 717 716 ;\n"
        "C 102 ; WX 306 ; N f ; B 33 0 357 705 ; L i fi ;\n"
        "C -1 ; WX 500 ; N unencoded ; B 0 0 1 1 ;\n"
    )
    assert read_afm(text) == {65: (0.032, -0.011, 0.717, 0.716), 102: (0.033, 0.0, 0.357, 0.705)}
