"""One name a drawn shape."""

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
def test_a_shape_has_one_name_however_it_is_written(token, name):
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
def test_only_alphabets_that_a_pen_tells_apart_have_letters_of_their_own(token, font, name):
    assert glyph_token(token, font) == name


def test_no_spelling_leads_to_another_spelling():
    assert not set(SPELLINGS.values()) & set(SPELLINGS)
