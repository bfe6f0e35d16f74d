"""Corpus BLEU: equal to sacrebleu on the pooled corpus, and a figure derived by hand."""

import math

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from im2tex.evaluation.metrics import CorpusBleu

TOKENS = st.lists(st.sampled_from(["x", "^", "{", "}", "2"]), max_size=9)


def test_golden_number():
    # One 5-token prediction of a 6-token reference, its first four tokens right and then one
    # wrong. n-gram precisions 4/5, 3/4, 2/3, 1/2, whose product is 1/5; brevity exp(1 - 6/5).
    metric = CorpusBleu()
    metric.update([["a", "b", "c", "d", "z"]], [["a", "b", "c", "d", "e", "f"]])
    assert float(metric.compute()) == pytest.approx(100 * math.exp(-0.2) * 0.2**0.25, rel=1e-12)


def test_no_smoothing_and_case_matters():
    metric = CorpusBleu()
    metric.update([["a", "b", "c"]], [["a", "b", "c", "d"]])
    assert float(metric.compute()) == 0  # no 4-gram at all
    metric.reset()
    metric.update([["A", "b", "c", "d", "e"]], [["a", "b", "c", "d", "e"]])
    assert float(metric.compute()) == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)


@given(st.lists(st.tuples(st.none() | TOKENS, TOKENS), min_size=1, max_size=12), st.data())
def test_equals_sacrebleu_on_the_pooled_corpus_however_cut(samples, data):
    cut = data.draw(st.integers(0, len(samples)))
    metric = CorpusBleu()
    for part in (samples[:cut], samples[cut:]):
        metric.update([p for p, _ in part], [r for _, r in part])
    expected = sacrebleu.corpus_bleu(
        [" ".join(p or ()) for p, _ in samples],
        [[" ".join(r) for _, r in samples]],
        tokenize="none",
        smooth_method="none",
        force=True,
    )
    # Where no reference has a 4-gram, sacrebleu says 0 whatever was predicted: not defined.
    defined = any(len(reference) >= 4 for _, reference in samples)
    assert float(metric.compute()) == pytest.approx(
        expected.score if defined else math.nan, abs=0, nan_ok=True
    )


@pytest.mark.parametrize("text", ["x", "x +", "a b c"])
def test_bleu_every_reference_under_four_tokens_is_not_defined(text):
    metric = CorpusBleu()
    metric.update([text.split(), None, ["a", "b", "c", "d", "e"]], [text.split()] * 3)
    assert math.isnan(metric.compute())


def test_bleu_short_references_among_longer_ones_add_their_shorter_ngrams():
    # Right: 4 + 2 of 6 tokens, 3 + 1 of 4 bigrams, 2 of 2 trigrams and 1 of 1 4-gram.
    metric = CorpusBleu()
    metric.update([list("abcd"), list("xy")], [list("abcd"), list("xy")])
    assert float(metric.compute()) == pytest.approx(100)
    # `x z` for `x y`: 5 of 6 tokens, 3 of 4 bigrams, nothing else is wrong.
    metric.reset()
    metric.update([list("abcd"), list("xz")], [list("abcd"), list("xy")])
    assert float(metric.compute()) == pytest.approx(100 * (5 / 6 * 3 / 4) ** 0.25)


def test_a_token_with_a_space_is_one_token():
    metric = CorpusBleu()
    tokens = ["a", "\\ ", "b", "\N{NO-BREAK SPACE}", "c"]
    metric.update([tokens], [tokens])
    assert float(metric.compute()) == pytest.approx(100)
    assert metric.lengths.tolist() == [5, 5]
    # ... and not the same one as another token with another space.
    metric.reset()
    metric.update([["\\ "] * 4], [["\\\t"] * 4])
    assert float(metric.compute()) == 0


def test_signature_says_how():
    signature = CorpusBleu().signature
    version = sacrebleu.__version__
    assert signature == f"nrefs:1|case:mixed|eff:no|tok:none|smooth:none|version:{version}"


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_empty_gives_nan_and_all_missing_gives_zero():
    metric = CorpusBleu()
    assert math.isnan(metric.compute())
    metric.update([], [])
    assert math.isnan(metric.compute())
    metric.update([None, None], [["x"], ["y", "+", "y", "="]])
    assert float(metric.compute()) == 0
