"""The built-in font and `typeset`."""

import numpy as np
import pytest

from im2tex.errors import Im2TexError
from im2tex.ink.builtin_font import hershey
from im2tex.ink.builtin_font.typeset import typeset


def test_glyph_size_is_plausible_for_all_tokens():
    for token in hershey.font_tokens():
        for cursive in (False, True):
            shape = hershey.glyph(token, cursive)
            assert shape.strokes
            assert all(s.dtype == np.float32 and np.isfinite(s).all() for s in shape.strokes)
            assert 0.1 < shape.width < 5
            assert -0.9 < shape.descent < 0.7
            assert shape.ascent <= 1.5


def test_glyph_capitals_and_digits_are_one_unit_high():
    for token in "AEHX0147":
        shape = hershey.glyph(token)
        assert shape.ascent == pytest.approx(1, abs=0.02)
        assert shape.descent == pytest.approx(0, abs=0.02)
    assert hershey.glyph("x").ascent == pytest.approx(2 / 3, abs=0.02)
    assert hershey.glyph("p").descent == pytest.approx(1 / 3, abs=0.02)


def test_glyph_function_name_consists_of_letters():
    letters = [hershey.glyph(letter) for letter in "sin"]
    name = hershey.glyph("\\sin")
    assert len(name.strokes) == sum(len(letter.strokes) for letter in letters)
    assert name.width < sum(letter.width for letter in letters)


def test_glyph_unknown_token_error_lists_known_tokens():
    with pytest.raises(Im2TexError, match=r"no '\\aleph'.*\\alpha"):
        hershey.glyph("\\aleph")


def boxes(latex):
    """Left, top, right, bottom of each written token, by position."""
    ink = typeset(latex.split())
    found = {}
    for symbol in ink.symbols:
        points = np.concatenate([ink.strokes[i] for i in symbol.strokes])
        found[symbol.position] = (*points.min(axis=0), *points.max(axis=0))
    return found


def test_typeset_symbols_have_token_positions():
    #        0     1 2 3 4 5 6 7 8 9 10 11
    latex = "\\frac { x + 1 } { 2 } = y _ { i } ^ { \\prime }"
    ink = typeset(latex.split())
    tokens = latex.split()
    assert [s.position for s in ink.symbols] == [0, 2, 3, 4, 7, 9, 10, 13, 17]
    for symbol in ink.symbols:
        assert symbol.token == ("-" if symbol.position == 0 else tokens[symbol.position])
    assert sorted(i for s in ink.symbols for i in s.strokes) == list(range(len(ink.strokes)))


def test_typeset_row_symbols_do_not_overlap():
    found = boxes("a + b = 3 c")
    for i in range(5):
        assert found[i][2] < found[i + 1][0]


def test_typeset_scripts_size_and_position():
    found = boxes("x _ { a } ^ { b } y")
    base, under, over, after = found[0], found[3], found[7], found[9]
    assert under[1] > base[1]
    assert under[3] > base[3]
    assert over[3] < (base[1] + base[3]) / 2
    assert under[2] < after[0]
    assert over[2] < after[0]
    assert over[3] < under[1]
    assert under[3] - under[1] < 0.8 * (base[3] - base[1])


def test_typeset_fraction_parts_and_bar():
    bar, *parts = boxes("\\frac { a + b } { 2 }").values()
    *above, below = parts
    assert all(part[3] < bar[1] for part in above)
    assert below[1] > bar[3]
    assert bar[0] < min(part[0] for part in parts)
    assert bar[2] > max(part[2] for part in parts)


def test_typeset_radical_contents_and_degree():
    found = boxes("\\sqrt [ 3 ] { x + y }")
    sign, degree, x, y = found[0], found[2], found[5], found[7]
    assert sign[1] < x[1]
    assert sign[3] > y[3]
    assert sign[2] > y[2]
    assert degree[2] < x[0]
    assert degree[3] < sign[3]


def test_typeset_limits_of_sum_and_integral():
    found = boxes("\\sum _ { i } ^ { n } x")
    assert found[3][1] > found[0][3]
    assert found[7][3] < found[0][1]
    integral = boxes("\\int _ { 0 } ^ { 1 } x")
    assert integral[3][3] > integral[7][3]
    assert integral[7][0] > (integral[0][0] + integral[0][2]) / 2


def test_typeset_brackets_grow_with_contents():
    plain, tall = boxes("( x )"), boxes("( \\frac { x } { y } ) ^ { 2 }")
    assert tall[0][3] - tall[0][1] > 1.4 * (plain[0][3] - plain[0][1])
    assert tall[0][1] < tall[3][1]
    assert tall[0][3] > tall[6][3]


@pytest.mark.parametrize(
    "latex",
    ["x ^ 2", "x }", "\\frac { a }", "\\sqrt x", "{ x }", "x _ { }", "", "\\sqrt [ 3 { x }"],
)
def test_typeset_not_canonical_is_refused(latex):
    with pytest.raises(Im2TexError, match="canonical"):
        typeset(latex.split())


def test_typeset_unpaired_brackets_are_symbols():
    assert len(typeset(["(", "x", "]"]).symbols) == 3
    assert len(typeset(["|", "x"]).symbols) == 2
