"""Decoders that read together: against every reading there is, scored member by member."""

import math

import pytest
import torch
from grids import random_grid
from small_transformer import alone, decoder, enumerated, grid
from torch import nn

from im2tex.decoders import SearchOptions, Targets
from im2tex.decoders.ctc import CTCDecoder
from im2tex.decoders.ensemble_step import likelihood, search
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import EOS, PAD

WORDS, LONGEST = 7, 3  # three ordinary tokens, so 40 readings of up to three
EVERYTHING = SearchOptions(200, LONGEST + 1, n_best=10)


def lstm(seed, width=6):
    torch.manual_seed(seed)
    model = LSTMDecoder(WORDS, "standard", {}, width, hidden_size=8, embedding_dim=4)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.8, 0.8)
    return model.double().eval()


def together(members, tokens):
    """Log p of a reading: at each step the mean of what the members give its token."""
    each = []
    for model, cells, *way in members:
        target = torch.tensor([[*(tokens[::-1] if way == [True] else tokens), EOS]])
        p = model.teacher_forcing(cells, target, *way)[0].softmax(2)
        each.append(p.gather(2, target.unsqueeze(2)))
    return torch.stack(each).mean(0).log().sum().item()


def whole(found):
    return [one for one in found if one.finished]


def test_ensemble_search_ranks_by_mean_probabilities():
    first, second = lstm(1), lstm(2)
    cells, others = grid(seed=1), grid(((3, 2), (2, 2)), seed=2)  # another size for the second
    with torch.no_grad():
        found = search([(first, cells), (second, others)], EVERYTHING)
        for image in range(2):
            members = [(first, alone(cells, image)), (second, alone(others, image))]
            ranked = sorted(
                ((together(members, one), one) for one in enumerated(WORDS, LONGEST)), reverse=True
            )
            best = whole(found[image])
            assert [hypothesis.tokens for hypothesis in best] == [
                hypothesis for _, hypothesis in ranked[: len(best)]
            ]
            assert len(best) > 3
            for one, (log_p, _) in zip(best, ranked, strict=False):
                assert one.log_probability == pytest.approx(log_p, abs=1e-9)
                cells_seen = sum(int(part[1].mask.sum()) for part in members)
                assert one.lookups == (0, cells_seen * one.steps)


def test_members_of_both_directions_rank_jointly_what_each_direction_finds():
    parts = [(decoder(words=WORDS, seed=seed), grid(seed=seed)) for seed in (4, 5)]
    with torch.no_grad():
        found = search(parts, EVERYTHING)
        for image in range(2):
            singles = [(model, alone(cells, image)) for model, cells in parts]
            ranked = []
            for tokens in enumerated(WORDS, LONGEST):
                ways = [together([(*one, way) for one in singles], tokens) for way in (False, True)]
                ranked.append((sum(ways) / 2, tokens))
            ranked.sort(reverse=True)
            best = whole(found[image])
            assert [hypothesis.tokens for hypothesis in best] == [
                hypothesis for _, hypothesis in ranked[: len(best)]
            ]
            assert len(best) > 3
            for one, (log_p, _) in zip(best, ranked, strict=False):
                assert one.log_probability == pytest.approx(log_p, abs=1e-6)
                seen = sum(int(cells.mask.sum()) for _, cells in singles)
                assert one.lookups == (0, 2 * 3 * seen * one.steps)  # both ways, three layers


def test_ensemble_of_mixed_directions_searches_left_to_right():
    both, left = (
        decoder(words=WORDS, seed=4),
        decoder(words=WORDS, seed=5, directions="left_to_right"),
    )
    cells = grid()
    with torch.no_grad():
        best = search([(both, cells), (left, cells)], SearchOptions(3, LONGEST + 1))[0][0]
        members = [(both, alone(cells, 0)), (left, alone(cells, 0))]
        assert best.finished
        assert best.log_probability == pytest.approx(together(members, best.tokens), abs=1e-9)


@pytest.mark.parametrize("model", [lstm(1), decoder(words=WORDS)], ids=["lstm", "transformer"])
def test_ensemble_of_a_decoder_with_itself_equals_the_decoder(model):
    cells, options = grid(), SearchOptions(4, 9, n_best=4)
    with torch.no_grad():
        for one, two in zip(
            search([(model, cells)], options), search([(model, cells)] * 2, options), strict=True
        ):
            assert [found.tokens for found in one] == [found.tokens for found in two]
            for a, b in zip(one, two, strict=True):
                assert a.log_probability == pytest.approx(b.log_probability, abs=1e-9)


def test_ensemble_likelihood_ignores_padding(monkeypatch):
    model, cells = lstm(1), grid(seed=1)
    tokens = torch.tensor([[4, EOS, PAD], [4, 5, EOS]])
    expected = likelihood([(model, cells)] * 2, Targets(tokens))["nll"].item()
    teacher_forcing = model.teacher_forcing

    def impossible(cells, tokens):
        scores, *rest = teacher_forcing(cells, tokens)
        scores = scores.clone()
        scores[..., PAD] = -math.inf  # never said
        return scores, *rest

    monkeypatch.setattr(model, "teacher_forcing", impossible)
    found = likelihood([(model, cells)] * 2, Targets(tokens))["nll"].item()
    p = teacher_forcing(cells, tokens)[0].softmax(2)[..., PAD]
    excluded = (-p).log1p()[tokens != PAD].sum().item()  # what is left is a little likelier
    assert found == pytest.approx(expected + excluded, abs=1e-9)


def test_ensemble_likelihood_equals_that_of_the_search():
    parts = [(lstm(1), grid(seed=1)), (lstm(2), grid(seed=2))]
    labels = [[5, 4], [6]]
    targets = Targets(torch.tensor([[5, 4, EOS], [6, EOS, PAD]]))
    with torch.no_grad():
        logs = likelihood(parts, targets)
        expected = 0.0
        for image, tokens in enumerate(labels):
            expected -= together([(model, alone(cells, image)) for model, cells in parts], tokens)
    assert logs["nll"].item() == pytest.approx(expected, abs=1e-9)
    assert logs["tokens"] == 5
    single = likelihood(parts[:1], targets)["nll"].item()
    assert single == pytest.approx(parts[0][0].loss(parts[0][1], targets)[1]["nll"].item())
    assert not math.isclose(single, expected)


def test_ensemble_with_a_non_autoregressive_decoder_raises():
    ctc, cells = (
        CTCDecoder(WORDS, 6, hidden_size=8).double().eval(),
        random_grid([(2, 4)], 6, torch.float64),
    )
    assert len(search([(ctc, cells)], SearchOptions())) == 1
    targets = Targets(torch.tensor([[4, EOS]]))
    for refused in (
        lambda: search([(ctc, cells)] * 2, SearchOptions()),
        lambda: likelihood([(ctc, cells)] * 2, targets),
    ):
        with pytest.raises(Im2TexError, match=r"CTCDecoder .* leave model\.ensemble"):
            refused()
