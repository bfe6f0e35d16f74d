"""The vocabulary: numbers of tokens, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im2tex.latex.vocabulary import BOS, EOS, PAD, SPECIALS, UNK, Vocabulary

TOKENS = ["x", "=", "1e3", r"\frac", "null", "{"]


def test_vocabulary_special_tokens_come_first():
    vocabulary = Vocabulary(["b", "a"])
    assert vocabulary.tokens == ("<pad>", "<bos>", "<eos>", "<unk>", "b", "a")
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert vocabulary.ordinary == ("b", "a")
    assert len(vocabulary) == 6
    assert "a" in vocabulary
    assert "c" not in vocabulary


@given(st.lists(st.sampled_from(TOKENS)))
def test_vocabulary_decode_of_encode_is_the_label(label):
    vocabulary = Vocabulary(TOKENS)
    assert vocabulary.decode(vocabulary.encode(label)) == label


def test_vocabulary_unknown_and_special_texts_are_unk():
    vocabulary = Vocabulary(["x"])
    assert vocabulary.encode(["x", "y", *SPECIALS]) == [4] + [UNK] * 5


def test_vocabulary_decode_ends_at_eos_without_pad_and_bos():
    vocabulary = Vocabulary(["x", "y"])
    assert vocabulary.decode([BOS, 4, PAD, 5, UNK, EOS, 4]) == ["x", "y", "<unk>"]
    assert vocabulary.decode([]) == []


def test_vocabulary_count_orders_by_frequency_then_code_point():
    labels = [["b", "a", "B"], ["b", "a"], [r"\a", "c", "b"], ["once", "<eos>", "<eos>"]]
    counted = Vocabulary.count(labels)
    assert counted.ordinary == ("b", "a", "B", r"\a", "c", "once")
    assert Vocabulary.count(labels, min_count=2).ordinary == ("b", "a")
    assert Vocabulary.count(reversed(labels)).tokens == counted.tokens
    assert Vocabulary.count([]).tokens == SPECIALS


@pytest.mark.parametrize("tokens", [["x", "y", "x"], ["x", "<eos>"]])
def test_vocabulary_repeated_token_is_an_error(tokens):
    with pytest.raises(ValueError, match=rf"must be distinct, got twice: {tokens[-1]}$"):
        Vocabulary(tokens)


def test_vocabulary_rebuilt_from_a_checkpoint():
    vocabulary = Vocabulary.count([["x", "1e3", "="]])
    assert Vocabulary(list(vocabulary.ordinary)).tokens == vocabulary.tokens
