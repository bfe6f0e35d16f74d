"""Writes DVI files byte by byte."""

import struct

from im2tex.render.tex import dvi

SIZE = 10 * dvi.POINT


def dvi_file(*pages):
    """A DVI file with one font, number 0, of 10 points; pages are numbered from 0."""
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
