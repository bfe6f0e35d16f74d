"""Reads TeX's font metrics, TFM files: how large each character is."""

from __future__ import annotations

import struct
from typing import NamedTuple


class Metrics(NamedTuple):
    """A font's sizes, in fractions of its size times 2**20.

    Attributes:
        first: number of the first character.
        widths: of each character from the first.
        heights: of each.
        depths: of each.
    """

    first: int
    widths: list[int]
    heights: list[int]
    depths: list[int]


class TfmError(ValueError):
    """A file that is not TFM."""


def read_tfm(data: bytes) -> Metrics:
    """A font's metrics from its TFM file.

    Raises:
        TfmError: if it is not one.
    """
    try:
        _, header, first, last, widths, heights, depths = struct.unpack_from(">7H", data)
        at = 24 + 4 * header
        count = last - first + 1
        characters = [data[at + 4 * i : at + 4 * i + 2] for i in range(count)]
        at += 4 * count
        table = struct.unpack_from(f">{widths + heights + depths}i", data, at)
        return Metrics(
            first,
            [table[c[0]] for c in characters],
            [table[widths + (c[1] >> 4)] for c in characters],
            [table[widths + heights + (c[1] & 15)] for c in characters],
        )
    except (struct.error, IndexError) as error:
        raise TfmError(f"not a TFM file: {error}") from None
