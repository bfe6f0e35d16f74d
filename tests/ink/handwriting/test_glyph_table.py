"""Glyphs in flat arrays, and which of them are chosen."""

from collections import Counter

import numpy as np
import pytest

from im2tex.ink.glyphs import GlyphBank, GlyphSample
from im2tex.ink.handwriting.glyph_table import GlyphSampler, GlyphTable


def stroke(*points):
    return np.array(points, dtype=np.float32)


PLUS = (stroke((10, 25), (50, 25)), stroke((30, 5), (30, 45)))
WAVE = (stroke((0, 0), (100, 50), (200, 0)),)
DOT = (stroke((7, 7)),)
BANK = GlyphBank.of(
    [
        GlyphSample("x", WAVE, "test", "bob"),
        GlyphSample("x", PLUS, "test", "ann"),
        GlyphSample("x", DOT, "test"),
        GlyphSample("x", WAVE, "test", "ann"),
        GlyphSample("+", PLUS, "test"),
    ],
    {"Z": ("x", "+")},
)
TABLE = GlyphTable(BANK)


def test_table_ranges_name_glyphs_of_token_and_writer():
    numbers = [TABLE.numbers[token] for token in ("x", "Z", "+")]
    expected = {
        0: [("x", [1, 3]), ("Z", [1, 3]), ("+", [])],  # ann
        1: [("x", [0]), ("Z", [0]), ("+", [])],
        -1: [("x", []), ("Z", []), ("+", [])],
    }
    for writer, rows in expected.items():
        ranges = TABLE.ranges(numbers, writer)
        for (first, count, own, own_count), (token, indices) in zip(ranges, rows, strict=True):
            glyphs = BANK.rows(token)
            assert TABLE.rows[first : first + count].tolist() == glyphs.tolist()
            assert TABLE.rows[own : own + own_count].tolist() == glyphs[indices].tolist()


def test_table_has_sizes_points_and_strokes_of_bank():
    glyphs = np.concatenate([BANK.rows("x"), BANK.rows("+")])
    assert TABLE.sizes[BANK.rows("x")] == pytest.approx(
        np.array([(1, 0.25), (1, 1), (0, 0), (1, 0.25)]), abs=2e-3
    )
    assert TABLE.centres[glyphs[-1]] == pytest.approx((0.5, 0.5))
    strokes = [BANK.strokes("x", k) for k in range(4)] + [BANK.strokes("+", 0)]
    points, counts = TABLE.points(glyphs)
    assert np.array_equal(points, np.concatenate([one for own in strokes for one in own]))
    assert counts.tolist() == [sum(map(len, own)) for own in strokes]
    assert TABLE.stroke_lengths(glyphs) == [[*map(len, own)] for own in strokes]


def drawn(writer, in_blocks, count=3000):
    """Glyphs of x in formulas of one writer, each of two symbols."""
    ranges = list(TABLE.ranges([TABLE.numbers["x"]] * 2, writer))
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(count):
        sampler = GlyphSampler(ranges, 0.8, rng, in_blocks)
        pairs.append([int(TABLE.rows[sampler.draw(k)]) for k in range(2)])
    return np.array(pairs) - BANK.rows("x")[0]


@pytest.mark.parametrize("in_blocks", [False, True])
def test_sampler_prefers_glyphs_of_writer(in_blocks):
    shares = Counter(drawn(0, in_blocks).ravel().tolist())
    # Ann's two glyphs have 0.8, and half of the rest.
    assert [shares[k] / 6000 for k in range(4)] == pytest.approx([0.05, 0.45, 0.05, 0.45], abs=0.02)


@pytest.mark.parametrize("in_blocks", [False, True])
def test_sampler_without_writer_repeats_earlier_glyph(in_blocks):
    first, second = drawn(-1, in_blocks).T
    # Repeated with 0.8 * 0.8, and by chance in a quarter of the other cases.
    assert np.mean(first == second) == pytest.approx(0.64 + 0.36 / 4, abs=0.03)
