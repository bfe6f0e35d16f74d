"""`swap` and `crop`: ink and label of the result agree."""

from collections import Counter

import numpy as np
import pytest

from im2tex.data.sample import Sample
from im2tex.ink.ink import Ink, Symbol
from im2tex.ink.recombination import swap_bank
from im2tex.ink.recombination.label_structure import aligned_structure, is_balanced, parse_structure
from im2tex.ink.recombination.recombine import SwapBank, crop, crop_candidates, swap

# Each token is written so that it can be read back: as many strokes as its number here, in a box
# as tall as a digit.
WRITING = {"1": 1, "2": 2, "x": 3, "z": 4, "y": 5, "+": 6, "-": 7, "(": 8, ")": 9, "=": 10}
WRITING |= {"\\frac": 11, "\\sqrt": 12, "\\times": 13, "|": 14, "g": 15}


def written(latex):
    """A row of symbols for every written token, with 6 units between 8-unit boxes."""
    tokens = tuple(latex.split())
    strokes = []
    symbols = []
    for place, position in enumerate(p for p, t in enumerate(tokens) if t in WRITING):
        token = tokens[position]
        count = WRITING[token]
        x = 14.0 * place
        indices = range(len(strokes), len(strokes) + count)
        strokes += [
            np.array([(x, 10 * k / count), (x + 8, 10)], dtype=np.float32) for k in range(count)
        ]
        symbols.append(Symbol("-" if token == "\\frac" else token, tuple(indices), position))
    return Sample(latex, latex, tokens, Ink(tuple(strokes), tuple(symbols)))


def read_tokens(ink):
    """Token by position, read from the number of strokes."""
    names = {count: token for token, count in WRITING.items()}
    return {s.position: names[len(s.strokes)] for s in ink.symbols}


def drawn_tokens(tokens):
    return {p: t for p, t in enumerate(tokens) if t in WRITING}


FORMULA = "\\frac { x + 1 } { \\sqrt { y } } = ( 2 - x ) ^ { 2 } | z |"
SAMPLES = [written(FORMULA), written("- x \\times z + 2 = g"), written("1 + y _ { 2 }")]
BANK = SwapBank.from_samples(SAMPLES)


def test_swap_bank_has_all_swappable_symbols():
    counts = {token: b - a for token, (a, b) in BANK.ranges.items()}
    expected = Counter(t for s in SAMPLES for t in s.tokens if t in WRITING)
    del expected["\\frac"], expected["\\sqrt"]
    assert counts == expected
    assert len(BANK) == sum(counts.values())
    assert len(BANK.strokes(BANK.ranges["x"][0])) == WRITING["x"]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.key)
def test_swap_strokes_and_label_agree(sample, seed):
    ink, tokens = swap(sample.ink, sample.tokens, BANK, np.random.default_rng(seed), 0.8)
    assert read_tokens(ink) == drawn_tokens(tokens)
    assert [s.token.replace("\\frac", "-") for s in ink.symbols] == [
        tokens[s.position].replace("\\frac", "-") for s in ink.symbols
    ]
    assert sorted(i for s in ink.symbols for i in s.strokes) == list(range(len(ink.strokes)))
    kept = {"\\frac", "\\sqrt", "(", ")", "|", "{", "}", "^", "_"}
    assert all(a == b for a, b in zip(tokens, sample.tokens, strict=True) if a in kept)
    assert all(b in "12" for a, b in zip(sample.tokens, tokens, strict=True) if a in "12")


def test_swap_keeps_symbol_positions():
    sample = SAMPLES[0]
    for seed in range(20):
        ink, _ = swap(sample.ink, sample.tokens, BANK, np.random.default_rng(seed), 1.0)
        for old, new in zip(sample.ink.symbols, ink.symbols, strict=True):
            was = np.concatenate([sample.ink.strokes[i] for i in old.strokes])
            now = np.concatenate([ink.strokes[i] for i in new.strokes])
            assert abs(was.mean(axis=0) - now.mean(axis=0)).max() < 7
            assert now[:, 0].min() > was[:, 0].min() - 6
            assert now[:, 0].max() < was[:, 0].max() + 6


def test_swap_unary_operator_stays_unary():
    sample = SAMPLES[1]
    first = set()
    for seed in range(60):
        _, tokens = swap(
            sample.ink,
            sample.tokens,
            BANK,
            np.random.default_rng(seed),
            1.0,
            relabel_probability=1.0,
        )
        first.add(tokens[0])
    assert first == {"+"}


def test_swap_without_relabelling_keeps_label():
    sample = SAMPLES[0]
    ink, tokens = swap(
        sample.ink, sample.tokens, BANK, np.random.default_rng(0), 1.0, relabel_probability=0.0
    )
    assert tokens == sample.tokens
    assert ink is not sample.ink


def crops(sample):
    found = crop_candidates(sample.ink, sample.tokens)
    return [
        crop(sample.ink, sample.tokens, start, end)
        for start, end in zip(found.start.tolist(), found.end.tolist(), strict=True)
    ]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.key)
def test_crop_strokes_and_label_agree(sample):
    for ink, tokens in crops(sample):
        assert read_tokens(ink) == drawn_tokens(tokens)
        assert parse_structure(tokens) is not None
        assert is_balanced(tokens)
        assert " ".join(tokens) in sample.latex
        assert len(tokens) < len(sample.tokens)
        assert sum(len(s.strokes) for s in ink.symbols) == len(ink.strokes)


def test_crop_candidates_include_contents_of_groups():
    cuts = {" ".join(tokens) for _, tokens in crops(SAMPLES[0])}
    assert {"x + 1", "\\sqrt { y }", "( 2 - x ) ^ { 2 }", "| z |"} <= cuts
    assert not any(c.startswith("=") or c.endswith("=") for c in cuts)


def draw_span(tokens, rng):
    """A random crop as described: the span of a sub-formula, or of the whole formula."""
    operators = {"=", "+", "-", "\\times"}
    rows = [row for row in parse_structure(tokens).rows if row]
    weights = np.array([len(row) for row in rows], dtype=float)
    for _ in range(6):
        row = rows[rng.choice(len(rows), p=weights / weights.sum())]
        first, last = sorted(rng.integers(0, len(row), 2))
        start, end = row[first][0], row[last][1]
        while start < end and tokens[start] in operators:
            start += 1
        while start < end and tokens[end - 1] in operators:
            end -= 1
        refused = end - start == 1 and rng.random() < 0.6
        if not refused and 0 < end - start < len(tokens) and is_balanced(tokens[start:end]):
            return start, end
    return 0, len(tokens)


@pytest.mark.parametrize(
    "latex",
    [
        "x = z",
        "1 + y _ { 2 }",
        "x + 1 = ( z - 2 ) ^ { y }",
        "\\frac { x \\times 1 } { \\sqrt { y } }",
    ],
)
def test_crop_candidates_probabilities_are_those_of_random_draws(latex):
    sample = written(latex)
    found = crop_candidates(sample.ink, sample.tokens)
    expected = dict(zip(zip(found.start, found.end, strict=True), found.probability, strict=True))
    expected[0, len(sample.tokens)] = 1 - found.probability.sum()
    rng = np.random.default_rng(0)
    counts = Counter(draw_span(sample.tokens, rng) for _ in range(4000))
    assert set(counts) == set(expected)
    for span, probability in expected.items():
        deviation = (4000 * probability * (1 - probability)) ** 0.5
        assert abs(counts[span] - 4000 * probability) < 4 * deviation


def unaligned():
    sample = SAMPLES[2]
    symbols = sample.ink.symbols
    yield "a position unknown", Ink(sample.ink.strokes, (*symbols[:-1], Symbol("2", (12, 13), -1)))
    yield "a symbol missing", Ink(sample.ink.strokes, symbols[:-1])
    yield (
        "a stroke in two symbols",
        Ink(sample.ink.strokes, (*symbols[:-1], Symbol("2", (0, 1), symbols[-1].position))),
    )
    yield "no symbols", Ink(sample.ink.strokes)


@pytest.mark.parametrize("ink", [pytest.param(i, id=n) for n, i in unaligned()])
def test_crop_candidates_unaligned_sample_has_none(ink):
    tokens = SAMPLES[2].tokens
    assert aligned_structure(ink, tokens) is None
    assert len(crop_candidates(ink, tokens).start) == 0
    assert len(SwapBank.from_samples([Sample("k", "", tokens, ink)])) == 0


def test_swap_bank_of_many_samples_reads_some(monkeypatch):
    monkeypatch.setattr(swap_bank, "_MAX_SAMPLES", 2)
    read = []

    class Samples(list):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    bank = SwapBank.from_samples(Samples([written("x + 1")] * 9))
    assert len(set(read)) == 2
    assert len(bank) == 2 * 3
    first = list(read)
    SwapBank.from_samples(Samples([written("x + 1")] * 9))
    assert read == first * 2


@pytest.mark.parametrize("latex", ["x ^ 2", "{ x }", "x }", "\\frac { x }", "\\left ( x"])
def test_parse_structure_not_canonical_is_none(latex):
    assert parse_structure(latex.split()) is None


def test_parse_structure_rows_and_written_tokens():
    latex = "\\sqrt [ 3 ] { x } ^ { 2 }"
    # 0     1 2 3 4 5 6 7 8 9 10
    structure = parse_structure(latex.split())
    assert structure.written == (0, 2, 5, 9)
    assert set(structure.rows) == {((2, 3),), ((5, 6),), ((9, 10),), ((0, 11),)}


@pytest.mark.parametrize(
    ("latex", "expected"),
    [("( x ]", False), ("( [ x ] )", True), ("x )", False), ("| x", False), ("| x |", True)],
)
def test_is_balanced(latex, expected):
    assert is_balanced(latex.split()) is expected
