"""The glyph bank: what goes in comes out, by token and writer, from one file."""

import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from im2tex.errors import Im2TexError
from im2tex.ink.flat import FlatStrokes
from im2tex.ink.glyphs import GlyphBank, GlyphSample, built_in_bank
from im2tex.ink.glyphs.simplify import simplify


def stroke(*points):
    return np.array(points, dtype=np.float32)


PLUS = (stroke((10, 25), (50, 25)), stroke((30, 5), (30, 45)))
WAVE = (stroke((0, 0), (100, 50), (200, 0)),)
DOT = (stroke((7, 7)),)
DRAWN = [
    GlyphSample("x", WAVE, "crohme", "ann"),
    GlyphSample("+", PLUS, "detexify"),
    GlyphSample("x", PLUS, "crohme", "bob"),
    GlyphSample(".", DOT, "crohme", "ann"),
    GlyphSample("x", DOT, "detexify"),
]
BANK = GlyphBank.of(DRAWN, {"\\times": ("x",), "Z": ("x", "+")}, {"licences": {"crohme": "any"}})


def same(bank, other):
    assert bank.tokens == other.tokens
    for token in bank.tokens:
        assert bank.count(token) == other.count(token)
        for index in range(bank.count(token)):
            for a, b in zip(bank.strokes(token, index), other.strokes(token, index), strict=True):
                np.testing.assert_array_equal(a, b)
            assert bank.writer(token, index) == other.writer(token, index)
            assert bank.source(token, index) == other.source(token, index)
    assert bank.substitutes == other.substitutes
    assert bank.metadata == other.metadata


def test_a_glyph_stands_at_the_origin_with_its_longer_side_one_long():
    wide = BANK.strokes("x", 0)
    assert len(wide) == 1
    assert wide[0].dtype == np.float32
    np.testing.assert_allclose(wide[0], [(0, 0), (0.5, 0.25), (1, 0)], atol=1e-3)
    across, down = BANK.strokes("+", 0)
    np.testing.assert_allclose(across, [(0, 0.5), (1, 0.5)], atol=1e-3)
    np.testing.assert_allclose(down, [(0.5, 0), (0.5, 1)], atol=1e-3)
    np.testing.assert_allclose(BANK.sizes("x"), [(1, 0.25), (1, 1), (0, 0)], atol=1e-3)


def test_a_mere_point_lies_at_the_origin():
    np.testing.assert_array_equal(BANK.strokes(".", 0)[0], [(0, 0)])


def test_samples_keep_their_order_and_say_who_drew_them():
    assert BANK.tokens == ("+", ".", "Z", "\\times", "x")
    assert [BANK.writer("x", i) for i in range(3)] == ["ann", "bob", ""]
    assert [BANK.source("x", i) for i in range(3)] == ["crohme", "crohme", "detexify"]
    assert BANK.writers == ("ann", "bob")
    assert BANK.by_writer("x", "bob").tolist() == [1]
    assert BANK.sources("x") == {"crohme": 2, "detexify": 1}


def test_nobody_and_strangers_have_drawn_nothing():
    assert BANK.by_writer("x", "").size == 0
    assert BANK.by_writer("x", "eve").size == 0
    assert BANK.by_writer("y", "ann").size == 0
    assert BANK.count("y") == 0
    assert "y" not in BANK


def test_stand_ins_give_the_samples_of_others_in_order():
    assert BANK.count("\\times") == 3
    assert BANK.count("Z") == 4
    np.testing.assert_array_equal(BANK.strokes("Z", 0)[0], BANK.strokes("x", 0)[0])
    np.testing.assert_array_equal(BANK.strokes("Z", 3)[1], BANK.strokes("+", 0)[1])
    assert BANK.by_writer("Z", "bob").tolist() == [1]
    assert len(BANK) == len(DRAWN)


@pytest.mark.parametrize("substitutes", [{"x": ("+",)}, {"y": ("z",)}, {"y": ()}])
def test_a_stand_in_that_cannot_be_is_refused(substitutes):
    with pytest.raises(ValueError, match="cannot substitute"):
        GlyphBank.of(DRAWN, substitutes)


def test_a_file_gives_the_same_bank(tmp_path):
    path = tmp_path / "new" / "bank.parquet"
    BANK.save(path)
    same(BANK, GlyphBank.load(path))
    assert [file.name for file in path.parent.iterdir()] == ["bank.parquet"]


def test_a_bank_of_nothing_can_be_kept(tmp_path):
    empty = GlyphBank.of([])
    empty.save(tmp_path / "bank.parquet")
    assert GlyphBank.load(tmp_path / "bank.parquet").tokens == ()


def test_a_bank_goes_to_worker_processes():
    same(BANK, pickle.loads(pickle.dumps(BANK)))


def test_files_that_are_no_bank_are_named(tmp_path):
    with pytest.raises(Im2TexError, match=r"none\.parquet does not exist.*im2tex data glyphs"):
        GlyphBank.load(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(Im2TexError, match="cannot be read as a glyph bank"):
        GlyphBank.load(tmp_path / "text.parquet")
    table = pa.table({"token": ["x"]})
    pq.write_table(table, tmp_path / "other.parquet")
    with pytest.raises(Im2TexError, match="not a glyph bank"):
        GlyphBank.load(tmp_path / "other.parquet")
    meta = {b"im2tex_glyphs": json.dumps({"format": 99}).encode()}
    pq.write_table(table.replace_schema_metadata(meta), tmp_path / "later.parquet")
    with pytest.raises(Im2TexError, match="format 99; this version reads 1"):
        GlyphBank.load(tmp_path / "later.parquet")
    meta = {b"im2tex_glyphs": json.dumps({"format": 1, "substitutes": {}}).encode()}
    pq.write_table(table.replace_schema_metadata(meta), tmp_path / "broken.parquet")
    with pytest.raises(Im2TexError, match="damaged"):
        GlyphBank.load(tmp_path / "broken.parquet")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Im2TexError, match="cannot write"):
        BANK.save(tmp_path / "file" / "bank.parquet")


def test_points_that_a_line_does_not_need_are_left_out():
    straight = stroke(*[(x, 0.1 * (x % 2)) for x in range(101)])
    corner = stroke((0, 0), (5, 0), (10, 0), (10, 5), (10, 10))
    still = stroke((3, 3), (3, 3), (3, 3))
    thin = simplify(FlatStrokes.of([(straight, corner), (still,), (stroke((1, 2)),)]), 1.0)
    assert [len(s) for s in thin.strokes(0)] == [2, 3]
    np.testing.assert_array_equal(thin.strokes(0)[1], [(0, 0), (10, 0), (10, 10)])
    np.testing.assert_array_equal(thin.strokes(1)[0], [(3, 3)])
    np.testing.assert_array_equal(thin.strokes(2)[0], [(1, 2)])


def test_no_point_of_a_curve_is_farther_from_the_line_than_the_tolerance():
    turns = np.linspace(0, 20, 800)
    curve = np.stack([turns * 5 * np.cos(turns), turns * 5 * np.sin(turns)], 1).astype(np.float32)
    (thin,) = simplify(FlatStrokes.of([(curve,)]), 0.5).strokes(0)
    assert len(thin) < len(curve) / 4
    a, b = thin[:-1, None], thin[1:, None]  # (segments, 1, 2)
    along = ((curve - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1)
    nearest = a + np.clip(along, 0, 1)[..., None] * (b - a)
    assert np.linalg.norm(curve - nearest, axis=-1).min(axis=0).max() <= 0.51


def test_the_built_in_font_alone_makes_a_bank(tmp_path):
    bank = built_in_bank()
    for token in ["x", "A", "7", "\\alpha", "+", "\\sum", "\\sin", "\\frac", "\\sqrt", "\\to"]:
        assert bank.count(token) >= 1
        assert bank.source(token, 0) == "built-in"
    assert bank.count("x") == 2
    assert bank.by_writer("x", "cursive").size == 1
    assert bank.count("\\to") == bank.count("\\rightarrow")
    bank.save(tmp_path / "bank.parquet")
    same(bank, GlyphBank.load(tmp_path / "bank.parquet"))
