"""`GlyphBank` and `simplify`."""

import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from im2tex.errors import Im2TexError
from im2tex.ink.flat import FlatStrokes
from im2tex.ink.glyphs import GlyphBank, GlyphSample, built_in_bank
from im2tex.ink.glyphs.quantization import simplify


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


def test_bank_strokes_are_normalised():
    wide = BANK.strokes("x", 0)
    assert len(wide) == 1
    assert wide[0].dtype == np.float32
    np.testing.assert_allclose(wide[0], [(0, 0), (0.5, 0.25), (1, 0)], atol=1e-3)
    across, down = BANK.strokes("+", 0)
    np.testing.assert_allclose(across, [(0, 0.5), (1, 0.5)], atol=1e-3)
    np.testing.assert_allclose(down, [(0.5, 0), (0.5, 1)], atol=1e-3)


def test_bank_single_point_is_at_origin():
    np.testing.assert_array_equal(BANK.strokes(".", 0)[0], [(0, 0)])


def test_bank_samples_keep_order_writer_and_source():
    assert BANK.tokens == ("+", ".", "Z", "\\times", "x")
    assert [BANK.writer("x", i) for i in range(3)] == ["ann", "bob", ""]
    assert [BANK.source("x", i) for i in range(3)] == ["crohme", "crohme", "detexify"]
    assert BANK.writers == ("ann", "bob")
    assert BANK.writer_ids[BANK.rows("x")].tolist() == [0, 1, -1]
    assert BANK.sources("x") == {"crohme": 2, "detexify": 1}


def test_bank_unknown_token_is_empty():
    assert BANK.count("y") == 0
    assert "y" not in BANK


def test_bank_substitutes_give_samples_in_order():
    assert BANK.count("\\times") == 3
    assert BANK.count("Z") == 4
    np.testing.assert_array_equal(BANK.strokes("Z", 0)[0], BANK.strokes("x", 0)[0])
    np.testing.assert_array_equal(BANK.strokes("Z", 3)[1], BANK.strokes("+", 0)[1])
    assert len(BANK) == len(DRAWN)


@pytest.mark.parametrize("substitutes", [{"x": ("+",)}, {"y": ("z",)}, {"y": ()}])
def test_bank_invalid_substitutes_are_refused(substitutes):
    with pytest.raises(ValueError, match="cannot substitute"):
        GlyphBank.of(DRAWN, substitutes)


def test_bank_load_restores_saved_bank(tmp_path):
    path = tmp_path / "new" / "bank.parquet"
    BANK.save(path)
    same(BANK, GlyphBank.load(path))
    assert [file.name for file in path.parent.iterdir()] == ["bank.parquet"]


def test_bank_load_empty_bank(tmp_path):
    empty = GlyphBank.of([])
    empty.save(tmp_path / "bank.parquet")
    assert GlyphBank.load(tmp_path / "bank.parquet").tokens == ()


def test_bank_can_be_pickled():
    same(BANK, pickle.loads(pickle.dumps(BANK)))


def test_bank_load_invalid_files_are_errors(tmp_path):
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


def test_bank_save_unwritable_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Im2TexError, match="cannot write"):
        BANK.save(tmp_path / "file" / "bank.parquet")


def test_simplify_removes_points_on_lines():
    straight = stroke(*[(x, 0.1 * (x % 2)) for x in range(101)])
    corner = stroke((0, 0), (5, 0), (10, 0), (10, 5), (10, 10))
    still = stroke((3, 3), (3, 3), (3, 3))
    thin = simplify(FlatStrokes.of([(straight, corner), (still,), (stroke((1, 2)),)]), 1.0)
    assert [len(s) for s in thin.strokes(0)] == [2, 3]
    np.testing.assert_array_equal(thin.strokes(0)[1], [(0, 0), (10, 0), (10, 10)])
    np.testing.assert_array_equal(thin.strokes(1)[0], [(3, 3)])
    np.testing.assert_array_equal(thin.strokes(2)[0], [(1, 2)])


def test_simplify_error_is_within_tolerance():
    turns = np.linspace(0, 20, 800)
    curve = np.stack([turns * 5 * np.cos(turns), turns * 5 * np.sin(turns)], 1).astype(np.float32)
    (thin,) = simplify(FlatStrokes.of([(curve,)]), 0.5).strokes(0)
    assert len(thin) < len(curve) / 4
    a, b = thin[:-1, None], thin[1:, None]  # (segments, 1, 2)
    along = ((curve - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1)
    nearest = a + np.clip(along, 0, 1)[..., None] * (b - a)
    assert np.linalg.norm(curve - nearest, axis=-1).min(axis=0).max() <= 0.51


def test_built_in_bank_has_font_glyphs(tmp_path):
    bank = built_in_bank()
    for token in ["x", "A", "7", "\\alpha", "+", "\\sum", "\\sin", "\\frac", "\\sqrt", "\\to"]:
        assert bank.count(token) >= 1
        assert bank.source(token, 0) == "built-in"
    assert bank.count("x") == 2
    assert {bank.writer("x", k) for k in range(bank.count("x"))} == {"cursive", "print"}
    assert bank.count("\\to") == bank.count("\\rightarrow")
    bank.save(tmp_path / "bank.parquet")
    same(bank, GlyphBank.load(tmp_path / "bank.parquet"))


def test_bank_load_reads_old_name_of_substitutes(tmp_path):
    BANK.save(tmp_path / "new.parquet")
    table = pq.read_table(tmp_path / "new.parquet")
    metadata = json.loads(table.schema.metadata[b"im2tex_glyphs"])
    metadata["stand_ins"] = metadata.pop("substitutes")
    raw = {b"im2tex_glyphs": json.dumps(metadata).encode()}
    pq.write_table(table.replace_schema_metadata(raw), tmp_path / "old.parquet")
    assert GlyphBank.load(tmp_path / "old.parquet").substitutes == BANK.substitutes
