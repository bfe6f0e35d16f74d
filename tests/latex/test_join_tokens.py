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
def test_join_tokens_has_only_needed_spaces(tokens, markup):
    assert join_tokens(tokens.split()) == markup


@given(st.lists(st.sampled_from([r"\alpha", r"\,", r"\{", "x", "2", "{", "}", "^", r"\frac"])))
def test_join_tokens_tokenized_again_is_the_same(tokens):
    assert token_texts(join_tokens(tokens)) == tokens
