"""Joint rescoring against every reading there is, and through the model's own loss."""

from dataclasses import replace

import pytest
import torch
from small_transformer import alone, decoder, enumerated, grid

from im2tex.decoders import SearchOptions, Targets
from im2tex.decoders import bidirectional_search as module
from im2tex.decoders.beam_search import beam_search
from im2tex.latex.vocabulary import EOS

WORDS, LONGEST = 7, 3  # three ordinary tokens, so 40 readings of up to three


def model_and_grid():
    return decoder(words=WORDS, seed=4), grid(((2, 3), (1, 2)))


def by_loss(model, cells, tokens, finished=True):
    """Log p of a reading in both directions, by the loss where it has an end."""
    ways = []
    for way, order in ((False, tokens), (True, tokens[::-1])):
        target = torch.tensor([[*order, EOS] if finished else order])
        log_p = model.teacher_forcing(cells, target, way)[0].log_softmax(2)
        ways.append(log_p.gather(2, target.unsqueeze(2)).sum().item())
    return ways


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_bidirectional_search_with_full_beam_finds_the_best_label(penalty):
    model, cells = model_and_grid()
    # Long enough for every reading of up to three tokens; the beam holds all 40 and more.
    options = SearchOptions(200, LONGEST + 1, length_penalty=penalty, n_best=10)
    with torch.no_grad():
        found = model.search(cells, options)
        for image, best in enumerate(found):
            single, ranked = alone(cells, image), []
            for tokens in enumerated(WORDS, LONGEST):
                mean = sum(by_loss(model, single, tokens)) / 2
                ranked.append((mean / (len(tokens) + 1) ** penalty, mean, tokens))
            # Those cut off at the limit, four tokens without an end, compete as well.
            for tokens in enumerated(WORDS, LONGEST + 1):
                if len(tokens) == LONGEST + 1:
                    mean = sum(by_loss(model, single, tokens, finished=False)) / 2
                    ranked.append((mean / len(tokens) ** penalty, mean, tokens))
            ranked.sort(reverse=True)
            for one, (score, mean, tokens) in zip(best, ranked, strict=False):
                assert one.tokens == tokens
                assert one.score == pytest.approx(score, abs=1e-6)
                assert one.log_probability == pytest.approx(mean, abs=1e-6)
                assert one.finished == (len(tokens) <= LONGEST)


def test_bidirectional_search_scores_each_candidate_in_both_directions():
    model, cells = model_and_grid()
    options = SearchOptions(3, 6, n_best=3)
    device = torch.device("cpu")
    with torch.no_grad():
        start = model.start(cells)
        ahead = beam_search(model, start, 2, options, device)
        back = beam_search(model, replace(start, reverse=True), 2, options, device)
        joint = model.search(cells, options)
        for image, found in enumerate(joint):
            pool = {(tuple(one.tokens), one.finished) for one in ahead[image]}
            pool |= {(tuple(one.tokens[::-1]), one.finished) for one in back[image]}
            assert len(pool) > 3  # the directions do not find the same
            scores = {}
            for tokens, finished in pool:
                ways = by_loss(model, alone(cells, image), list(tokens), finished)
                scores[tokens] = sum(ways) / 2
            best = sorted(scores.values(), reverse=True)[:3]
            assert [one.score for one in found] == pytest.approx(best, abs=1e-6)
            for one in found:
                assert one.score == pytest.approx(scores[tuple(one.tokens)], abs=1e-6)


def test_direction_likelihood_equals_loss():
    model, cells = model_and_grid()
    tokens = torch.tensor([[5, 4, 6, EOS], [6, 6, EOS, 0]])
    with torch.no_grad():
        _, logs = model.loss(cells, Targets(tokens))
        ways = [by_loss(model, alone(cells, 0), [5, 4, 6]), by_loss(model, alone(cells, 1), [6, 6])]
    assert -logs["nll"].item() == pytest.approx(ways[0][0] + ways[1][0], abs=1e-9)
    assert -logs["nll_backwards"].item() * 7 == pytest.approx(ways[0][1] + ways[1][1], abs=1e-9)


def test_joint_ranking_in_small_chunks_gives_equal_scores(monkeypatch):
    model, cells = model_and_grid()
    options = SearchOptions(5, 7, n_best=5, length_penalty=0.5)
    together = model.search(cells, options)
    passes = []
    score_tokens = model.score_tokens
    for units in (1, 30, 200):
        monkeypatch.setattr(module, "MAX_SCORED_CELLS", units)
        monkeypatch.setattr(
            model,
            "score_tokens",
            lambda *given: passes.append(given[2].numel() * 6) or score_tokens(*given),
        )
        passes.clear()
        for one, other in zip(model.search(cells, options), together, strict=True):
            assert [a.tokens for a in one] == [a.tokens for a in other]
            assert [a.score for a in one] == pytest.approx([a.score for a in other], abs=1e-9)
        assert len(passes) > 1
        assert max(passes) <= max(units, 7 * 6)  # or a single reading


def test_left_to_right_search_equals_beam_search():
    model, cells = model_and_grid()
    model.directions = "left_to_right"
    options = SearchOptions(3, 6, n_best=2)
    found = model.search(cells, options)
    plain = beam_search(model, model.start(cells), 2, options, torch.device("cpu"))
    for one, other in zip(found, plain, strict=True):
        assert [a.tokens for a in one] == [a.tokens for a in other]
        assert [a.score for a in one] == [a.score for a in other]


@pytest.mark.parametrize(("directions", "passes"), [("both", 2), ("left_to_right", 1)])
def test_lookups_count_all_layers_and_directions(directions, passes):
    model, cells = decoder(directions=directions), grid(((2, 3), (1, 2)))
    for n, found in zip((6, 2), model.search(cells, SearchOptions(2, 5)), strict=True):
        assert found[0].lookups == (0, passes * 3 * n * found[0].steps)
