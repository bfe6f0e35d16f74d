"""Prefix search: every alignment enumerated, and what the options promise."""

import itertools
import math

import pytest
import torch

from im2tex.decoders import SearchOptions
from im2tex.decoders.ctc_prefix_search import prefix_search
from im2tex.latex.vocabulary import BOS, EOS, PAD, UNK

V = 7  # the four special ones and three letters
BARRED = (BOS, EOS, UNK)
WIDE = 500  # holds every prefix of the alphabets here


def emissions(batch=3, steps=4, seed=0, letters=3, sharp=1.5):
    """Log p (B, T, V) with p at the letters and the blank alone."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharp * torch.randn(batch, steps, V, generator=generator, dtype=torch.float64)
    logits[:, :, list(BARRED)] = -math.inf
    logits[:, :, 4 + letters :] = -math.inf
    return logits.log_softmax(2)


def enumerated(log_p):
    """p of every label, summed over the alignments of one image (T, V)."""
    p = log_p.exp().tolist()
    found = {}
    alphabet = [token for token in range(V) if token not in BARRED]
    for path in itertools.product(alphabet, repeat=len(p)):
        label = tuple(token for token, _ in itertools.groupby(path) if token != PAD)
        found[label] = found.get(label, 0) + math.prod(
            line[token] for line, token in zip(p, path, strict=True)
        )
    return found


@pytest.mark.parametrize("seed", range(4))
def test_prefix_search_with_wide_beam_sums_all_alignments(seed):
    log_p = emissions(seed=seed, steps=5, letters=2)
    lengths = torch.tensor([5, 3, 1])
    searched = prefix_search(log_p, lengths, SearchOptions(WIDE, n_best=WIDE), BARRED)
    for image, found in enumerate(searched):
        expected = enumerated(log_p[image, : lengths[image]])
        possible = {label: p for label, p in expected.items() if p > 0}
        assert {tuple(one.tokens): math.exp(one.log_probability) for one in found} == pytest.approx(
            possible
        )
        assert sum(possible.values()) == pytest.approx(1)
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert all(one.finished and one.score == one.log_probability for one in found)


def test_prefix_search_repeats_a_token_only_after_a_blank():
    a = 4
    sure = torch.full((1, 3, V), -math.inf, dtype=torch.float64)
    sure[0, :, a] = 0
    (lasting,) = prefix_search(sure, torch.tensor([3]), SearchOptions(5), BARRED)
    assert lasting[0].tokens == [a]
    sure[0, 1] = sure[0, 1].roll(PAD - a)  # a blank in the middle
    (twice,) = prefix_search(sure, torch.tensor([3]), SearchOptions(5), BARRED)
    assert twice[0].tokens == [a, a]
    assert twice[0].log_probability == 0


def test_prefix_search_finds_a_better_label_than_the_best_alignment():
    # Two blanks are the best alignment, but the three that read a have more between them.
    p = torch.zeros(1, 2, V, dtype=torch.float64)
    p[0, :, PAD], p[0, :, 4] = 0.6, 0.4
    (found,) = prefix_search(p.log(), torch.tensor([2]), SearchOptions(2, n_best=2), BARRED)
    assert found[0].tokens == [4]
    assert math.exp(found[0].log_probability) == pytest.approx(1 - 0.6 * 0.6)
    assert math.exp(found[1].log_probability) == pytest.approx(0.6 * 0.6)


@pytest.mark.parametrize("beam", [1, 2, 3, 6])
def test_prefix_search_with_narrow_beam_does_not_overestimate(beam):
    log_p = emissions(batch=6, steps=6, seed=7)
    lengths = torch.full((6,), 6)
    narrow = prefix_search(log_p, lengths, SearchOptions(beam, n_best=beam), BARRED)
    for image, found in enumerate(narrow):
        expected = enumerated(log_p[image])
        assert 1 <= len(found) <= beam
        assert len({tuple(one.tokens) for one in found}) == len(found)
        for one in found:
            assert one.log_probability <= math.log(expected[tuple(one.tokens)]) + 1e-9


def textbook(log_p, beam):
    """Hannun's algorithm with dictionaries, on one image (T, V)."""
    beams = {(): (0.0, -math.inf)}

    def add(x, y):
        return torch.logaddexp(torch.tensor(x).double(), torch.tensor(y).double()).item()

    for line in log_p.tolist():
        grown = {}

        def put(prefix, blank, token, grown=grown):
            old = grown.get(prefix, (-math.inf, -math.inf))
            grown[prefix] = add(old[0], blank), add(old[1], token)

        for prefix, (blank, token) in beams.items():
            total = add(blank, token)
            put(prefix, total + line[PAD], -math.inf)
            for letter in range(4, V):
                if prefix and prefix[-1] == letter:
                    put(prefix, -math.inf, token + line[letter])
                    put((*prefix, letter), -math.inf, blank + line[letter])
                else:
                    put((*prefix, letter), -math.inf, total + line[letter])
        best = sorted(grown.items(), key=lambda one: -add(*one[1]))[:beam]
        beams = dict(best)
    return [(list(prefix), add(*both)) for prefix, both in beams.items()]


@pytest.mark.parametrize("beam", [1, 3])
def test_prefix_search_with_narrow_beam_is_at_least_the_textbook_algorithm(beam):
    log_p = emissions(batch=4, steps=7, seed=3)
    found = prefix_search(log_p, torch.full((4,), 7), SearchOptions(beam, n_best=beam), BARRED)
    for image, hypotheses in enumerate(found):
        expected = textbook(log_p[image], beam)
        assert [hypothesis.tokens for hypothesis in hypotheses] == [
            prefix for prefix, _ in expected
        ]
        assert [hypothesis.log_probability for hypothesis in hypotheses] == pytest.approx(
            [log_p for _, log_p in expected]
        )


def test_prefix_search_of_an_image_does_not_depend_on_its_batch():
    log_p = emissions(batch=4, steps=6, seed=1)
    lengths = torch.tensor([2, 6, 1, 4])
    options = SearchOptions(3, n_best=3)
    noise = torch.arange(6) >= lengths.unsqueeze(1)
    padded = log_p.masked_fill(noise.unsqueeze(2), -0.5)  # what lies beyond an image's end
    together = prefix_search(padded, lengths, options, BARRED)
    for image, length in enumerate(lengths.tolist()):
        (alone,) = prefix_search(
            log_p[image : image + 1, :length], lengths[image : image + 1], options, BARRED
        )
        assert [one.tokens for one in together[image]] == [one.tokens for one in alone]
        assert [one.score for one in together[image]] == pytest.approx([o.score for o in alone])


def test_barred_tokens_are_never_read_however_likely():
    log_p = torch.zeros(1, 4, V, dtype=torch.float64)
    log_p[:, :, list(BARRED)] = 50.0
    (found,) = prefix_search(
        log_p.log_softmax(2), torch.tensor([4]), SearchOptions(WIDE, n_best=WIDE), BARRED
    )
    assert {token for one in found for token in one.tokens} == {4, 5, 6}


def test_prefix_search_of_nan_scores_returns_a_hypothesis():
    log_p = torch.full((2, 3, V), math.nan)
    found = prefix_search(log_p, torch.tensor([3, 1]), SearchOptions(2), BARRED)
    assert [len(image) for image in found] == [1, 1]
    assert all(math.isnan(image[0].log_probability) for image in found)


def test_prefix_search_label_of_maximum_length_is_unfinished():
    log_p = torch.full((1, 4, V), -9.0, dtype=torch.float64)
    for step, token in enumerate((4, 5, 6, 4)):
        log_p[0, step, token] = -0.1
    lengths = torch.tensor([4])
    (whole,) = prefix_search(log_p, lengths, SearchOptions(4, max_length=5), BARRED)
    assert (whole[0].tokens, whole[0].finished) == ([4, 5, 6, 4], True)
    (cut,) = prefix_search(log_p, lengths, SearchOptions(4, max_length=2, n_best=4), BARRED)
    assert all(len(one.tokens) <= 2 for one in cut)
    assert {one.finished for one in cut if len(one.tokens) == 2} == {False}
    assert {one.finished for one in cut if len(one.tokens) < 2} <= {True}


def test_prefix_search_length_penalty_orders_by_log_p_per_token():
    log_p = emissions(steps=5, seed=2)
    options = SearchOptions(20, n_best=20, length_penalty=0.8)
    for found in prefix_search(log_p, torch.full((3,), 5), options, BARRED):
        for one in found:
            expected = one.log_probability / (len(one.tokens) + 1) ** 0.8
            assert one.score == pytest.approx(expected)
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
