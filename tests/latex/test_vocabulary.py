"""The vocabulary: numbers of tokens, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.latex.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary

TOKENS = ["x", "=", "1e3", r"\frac", "null", "{"]


def test_the_special_tokens_come_first():
    vocabulary = Vocabulary(["b", "a"])
    assert vocabulary.tokens == ("<pad>", "<bos>", "<eos>", "<unk>", "b", "a")
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert vocabulary.ordinary == ("b", "a")
    assert len(vocabulary) == 6
    assert "a" in vocabulary
    assert "c" not in vocabulary


@given(st.lists(st.sampled_from(TOKENS)))
def test_a_label_comes_back_as_it_was(label):
    vocabulary = Vocabulary(TOKENS)
    assert vocabulary.decode(vocabulary.encode(label)) == label


def test_an_unknown_token_and_the_text_of_a_special_one_are_unknown():
    vocabulary = Vocabulary(["x"])
    assert vocabulary.encode(["x", "y", *SPECIALS]) == [4] + [UNK] * 5


def test_decoding_ends_at_the_end_and_drops_padding_and_start():
    vocabulary = Vocabulary(["x", "y"])
    assert vocabulary.decode([BOS, 4, PAD, 5, UNK, EOS, 4]) == ["x", "y", "<unk>"]
    assert vocabulary.decode([]) == []


def test_tokens_are_counted_by_falling_frequency_and_then_by_code_point():
    labels = [["b", "a", "B"], ["b", "a"], [r"\a", "c", "b"], ["once", "<eos>", "<eos>"]]
    counted = Vocabulary.count(labels)
    assert counted.ordinary == ("b", "a", "B", r"\a", "c", "once")
    assert Vocabulary.count(labels, min_count=2).ordinary == ("b", "a")
    assert Vocabulary.count(reversed(labels)).tokens == counted.tokens
    assert Vocabulary.count([]).tokens == SPECIALS


@pytest.mark.parametrize("tokens", [["x", "y", "x"], ["x", "<eos>"]])
def test_a_token_twice_is_an_error_that_names_it(tokens):
    with pytest.raises(ValueError, match=rf"must be distinct, got twice: {tokens[-1]}$"):
        Vocabulary(tokens)


def test_it_is_rebuilt_from_what_a_checkpoint_keeps():
    vocabulary = Vocabulary.count([["x", "1e3", "="]])
    assert Vocabulary(list(vocabulary.ordinary)).tokens == vocabulary.tokens
