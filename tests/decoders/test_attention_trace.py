"""Where a decoder looked along a reading."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from im2tex.decoders import DECODERS
from im2tex.decoders.attention_trace import supports_attention_trace, trace_attention
from im2tex.decoders.transformer.decoder import TransformerDecoder
from im2tex.errors import Im2TexError
from im2tex.grid import Grid
from im2tex.latex.vocabulary import EOS, PAD

VOCABULARY = 9


def grid(h=3, w=5, width=6, coarse=None):
    torch.manual_seed(0)
    features = torch.randn(1, h, w, width)
    return Grid(features, torch.ones(1, h, w, dtype=torch.bool), (8, 8), coarse)


def lstm(attention="standard", coarse_width=None):
    torch.manual_seed(1)
    decoder = DECODERS.build(
        "lstm",
        {"hidden_size": 8, "embedding_dim": 4},
        vocabulary_size=VOCABULARY,
        attention=attention,
        attention_args={},
        grid_width=6,
        coarse_width=coarse_width,
    )
    return decoder.eval()


def test_attention_trace_equals_teacher_forcing():
    decoder, one = lstm(), grid()
    tokens = [4, 7, 4, EOS]
    found = trace_attention([(decoder, one)], tokens)
    logits, weights = decoder.teacher_forcing(one, torch.tensor([tokens]))
    assert found.fine.shape == (4, 3, 5)
    np.testing.assert_allclose(found.fine.reshape(4, 15), weights[0].detach(), atol=1e-6)
    log_p = logits[0].log_softmax(1).detach()
    expected = log_p[range(4), tokens]
    np.testing.assert_allclose(found.log_probability, expected, atol=1e-6)
    assert found.lookups.tolist() == [[0, 15]] * 4
    assert found.coarse is None


def test_attention_trace_has_the_most_likely_tokens_of_each_step():
    decoder, one = lstm(), grid()
    tokens = [4, 7, EOS]
    found = trace_attention([(decoder, one)], tokens, top_k=2)
    logits, _ = decoder.teacher_forcing(one, torch.tensor([tokens]))
    log_p = logits[0].log_softmax(1).detach().numpy()
    log_p[:, :2] = -np.inf  # neither padding nor the start is ever written
    np.testing.assert_array_equal(found.top_k, np.argsort(-log_p, 1)[:, :2])
    np.testing.assert_allclose(found.top_k_log_probability, -np.sort(-log_p, 1)[:, :2], atol=1e-6)
    assert PAD not in trace_attention([(decoder, one)], tokens, top_k=100).top_k


@dataclass
class Look:
    weights: Any
    coarse_weights: Any
    coarse_lookups: Any
    fine_lookups: Any


@dataclass
class State:
    number: int
    attention_output: Any = None


class CoarseToFine:
    """Looks at coarse cell t and its first fine cell at step t."""

    def __init__(self, says=True):
        self.says = says

    def start(self, grid):
        return State(0)

    def step(self, tokens, state):
        fine, coarse = torch.zeros(1, 1, 8), torch.zeros(1, 1, 2)
        coarse[0, 0, state.number] = 1
        fine[0, 0, 2 * state.number] = 1  # blocks of 2 x 2 in 2 x 4 cells
        looked = Look(fine, coarse, torch.full((1, 1), 2.0), torch.full((1, 1), 4.0))
        log_p = torch.zeros(1, 1, VOCABULARY).log_softmax(2)
        return log_p, State(state.number + 1, looked if self.says else None)


def two_levels(h, w):
    """A grid of which no side is a multiple of the block's, 2 x 2."""
    one = grid(h, w)
    features = torch.randn(1, -(-h // 2), -(-w // 2), 6)
    mask = torch.ones(features.shape[:3], dtype=torch.bool)
    return Grid(one.features, one.mask, (8, 8), Grid(features, mask, (16, 16)))


def test_coarse_cells_lie_where_they_are():
    coarse = Grid(torch.zeros(1, 1, 2, 6), torch.ones(1, 1, 2, dtype=torch.bool), (16, 16))
    found = trace_attention([(CoarseToFine(), grid(2, 4, coarse=coarse))], [5, EOS])
    assert found.coarse.tolist() == [[[1, 0]], [[0, 1]]]
    assert found.fine[1].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]
    assert found.lookups.tolist() == [[2, 4], [2, 4]]


def blocks(fine):
    """The weight of each block of 2 x 2, (T, h', w')."""
    steps, h, w = fine.shape
    full = np.pad(fine, ((0, 0), (0, h % 2), (0, w % 2)))
    return full.reshape(steps, (h + 1) // 2, 2, (w + 1) // 2, 2).sum((2, 4))


@pytest.mark.parametrize("attention", ["coarse_only", "hierarchical", "sparsemax", "hard"])
def test_coarse_to_fine(attention):
    found = trace_attention([(lstm(attention, coarse_width=6), two_levels(3, 5))], [4, 7, 4, EOS])
    assert found.fine.shape == (4, 3, 5)
    assert found.coarse.shape == (4, 2, 3)
    np.testing.assert_allclose(found.fine.sum((1, 2)), 1, atol=1e-6)
    np.testing.assert_allclose(found.coarse.sum((1, 2)), 1, atol=1e-6)
    if attention == "hard":  # all in the block that is the likeliest, of four cells or fewer
        assert (
            blocks(found.fine).reshape(4, 6).argmax(1) == found.coarse.reshape(4, 6).argmax(1)
        ).all()
        assert ((found.fine > 0).sum((1, 2)) <= 4).all()
    else:  # p(z) = p(z') p(z | z'), summed over a block
        np.testing.assert_allclose(blocks(found.fine), found.coarse, atol=1e-6)
    assert (found.lookups[:, 0] == 6).all()


def test_attention_trace_of_a_transformer_has_the_weights_of_the_last_layer():
    torch.manual_seed(0)
    sizes = {
        "d_model": 8,
        "num_layers": 2,
        "num_heads": 2,
        "dim_feedforward": 8,
        "coverage_channels": 4,
    }
    decoder = TransformerDecoder(VOCABULARY, 6, **sizes).eval()
    one, tokens = grid(), [4, 7, 4, EOS]
    found = trace_attention([(decoder, one)], tokens)
    logits, weights = decoder.teacher_forcing(one, torch.tensor([tokens]))
    np.testing.assert_allclose(found.fine.reshape(4, 15), weights[0].detach(), atol=1e-5)
    log_p = logits[0].log_softmax(1).detach()[range(4), tokens]
    np.testing.assert_allclose(found.log_probability, log_p, atol=1e-5)


def test_attention_trace_of_a_decoder_without_steps_raises():
    assert supports_attention_trace(lstm())
    assert not supports_attention_trace(torch.nn.Linear(1, 1))
    assert not supports_attention_trace(DECODERS.get("ctc"))
    with pytest.raises(Im2TexError, match="attention of Linear cannot be shown"):
        trace_attention([(torch.nn.Linear(1, 1), grid())], [EOS])
    with pytest.raises(Im2TexError, match="steps return no attention weights"):
        trace_attention([(CoarseToFine(says=False), grid(2, 4))], [EOS])


def test_attention_trace_of_two_images_or_no_token_raises():
    two = Grid(torch.zeros(2, 1, 1, 6), torch.ones(2, 1, 1, dtype=torch.bool), (8, 8))
    for given, tokens in ((two, [EOS]), (grid(), [])):
        with pytest.raises(ValueError, match="one image and its tokens"):
            trace_attention([(lstm(), given)], tokens)
