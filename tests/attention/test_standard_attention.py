"""Standard attention: both scores by hand, the mask, gradients, and what a step looked at."""

import math

import pytest
import torch

from im2tex.attention import ATTENTIONS
from im2tex.attention.standard import StandardAttention
from im2tex.errors import Im2TexError
from im2tex.grid import Grid, size_mask


def grid(features, sizes=None):
    b, h, w, _ = features.shape
    sizes = torch.tensor([[h, w]] * b) if sizes is None else torch.tensor(sizes)
    return Grid(features, size_mask(sizes, h, w), (8, 8))


def both(**sizes):
    return [StandardAttention(**sizes, score=score).double() for score in ("bilinear", "additive")]


def test_bilinear_score_has_hand_computed_values():
    attention = StandardAttention(query_width=1, width=2).double()
    attention.project.weight.data = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    features = torch.tensor([[[[math.log(3), 0.0], [0.0, 0.0]]]], dtype=torch.float64)
    query = torch.ones(1, 1, 1, dtype=torch.float64)
    # h W = (1, 2); scores (log 3, 0); weights (3, 1) / 4.
    attended = attention(query, attention.prepare(grid(features)), None)
    assert attended.weights.tolist()[0][0] == pytest.approx([0.75, 0.25], abs=1e-12)
    assert attended.context.tolist()[0][0] == pytest.approx([0.75 * math.log(3), 0.0], abs=1e-12)


def test_additive_score_has_hand_computed_values():
    attention = StandardAttention(
        query_width=1, width=1, score="additive", attention_dim=1
    ).double()
    attention.project.weight.data.fill_(0.5)
    attention.keys.weight.data.fill_(2.0)
    attention.energy.weight.data.fill_(3.0)
    features = torch.tensor([[[[1.0], [-1.0]]]], dtype=torch.float64)
    query = torch.full((1, 1, 1), 2.0, dtype=torch.float64)
    # beta tanh(W1 h + W2 V) = 3 tanh(1 + 2) and 3 tanh(1 - 2).
    scores = [3 * math.tanh(3), 3 * math.tanh(-1)]
    first = 1 / (1 + math.exp(scores[1] - scores[0]))
    attended = attention(query, attention.prepare(grid(features)), None)
    assert attended.weights.tolist()[0][0] == pytest.approx([first, 1 - first], abs=1e-12)
    assert attended.context.item() == pytest.approx(2 * first - 1, abs=1e-12)


def test_gradients_agree_with_finite_differences():
    torch.manual_seed(0)
    for attention in both(query_width=3, width=2):

        def step(query, features, attention=attention):
            memory = attention.prepare(grid(features, sizes=[[2, 2], [1, 2]]))
            attended = attention(query, memory, None)
            return attended.context, attended.weights

        query = torch.randn(2, 1, 3, dtype=torch.float64, requires_grad=True)
        features = torch.randn(2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(step, (query, features))


def test_padding_gets_no_weight_and_changes_nothing():
    torch.manual_seed(0)
    query = torch.randn(2, 2, 3, dtype=torch.float64)
    small = torch.randn(1, 1, 2, 4, dtype=torch.float64)
    padded = torch.full((2, 3, 3, 4), 7.0, dtype=torch.float64)
    padded[1, :1, :2] = small
    for attention in both(query_width=3, width=4):
        together = attention(query, attention.prepare(grid(padded, [[3, 3], [1, 2]])), None)
        alone = attention(query[1:], attention.prepare(grid(small)), None)
        torch.testing.assert_close(together.context[1:], alone.context, rtol=0, atol=1e-12)
        weights = together.weights[1].reshape(2, 3, 3)
        torch.testing.assert_close(weights[:, 0, :2], alone.weights[0], rtol=0, atol=1e-12)
        assert weights[:, 1:].sum() == weights[:, 0, 2:].sum() == 0


def test_standard_attention_step_counts_every_true_cell():
    attention = StandardAttention(query_width=3, width=4)
    memory = attention.prepare(grid(torch.randn(2, 3, 3, 4), [[3, 3], [1, 2]]))
    attended = attention(torch.randn(2, 4, 3), memory, None)
    assert attended.fine_lookups.tolist() == [[9.0] * 4, [2.0] * 4]
    assert attended.coarse_lookups.tolist() == [[0.0] * 4] * 2
    assert attended.state is None
    torch.testing.assert_close(attended.weights.sum(2), torch.ones(2, 4))


def test_standard_memory_select_takes_images():
    torch.manual_seed(0)
    query = torch.randn(3, 1, 3, dtype=torch.float64)
    images = torch.tensor([2, 0])
    features = torch.randn(3, 2, 2, 4, dtype=torch.float64, requires_grad=True)
    for attention in both(query_width=3, width=4):
        memory = attention.prepare(grid(features, [[2, 2], [1, 1], [1, 2]]))
        every = attention(query, memory, None)
        some = attention(query[images], attention.select(memory, images), None)
        torch.testing.assert_close(some.context, every.context[images], rtol=0, atol=1e-12)
        torch.testing.assert_close(some.weights, every.weights[images], rtol=0, atol=1e-12)
        torch.testing.assert_close(some.fine_lookups, every.fine_lookups[images])


def test_softmax_of_half_precision_scores_is_computed_in_float32():
    cells = grid(torch.zeros(1, 20, 35, 4, dtype=torch.bfloat16))
    query = torch.zeros(1, 1, 3, dtype=torch.bfloat16)
    for attention in both(query_width=3, width=4):
        attention.bfloat16()
        attended = attention(query, attention.prepare(cells), None)
        assert attended.weights.dtype == torch.float32
        # In bfloat16: 700 x 0.001427.
        assert attended.weights.sum().item() == pytest.approx(1.0, abs=1e-5)


def test_additive_score_width_defaults_to_the_query_size():
    def build(**arguments):
        return ATTENTIONS.build(
            "standard", {"score": "additive"} | arguments, query_width=6, width=4, coarse_width=None
        )

    assert build().keys.weight.shape == (6, 4)
    assert build(attention_dim=3).keys.weight.shape == (3, 4)
    with pytest.raises(Im2TexError, match="attention_dim must be >= 1, got 0"):
        build(attention_dim=0)
