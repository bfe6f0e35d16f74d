"""Losses from known symbols: golden numbers by hand, and where their gradients go."""

import math

import pytest
import torch
from torch import nn

from im2tex.decoders.alignment_losses import SymbolLoss, guided_attention_loss, symbol_cells
from im2tex.encoders.row_cnn import RowCNN
from im2tex.grid import Grid, size_mask


def grid(features, mask=None):
    b, h, w, _ = features.shape
    mask = torch.ones(b, h, w, dtype=torch.bool) if mask is None else mask
    return Grid(features, mask, (8, 8))


def test_guided_attention_by_hand():
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]])
    cells = torch.tensor([[[1, 1, 0], [0, 0, 0], [0, 0, 1]]], dtype=torch.bool)
    # -log 0.75 for the first token, nothing known of the second, -log 0.4 for the third.
    expected = -(math.log(0.75) + math.log(0.4)) / 2
    assert guided_attention_loss(weights, cells).item() == pytest.approx(expected, abs=1e-6)


def test_guided_attention_teaches_most_where_attention_is_certain_and_wrong():
    # d(-log p)/d score of a softmax is p - 1 for the true cell, however small p is.
    for distance in (1.0, 20.0, 60.0):
        scores = torch.tensor([[[0.0, distance]]], requires_grad=True)
        cells = torch.tensor([[[True, False]]])
        guided_attention_loss(scores.softmax(2), cells).backward()
        p = 1 / (1 + math.exp(distance))
        assert scores.grad[0, 0].tolist() == pytest.approx([p - 1, 1 - p], rel=1e-4)


def test_guided_attention_stays_finite_where_the_attention_underflows():
    scores = torch.tensor([[[0.0, 1e4]]], requires_grad=True)
    loss = guided_attention_loss(scores.softmax(2), torch.tensor([[[True, False]]]))
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()


def test_symbol_loss_has_hand_computed_value():
    loss = SymbolLoss(width=1, vocabulary_size=2).double()
    loss.classify.weight.data = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    loss.classify.bias.data.zero_()
    features = torch.tensor([[[[1.0], [3.0], [7.0]]]], dtype=torch.float64)
    tokens = torch.tensor([[0, 1, 1]])
    cells = torch.tensor([[[1, 1, 0], [0, 0, 0], [1, 0, 0]]], dtype=torch.bool)
    # Mean features 2 and 1, logits +-2 and +-1, targets 0 and 1:
    # log(1 + e^-4) and log(1 + e^2); nothing known of the second token.
    expected = (math.log1p(math.exp(-4)) + math.log1p(math.exp(2))) / 2
    found = loss(grid(features), tokens, cells)
    assert found.item() == pytest.approx(expected, abs=1e-12)


def test_symbol_cells_are_in_row_major_order():
    mask = size_mask(torch.tensor([[2, 2]]), 2, 3)
    boxes = torch.tensor([[[9.0, 9.0, 10.0, 10.0], [0.0, 0.0, 24.0, 7.0], [0.0, 0.0, -1.0, -1.0]]])
    found = symbol_cells(grid(torch.zeros(1, 2, 3, 1), mask), boxes)
    assert found.int().tolist() == [[[0, 0, 0, 0, 1, 0], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]]


def test_alignment_losses_without_symbols_are_0_with_finite_gradients():
    scores = torch.randn(2, 3, 4, requires_grad=True)
    features = torch.randn(2, 2, 2, 5, requires_grad=True)
    cells = torch.zeros(2, 3, 4, dtype=torch.bool)
    symbols = SymbolLoss(width=5, vocabulary_size=7)
    guided = guided_attention_loss(scores.softmax(2), cells)
    classified = symbols(grid(features), torch.zeros(2, 3, dtype=torch.long), cells)
    (guided + classified).backward()
    assert guided.item() == classified.item() == 0
    for one in (scores, features, *symbols.parameters()):
        assert (one.grad == 0).all()


def test_symbol_loss_has_encoder_gradients():
    torch.manual_seed(0)
    encoder = RowCNN([4, 4], ["2x2", "2x2"], [True, True], row_hidden_size=4, residual=True)
    images = torch.rand(1, 1, 8, 16)
    encoded = encoder(images, torch.ones(1, 8, 16, dtype=torch.bool))
    boxes = torch.tensor([[[0.0, 0.0, 3.0, 3.0], [8.0, 0.0, 15.0, 7.0]]])
    symbols = SymbolLoss(width=4, vocabulary_size=6)
    symbols(encoded, torch.tensor([[4, 5]]), symbol_cells(encoded, boxes)).backward()
    first = encoder.convolutions[0][0]
    assert isinstance(first, nn.Conv2d)
    assert first.weight.grad.abs().sum() > 0


def test_symbol_classifier_under_autocast_is_float32():
    torch.manual_seed(0)
    symbols = SymbolLoss(width=8, vocabulary_size=50)
    features, cells = torch.randn(2, 3, 4, 8), torch.rand(2, 5, 12) < 0.4
    tokens = torch.randint(0, 50, (2, 5))
    exact = symbols(grid(features), tokens, cells)
    with torch.autocast("cpu", torch.bfloat16):
        rough = symbols(grid(features.bfloat16()), tokens, cells)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=0.01)
