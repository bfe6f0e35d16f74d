"""Corpus BLEU: equal to sacrebleu on the pooled corpus, and a value derived by hand."""

import math
from collections import Counter

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from im2tex.evaluation.metrics.bleu import bleu_counts, bleu_names, bleu_signature, bleu_value

TOKENS = st.lists(st.sampled_from(["x", "^", "{", "}", "2"]), max_size=9)


def bleu(*pairs):
    """Corpus BLEU of predictions and references."""
    sums = Counter(dict.fromkeys(bleu_names(), 0))
    for prediction, reference in pairs:
        sums.update(bleu_counts(prediction, reference))
    return bleu_value(sums)


def test_bleu_golden_number():
    # One 5-token prediction of a 6-token reference, its first four tokens right and then one
    # wrong. n-gram precisions 4/5, 3/4, 2/3, 1/2, whose product is 1/5; brevity exp(1 - 6/5).
    value = bleu((["a", "b", "c", "d", "z"], ["a", "b", "c", "d", "e", "f"]))
    assert value == pytest.approx(100 * math.exp(-0.2) * 0.2**0.25, rel=1e-12)


def test_bleu_is_not_smoothed_and_case_matters():
    assert bleu((["a", "b", "c"], ["a", "b", "c", "d"])) == 0  # no 4-gram at all
    value = bleu((["A", "b", "c", "d", "e"], ["a", "b", "c", "d", "e"]))
    assert value == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)


@given(st.lists(st.tuples(st.none() | TOKENS, TOKENS), min_size=1, max_size=12))
def test_bleu_equals_sacrebleu_on_the_pooled_corpus(samples):
    expected = sacrebleu.corpus_bleu(
        [" ".join(p or ()) for p, _ in samples],
        [[" ".join(r) for _, r in samples]],
        tokenize="none",
        smooth_method="none",
        force=True,
    )
    # Where no reference has a 4-gram, sacrebleu says 0 whatever was predicted: not defined.
    defined = any(len(reference) >= 4 for _, reference in samples)
    assert bleu(*samples) == pytest.approx(
        expected.score if defined else math.nan, abs=0, nan_ok=True
    )


@pytest.mark.parametrize("text", ["x", "x +", "a b c"])
def test_bleu_every_reference_under_four_tokens_is_not_defined(text):
    reference = text.split()
    predictions = (reference, None, ["a", "b", "c", "d", "e"])
    assert math.isnan(bleu(*((prediction, reference) for prediction in predictions)))


def test_bleu_short_references_among_longer_ones_add_their_shorter_ngrams():
    # Right: 4 + 2 of 6 tokens, 3 + 1 of 4 bigrams, 2 of 2 trigrams and 1 of 1 4-gram.
    long = (list("abcd"), list("abcd"))
    assert bleu(long, (list("xy"), list("xy"))) == pytest.approx(100)
    # `x z` for `x y`: 5 of 6 tokens, 3 of 4 bigrams, nothing else is wrong.
    value = bleu(long, (list("xz"), list("xy")))
    assert value == pytest.approx(100 * (5 / 6 * 3 / 4) ** 0.25)


def test_bleu_token_with_a_space_is_one_token():
    tokens = ["a", "\\ ", "b", "\N{NO-BREAK SPACE}", "c"]
    assert bleu((tokens, tokens)) == pytest.approx(100)
    assert bleu_counts(tokens, tokens)["bleu_ngrams_1"] == 5
    # ... and not the same one as another token with another space.
    assert bleu((["\\ "] * 4, ["\\\t"] * 4)) == 0


def test_bleu_signature_gives_the_settings():
    version = sacrebleu.__version__
    assert bleu_signature() == f"nrefs:1|case:mixed|eff:no|tok:none|smooth:none|version:{version}"


def test_bleu_empty_corpus_is_nan_and_all_missing_is_zero():
    assert math.isnan(bleu())
    assert bleu((None, ["x"]), (None, ["y", "+", "y", "="])) == 0
