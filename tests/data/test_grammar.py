"""Tests of the source `grammar`."""

import numpy as np
import pytest

from im2tex.data.preparation.random_grammar import RandomGrammar
from im2tex.data.source import SOURCES
from im2tex.data.sources.grammar import GrammarSource, synthesize_ink
from im2tex.errors import Im2TexError
from im2tex.ink.recombination.label_structure import is_balanced, parse_structure

SMALL = {"size_train": 60, "size_validation": 15, "size_test": 15}


def contents(source, root):
    return {
        name: [
            (s.key, s.tokens, [x.tobytes() for x in s.ink.strokes])
            for s in source.split(root, name)
        ]
        for name in source.available(root)
    }


def test_ensure_makes_splits_of_the_given_sizes(tmp_path):
    source = SOURCES.build("grammar", SMALL)
    source.ensure(tmp_path)
    assert source.available(tmp_path) == ["test", "train", "validation"]
    assert len(source.split(tmp_path, "train")) == 60
    assert len(source.split(tmp_path, "validation")) == 15
    assert len(source.split(tmp_path, "test")) == 15


def test_same_settings_give_same_samples(tmp_path):
    source = GrammarSource(**SMALL)
    source.ensure(tmp_path / "a")
    source.ensure(tmp_path / "b")
    assert contents(source, tmp_path / "a") == contents(source, tmp_path / "b")


def test_ensure_remakes_store_only_for_other_settings(tmp_path):
    source = GrammarSource(**SMALL)
    source.ensure(tmp_path)
    before = source.path(tmp_path, "train").stat().st_mtime_ns
    source.ensure(tmp_path)
    assert source.path(tmp_path, "train").stat().st_mtime_ns == before
    first = contents(source, tmp_path)
    other = GrammarSource(**SMALL, seed=1)
    other.ensure(tmp_path)
    assert contents(other, tmp_path) != first


def test_formulas_are_distinct_over_all_splits():
    formulas = GrammarSource(size_train=800, size_validation=200, size_test=200)._formulas()
    together = [tokens for split in formulas.values() for tokens in split]
    assert len(set(together)) == len(together) == 1200


def test_formulas_keep_their_split_under_another_seed():
    one = GrammarSource(size_train=400, size_validation=100, size_test=100)._formulas()
    two = GrammarSource(size_train=400, size_validation=100, size_test=100, seed=7)._formulas()
    assert not set(one["train"]) & set(two["test"])
    assert not set(one["test"]) & set(two["train"])


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_random_grammar_formulas_are_canonical_and_within_limits(depth):
    rng = np.random.default_rng(depth)
    grammar = RandomGrammar("1 2 x y + - = ( ) | \\frac \\sqrt ^ _ \\sum \\int \\sin", depth, 4, 30)
    lengths = []
    for _ in range(300):
        tokens = grammar.formula(rng)
        if tokens is not None:
            assert parse_structure(tokens) is not None
            assert is_balanced(tokens)
            lengths.append(len(tokens))
    assert min(lengths) >= 4
    assert max(lengths) <= 30


def test_default_formulas_are_short():
    formulas = GrammarSource(size_train=2000, size_validation=50, size_test=50)._formulas()
    lengths = [len(tokens) for tokens in formulas["train"]]
    assert 7 <= np.mean(lengths) <= 9
    assert min(lengths) >= 3
    assert max(lengths) <= 12
    assert 30 <= len({t for tokens in formulas["train"] for t in tokens}) <= 40


def test_samples_are_aligned_and_writer_styles_differ(tmp_path):
    source = GrammarSource(**SMALL)
    source.prepare(tmp_path)
    for sample in source.split(tmp_path, "test"):
        assert sample.latex == " ".join(sample.tokens)
        written = parse_structure(sample.tokens).written
        assert tuple(s.position for s in sample.ink.symbols) == written
    one, two = (synthesize_ink(("x", "=", "2"), np.random.default_rng(i)) for i in range(2))
    assert not np.array_equal(one.strokes[-1], two.strokes[-1])


def test_formulas_use_only_the_given_symbols():
    symbols = "1 2 3 x y z + ="
    formulas = GrammarSource(**SMALL, symbols=symbols)._formulas()
    assert {t for split in formulas.values() for f in split for t in f} <= set(symbols.split())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"symbols": "x \\aleph"}, r"\\aleph cannot be drawn"),
        ({"symbols": "+ ="}, "neither a letter nor a digit"),
        ({"size_test": 0}, "size_test must be >= 1, got 0"),
        ({"max_tokens": 2}, "max_tokens=2, got 3"),
        ({"depth": -1}, "depth must be >= 0, got -1"),
        ({"seed": -1}, "seed must be >= 0, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(Im2TexError, match=message):
        GrammarSource(**wrong)


def test_too_many_formulas_are_refused_with_the_available_number():
    # One letter, one operator and three tokens give x + x alone.
    source = GrammarSource(5, 1, 1, symbols="x +", min_tokens=3, max_tokens=3)
    with pytest.raises(Im2TexError, match="only 1 distinct formulas"):
        source._formulas()


def test_raw_data_is_refused(tmp_path):
    with pytest.raises(Im2TexError, match="--from"):
        GrammarSource(**SMALL).prepare(tmp_path, raw_data="somewhere")
