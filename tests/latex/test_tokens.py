"""The tokenizer reads as TeX does, loses nothing, and says where it fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.latex.tokens import LatexError, Token, TokenKind, token_texts, tokenize


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("x^2", ["x", "^", "2"]),
        (r"\frac{a}{b}", ["\\frac", "{", "a", "}", "{", "b", "}"]),
        (r"\left(x\right)", ["\\left", "(", "x", "\\right", ")"]),
        (r"\left\{", ["\\left", "\\{"]),
        (r"\alpha2 \beta b", ["\\alpha", "2", "\\beta", "b"]),
        (r"a\ b\,c\\d", ["a", "\\ ", "b", "\\,", "c", "\\\\", "d"]),
        ("a%no $ {\n  b", ["a", "b"]),
        (r"50\%x", ["5", "0", "\\%", "x"]),
        ("$x$ & y~z#1", ["$", "x", "$", "&", "y", "~", "z", "#", "1"]),
        ("\u03b1+1", ["\u03b1", "+", "1"]),
        ("}{", ["}", "{"]),
    ],
)
def test_tokenize_texts(source, expected):
    assert token_texts(source) == expected


def test_tokenize_kinds_and_positions():
    assert tokenize(r" \sum_a") == [
        Token("\\sum", TokenKind.WORD, 1, 5),
        Token("_", TokenKind.SUBSCRIPT, 5, 6),
        Token("a", TokenKind.CHARACTER, 6, 7),
    ]


def test_tokenize_with_spaces_skips_them_behind_a_control_word():
    assert [t.text for t in tokenize(r"\mbox {a  b} \pi c", spaces=True)] == [
        "\\mbox",
        "{",
        "a",
        " ",
        "b",
        "}",
        " ",
        "\\pi",
        "c",
    ]


def test_tokenize_backslash_at_line_end_is_a_control_space():
    assert token_texts("a\\\nb") == ["a", "\\ ", "b"]


@pytest.mark.parametrize(("source", "position"), [("ab\\", 2), ("a\x07b", 1), ("\\", 0)])
def test_tokenize_bad_input_is_an_error_with_its_position(source, position):
    with pytest.raises(LatexError) as caught:
        tokenize(source)
    assert isinstance(caught.value, ValueError)
    assert caught.value.position == position
    assert str(position) in str(caught.value)


@given(st.text(alphabet="\\{}^_$&#~%ab1 +\n\u03b1\u00e9", max_size=40))
def test_tokenize_positions_cover_the_source(source):
    position, tokens = 0, []
    try:
        tokens = tokenize(source)
    except LatexError as error:
        position = error.position
    assert 0 <= position <= max(0, len(source) - 1)
    end = 0
    for token in tokens:
        assert end <= token.start < token.end <= len(source)
        if token.text != "\\ ":
            assert source[token.start : token.end] == token.text
        end = token.end


@given(st.text(alphabet="\\{}^_ab1 +(", max_size=40))
def test_tokenize_joined_tokens_are_the_same(source):
    try:
        tokens = token_texts(source)
    except LatexError:
        return
    assert token_texts(" ".join(tokens)) == tokens
