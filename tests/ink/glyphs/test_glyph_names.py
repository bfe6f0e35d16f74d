"""`glyph_token`."""

import pytest

from im2tex.ink.glyphs.names import SPELLINGS, glyph_token


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("x", "x"),
        ("\\to", "\\rightarrow"),
        ("\\mid", "|"),
        ("\\left(", "("),
        ("\\right\\rangle", "\\rangle"),
        ("\\left<", "\\langle"),
        ("\\leftarrow", "\\leftarrow"),
        ("\\ast", "*"),
        ("\\colon", ":"),
        ("\\Updelta", "\\Delta"),
        ("\\upmu", "\\mu"),
        ("\\mathbb{R}", "\\mathbb{R}"),
        ("\\mathds{R}", "\\mathbb{R}"),
        ("\\cal{F}", "\\mathcal{F}"),
        ("\\mathbf{F}", "F"),
        ("\\sqrt{}", "\\sqrt"),
    ],
)
def test_glyph_token_maps_spellings_to_one_name(token, name):
    assert glyph_token(token) == name
    assert glyph_token(name) == name


@pytest.mark.parametrize(
    ("token", "font", "name"),
    [
        ("F", "\\cal", "\\mathcal{F}"),
        ("F", "\\mathbf", "F"),
        ("g", "\\mathfrak", "\\mathfrak{g}"),
        ("l", "\\mathcal", "l"),
        ("1", "\\mathbb", "\\mathbb{1}"),
        ("3", "\\mathbb", "3"),
        ("\\to", "\\mathcal", "\\rightarrow"),
        ("R", None, "R"),
    ],
)
def test_glyph_token_font_is_kept_for_distinct_alphabets_only(token, font, name):
    assert glyph_token(token, font) == name


def test_spellings_are_not_chained():
    assert not set(SPELLINGS.values()) & set(SPELLINGS)
