"""Tokens joined as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.latex.tokens import join_tokens, token_texts


@pytest.mark.parametrize(
    ("tokens", "markup"),
    [
        (r"\frac { a } { b }", r"\frac{a}{b}"),
        (r"\alpha x + \beta", r"\alpha x+\beta"),
        (r"\alpha 2 \, b \{ c \}", r"\alpha2\,b\{c\}"),
        (r"\sin \theta n", r"\sin\theta n"),
        ("", ""),
    ],
)
def test_spaces_stand_only_where_latex_needs_them(tokens, markup):
    assert join_tokens(tokens.split()) == markup


@given(st.lists(st.sampled_from([r"\alpha", r"\,", r"\{", "x", "2", "{", "}", "^", r"\frac"])))
def test_what_is_joined_reads_as_the_same_tokens(tokens):
    assert token_texts(join_tokens(tokens)) == tokens
