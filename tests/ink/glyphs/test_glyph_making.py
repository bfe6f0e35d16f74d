"""`make_bank`, outliers, CROHME's glyphs, coverage and sheets."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from im2tex.ink.builtin_font.hershey import glyph
from im2tex.ink.glyphs import GlyphSample, built_in_bank, make_bank
from im2tex.ink.glyphs.coverage import count_symbols, glyph_kind, is_drawn
from im2tex.ink.glyphs.crohme import crohme_glyphs
from im2tex.ink.glyphs.making import balance_writers
from im2tex.ink.glyphs.outliers import inlier_mask
from im2tex.ink.glyphs.sheet import SAMPLES, draw_sheet, spread_indices
from im2tex.ink.ink import Ink, Symbol


def stroke(*points):
    return np.array(points, dtype=np.float32)


def drawing(token, seed, size=100.0):
    """The font's glyph with random slant and noise."""
    rng = np.random.default_rng(seed)
    lean = np.array([[1, 0], [rng.normal(0, 0.1), rng.normal(1, 0.1)]])
    return tuple(
        ((s @ lean + rng.normal(0, 0.01, s.shape)) * size).astype(np.float32)
        for s in glyph(token).strokes
    )


def samples_of(token, count, source="crohme", writers=5):
    return [GlyphSample(token, drawing(token, i), source, f"w{i % writers}") for i in range(count)]


def test_inlier_mask_removes_wrong_symbols_and_keeps_variants():
    sevens = [drawing("7", i) for i in range(40)]
    bar = stroke((-10, -50), (50, -50))
    barred = [(*drawing("7", 100 + i), bar + i) for i in range(5)]
    rng = np.random.default_rng(1)
    wrong = [drawing("m", 1), (rng.uniform(0, 100, (60, 2)).astype(np.float32),)]
    keep = inlier_mask("7", [*sevens, *barred, *wrong])
    assert keep[40:45].all()
    assert not keep[45:].any()
    assert keep[:40].sum() >= 39


def test_inlier_mask_few_drawings_are_inliers():
    assert inlier_mask("7", [drawing("7", i) for i in range(5)] + [drawing("m", 1)]).all()


def test_inlier_mask_removes_coarse_drawings_except_lines():
    coarse = tuple(np.rint(s / 12) for s in drawing("3", 1))
    fine = drawing("3", 2)
    assert inlier_mask("3", [coarse, fine]).tolist() == [False, True]
    assert inlier_mask("-", [(stroke(*[(x, x // 6) for x in range(13)]),)]).all()
    assert inlier_mask("x", [(stroke((0, 0), (9, 9)), stroke((0, 9), (9, 0)))]).all()


def test_inlier_mask_removes_single_dot_of_dot_row():
    dot = (stroke((0, 0), (3, 2)),)
    row = tuple(stroke((20 * i, 0), (20 * i + 2, 1)) for i in range(3))
    assert inlier_mask("\\ldots", [dot, row]).tolist() == [False, True]
    assert inlier_mask("\\because", [tuple(s[:1] for s in row)]).all()


def test_balance_writers_takes_samples_in_turn():
    drawn = [GlyphSample("x", (), "s", name) for name in ["a"] * 6 + ["b"] * 2 + [""] * 3]
    kept = balance_writers(drawn, 7)
    assert [one.writer for one in kept] == ["a", "a", "b", "b", "", "", ""]
    assert balance_writers(drawn, 20) == drawn


def test_make_bank_substitutes_and_sources():
    drawn = [
        *samples_of("x", 15),
        *samples_of(",", 3),
        *samples_of(".", 3),
        *samples_of("o", 4),
        *[GlyphSample("\\mathcal{D}", drawing("D", i), "detexify") for i in range(4)],
        *[GlyphSample("\\rightarrow", drawing("\\rightarrow", i), "detexify") for i in range(4)],
    ]
    bank = make_bank(drawn, {"licences": {}}).bank
    assert bank.count("x") == 15
    assert bank.sources("x") == {"crohme": 15}
    assert bank.substitutes["D"] == ("\\mathcal{D}",)
    assert bank.substitutes["O"] == ("o",)
    assert bank.substitutes["\\to"] == ("\\rightarrow",)
    assert bank.substitutes["\\vec"] == ("\\rightarrow",)
    assert bank.sources(";") == {"composed": 3}
    assert bank.sources("7") == {"built-in": 1}
    assert "\\mathfrak{g}" not in bank


def test_make_bank_composes_semicolon_of_one_writer():
    drawn = [
        GlyphSample(",", (stroke((10, 0), (14, 4), (10, 20)),), "crohme", "ann"),
        GlyphSample(".", (stroke((3, 3), (5, 4)),), "crohme", "ann"),
        GlyphSample(",", (stroke((0, 0), (0, 9)),), "crohme", "bob"),
    ]
    bank = make_bank(drawn).bank
    assert bank.count(";") == 1
    assert bank.writer(";", 0) == "ann"
    dot, comma = bank.strokes(";", 0)
    assert dot[:, 1].max() < comma[:, 1].min()


def test_make_bank_composes_norm_of_two_bars():
    bank = built_in_bank()
    left, right = bank.strokes("\\|", 0)
    assert left[:, 0].max() < right[:, 0].min()
    assert bank.count("\\Vert") == bank.count("\\|")


def test_make_bank_rotates_brace_for_overbrace_and_underbrace():
    tip_left = stroke((10, 0), (6, 5), (6, 40), (0, 50), (6, 60), (6, 95), (10, 100))
    bank = make_bank([GlyphSample("\\{", (tip_left,), "crohme", "ann")]).bank
    for token, tip in (("\\overbrace", 0.0), ("\\underbrace", 0.1)):
        (points,) = bank.strokes(token, 0)
        assert np.ptp(points, axis=0) == pytest.approx([1, 0.1], abs=2e-3)
        middle = np.abs(points[:, 0] - 0.5).argmin()
        assert points[middle, 1] == pytest.approx(tip, abs=2e-3)
        assert points[[0, -1], 1] == pytest.approx([0.1 - tip] * 2, abs=2e-3)


def test_make_bank_composes_q_without_second_stem():
    bowl = stroke(*[(50 + 40 * np.cos(a), 50 + 50 * np.sin(a)) for a in np.linspace(0, 6.3, 30)])
    tail = stroke((60, 70), (95, 105))
    stem = stroke((30, 15), (31, 85))
    bank = make_bank([GlyphSample("\\mathbb{Q}", (bowl, stem, tail), "detexify")]).bank
    assert bank.sources("Q") == {"composed": 1}
    assert len(bank.strokes("Q", 0)) == 2
    assert len(bank.strokes("Q", 0)[0]) > 10


def test_make_bank_is_deterministic():
    drawn = samples_of("x", 20) + samples_of("7", 13)
    one, other = (make_bank(drawn, limit=12).bank for _ in range(2))
    assert one.count("x") == 12
    for index in range(12):
        for a, b in zip(one.strokes("x", index), other.strokes("x", index), strict=True):
            np.testing.assert_array_equal(a, b)


@dataclass
class Sample:
    key: str
    tokens: tuple[str, ...]
    ink: Ink | None
    extra: dict[str, str] = field(default_factory=dict)


def test_crohme_glyphs_have_writer_and_fraction_bar():
    strokes = tuple(stroke((10 * i, 0), (10 * i + 5, 5)) for i in range(5))
    tokens = ("\\frac", "{", "a", "}", "{", "b", "}", "-", "c")
    symbols = (
        Symbol("-", (0,), 0),
        Symbol("a", (1, 2), 2),
        Symbol("b", (3,), -1),  # not aligned
        Symbol("-", (4,), 7),
        Symbol("d", (3,), 8),  # label and file disagree
    )
    named = {"collection": "HAMEX", "writer": "Ann"}
    drawn = list(crohme_glyphs([Sample("k", tokens, Ink(strokes, symbols), named)]))
    assert [(sample.token, len(sample.strokes)) for sample in drawn] == [
        ("\\frac", 1),
        ("a", 2),
        ("-", 1),
    ]
    assert {sample.writer for sample in drawn} == {"HAMEX/Ann"}
    assert {sample.source for sample in drawn} == {"crohme"}


@pytest.mark.parametrize(
    ("key", "extra", "writer"),
    [
        ("200922-947-11", {"collection": "MathBrush", "writer": ""}, "MathBrush/200922-947"),
        ("formula11", {"collection": "MfrDB", "writer": "Unknown"}, ""),
        ("formula11", {}, ""),
    ],
)
def test_crohme_glyphs_writer_from_session_or_unknown(key, extra, writer):
    ink = Ink((stroke((0, 0), (1, 1)),), (Symbol("x", (0,), 0),))
    (one,) = crohme_glyphs([Sample(key, ("x",), ink, extra)])
    assert one.writer == writer


def test_crohme_glyphs_of_image_are_empty():
    assert list(crohme_glyphs([Sample("k", ("x",), None)])) == []


@pytest.mark.parametrize(
    ("formula", "drawn"),
    [
        (r"\frac { a } { b }", {"\\frac": 1, "a": 1, "b": 1}),
        (r"\mathcal { F } ^ { \prime }", {"\\mathcal{F}": 1, "\\prime": 1}),
        (r"{ \cal L } + L", {"\\mathcal{L}": 1, "+": 1, "L": 1}),
        (r"\mathbf { x } \to \mathbb { R }", {"x": 1, "\\rightarrow": 1, "\\mathbb{R}": 1}),
        (r"\left( x \right. \hspace { 1 c m } \left\| y", {"(": 1, "x": 1, "\\|": 1, "y": 1}),
        (r"\begin{array} { c c } a & b \\ \end{array}", {"a": 1, "b": 1}),
        (r"\hat { x } \, \sin ~ \operatorname { e }", {"\\hat": 1, "x": 1, "\\sin": 1, "e": 1}),
        (r"\sqrt [ 3 ] { x }", {"\\sqrt": 1, "[": 1, "3": 1, "]": 1, "x": 1}),
    ],
)
def test_count_symbols_by_font_and_command(formula, drawn):
    assert count_symbols([formula.split()]) == drawn


def test_count_symbols_unbalanced_braces():
    assert count_symbols([["}", "}", "x", "{", "\\cal"], ["y"]]) == {"x": 1, "y": 1}


def test_is_drawn_excludes_markup_and_spaces():
    for token in ["{", "^", "\\quad", "\\,", "\\mathrm", "\\left.", "\\big", "\\begin{array}"]:
        assert not is_drawn(token), token
    for token in ["x", "'", "\\left(", "\\overline", "\\frac", "\\lim", "\\unknown"]:
        assert is_drawn(token), token


def test_glyph_kind_by_source():
    wedge = GlyphSample("\\wedge", drawing("v", 1), "detexify")
    bank = make_bank([*samples_of("x", 3), wedge, *samples_of(".", 3), *samples_of(",", 3)]).bank
    kinds = {
        "x": "own",
        "\\hat": "substitute",
        ";": "composed",
        "y": "built-in",
        "\\mathfrak{g}": "none",
    }
    assert {token: glyph_kind(bank, token) for token in kinds} == kinds


def test_draw_sheet_size_and_ink():
    assert spread_indices(3) == [0, 1, 2]
    assert len(spread_indices(1000)) == SAMPLES
    bank = built_in_bank()
    rows = [(t, [bank.strokes(t, i) for i in spread_indices(bank.count(t))]) for t in bank.tokens]
    sheet = draw_sheet([*rows, ("none", []), ("dot", [[stroke((0, 0))]])])
    assert sheet.height == 200 * 44
    assert sheet.width == -(-(len(rows) + 2) // 200) * (150 + SAMPLES * 44)
    assert np.asarray(sheet).min() == 0
