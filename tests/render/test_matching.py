"""Matching of a plain page with its marked page, on synthetic pages."""

import time

import pytest

from im2tex.render.layout.matching import UnmatchedGlyphError, match_glyphs
from im2tex.render.tex.dvi import RULE, SPECIAL, DviItem


def page(text):
    """Characters as glyphs, digits as markers, `+` and `-` around arguments, `=` as a rule."""
    items = []
    for x, character in enumerate(text):
        if character in "+-0123456789":
            items.append(DviItem(SPECIAL, character, 0, x, 0))
        elif character == "=":
            items.append(DviItem(RULE, "", 0, x, 0, 5, 1))
        else:
            items.append(DviItem(ord(character), "cmr12", 12, x, 0))
    return items


def markers(plain, marked):
    return [one.marker for one in match_glyphs(page(plain), page(marked))]


def test_match_glyphs_after_an_argument_returns_to_the_command():
    assert markers("ab", "0a1b") == [0, 1]
    # A fraction: its bar comes between its parts.
    assert markers("a=b", "0+1a-=+2b-") == [1, 0, 2]
    assert markers("ab=c", "0+1a+2b--=+3c-") == [1, 2, 0, 3]


def test_match_glyphs_splits_ligatures():
    plain = [DviItem(14, "cmr12", 12, 0, 0), *page("x")]  # ffi
    matched = match_glyphs(plain, page("0f1f2i3x"))
    assert [(one.marker, one.part) for one in matched] == [
        (0, (0, 3)),
        (1, (1, 3)),
        (2, (2, 3)),
        (3, (0, 1)),
    ]
    # The same number is a sign in a font of symbols.
    sign = DviItem(14, "cmsy10", 12, 0, 0)
    assert [one.marker for one in match_glyphs([sign], [*page("0"), sign])] == [0]


def test_match_glyphs_bracket_with_other_number_of_pieces():
    assert markers("(abbbbc)", "0(1abb2c3)") == [0, 1, 1, 1, 1, 1, 2, 3]
    assert markers("(ac)", "0(1abb2c3)") == [0, 1, 2, 3]
    assert markers("x!y", "0x1[[[2y") == [0, 1, 2]
    # Beside another one that changes, too.
    assert markers("a!)b", "0a1!!2]3b") == [0, 1, 2, 3]
    assert markers("a!!)b", "0a1!2]3b") == [0, 1, 1, 2, 3]
    assert markers("a(!b", "0a1[2!!3b") == [0, 1, 2, 3]


def test_match_glyphs_swapped_scripts():
    assert markers("xpqyyy", "0x2q1p3y4y5y") == [0, 1, 2, 3, 4, 5]
    assert markers("xpq)y", "0x2q1p3[[[4y") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("plain", "marked"),
    [("ab", "a0b"), ("a", "0a-"), ("abc", "0a1c"), ("ac", "0a1b2d3c"), ("0a", "0a")],
)
def test_match_glyphs_ambiguous_raises(plain, marked):
    with pytest.raises(UnmatchedGlyphError):
        match_glyphs(page(plain), page(marked))


def test_match_glyphs_unknown_special_raises():
    with pytest.raises(UnmatchedGlyphError, match="psfile"):
        match_glyphs(page("a"), [DviItem(SPECIAL, "psfile", 0, 0, 0), *page("a")])


def test_match_glyphs_different_pages_raise_quickly():
    started = time.process_time()
    with pytest.raises(UnmatchedGlyphError, match="too many glyphs"):
        match_glyphs(page("ab" * 5000), page("0" + "b" * 10000))
    assert time.process_time() - started < 5
