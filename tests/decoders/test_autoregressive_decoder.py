"""A decoder that gives its steps and nothing else: searched alone, and together with others."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_transformer import enumerated, grid
from torch import Tensor

from im2tex.decoders import AutoregressiveDecoder, SearchOptions
from im2tex.decoders.beam_search import gather_beams, log_softmax
from im2tex.decoders.ensemble_step import search
from im2tex.latex.vocabulary import BOS, EOS

WORDS, LONGEST = 6, 3  # two ordinary tokens, so 15 readings of up to three
EVERYTHING = SearchOptions(60, LONGEST + 1, n_best=8)


@dataclass
class Row:
    tables: Tensor  # (B, V, V)
    attention_output: Any = None


class Bigram(AutoregressiveDecoder):
    """Log p of a token after another is what the grid says in the row of that other one."""

    def start(self, grid):
        return Row(log_softmax(grid.features.squeeze(2)))  # (B, V, 1, V) -> (B, V, V)

    def step(self, tokens, state):
        ones = torch.ones(tokens.shape)
        attended = SimpleNamespace(coarse_lookups=ones, fine_lookups=2 * ones)
        return gather_beams(state.tables, tokens), replace(state, attention_output=attended)

    def reorder(self, state, parents):
        return replace(state, attention_output=None)

    def select(self, state, images):
        return Row(state.tables[images])

    def teacher_forcing(self, grid, tokens):
        raise NotImplementedError

    def loss(self, grid, targets):
        raise NotImplementedError


def ranked(tables):
    """Every reading of an image by log p: at each step the mean of what the tables say."""
    mean = torch.stack([table.exp() for table in tables]).mean(0).log()
    scores = []
    for tokens in enumerated(WORDS, LONGEST):
        steps = zip([BOS, *tokens], [*tokens, EOS], strict=True)
        scores.append((sum(mean[before, token].item() for before, token in steps), tokens))
    return sorted(scores, reverse=True)


@pytest.mark.parametrize("members", [1, 2])
def test_autoregressive_decoder_search_is_exact_with_a_full_beam(members):
    decoder = Bigram()
    shown = [grid([(WORDS, 1)] * 2, seed=seed, width=WORDS) for seed in range(members)]
    found = search([(decoder, cells) for cells in shown], EVERYTHING)
    for image, readings in enumerate(found):
        whole = [one for one in readings if one.finished]
        best = ranked([decoder.start(cells).tables[image] for cells in shown])[: len(whole)]
        assert len(whole) > 2
        assert [one.tokens for one in whole] == [tokens for _, tokens in best]
        log_p = [score for score, _ in best]
        assert [one.log_probability for one in whole] == pytest.approx(log_p, abs=1e-9)
        for one in whole:
            assert one.lookups == (members * one.steps, 2 * members * one.steps)
