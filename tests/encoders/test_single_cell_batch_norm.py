"""A batch that is one cell, in training: every encoder with batch normalisation reads it."""

import copy

import pytest
import torch
from padding_checks import batch_of, settled
from torch import nn

from im2tex.encoders import ENCODERS
from im2tex.encoders.single_cell_batch_norm import use_running_stats_for_single_values

ENCODER = {
    "row_cnn": {
        "channels": [4, 6],
        "pools": ["2x2", "1x1"],
        "batch_norm": [True, True],
        "row_hidden_size": 8,
        "coarse": True,
    },
    "cnn": {"channels": [4, 6], "pools": ["2x2", "1x1"], "batch_norm": [True, True]},
    "densenet": {
        "growth_rate": 4,
        "num_layers": 1,
        "num_blocks": 2,
        "out_channels": 8,
        "dropout": 0.0,
    },
    "timm": {"model": "test_resnet", "stride": 4, "out_channels": 8},
    # This one keeps its layers behind the cut, where cells are larger than the grid's.
    "timm behind": {"model": "test_efficientnet", "stride": 8, "out_channels": 8},
}


@pytest.fixture(params=ENCODER)
def encoder(request):
    torch.manual_seed(0)
    made = ENCODERS.build(request.param.split()[0], ENCODER[request.param])
    return settled(made, torch.float32).train()


def test_batch_norm_of_a_single_cell_uses_running_statistics():
    layer = settled(nn.Sequential(nn.BatchNorm2d(3)), torch.float32)
    use_running_stats_for_single_values(layer)
    one = torch.randn(1, 3, 1, 1)
    expected = layer(one)
    torch.testing.assert_close(layer.train()(one), expected, rtol=0, atol=0)
    pair = layer(torch.randn(1, 3, 1, 2)).flatten(2)
    torch.testing.assert_close(pair.mean(2), layer[0].bias.unsqueeze(0))


def normed(encoder):
    return [layer for layer in encoder.modules() if isinstance(layer, nn.BatchNorm2d)]


def test_single_cell_batch_gives_gradients(encoder):
    down, right = encoder.stride
    twin = copy.deepcopy(encoder).eval()  # as a moving average of the weights makes it
    grid = encoder(*batch_of([torch.rand(down, right)], down, right))
    assert grid.features.shape == (1, 1, 1, encoder.width)
    grid.features.square().sum().backward()
    learnt = [p.grad for p in encoder.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in learnt)
    assert any(gradient.any() for gradient in learnt)
    assert all(layer.training for layer in normed(encoder))
    assert not any(layer.training for layer in normed(twin))


def test_batch_norm_of_a_single_cell_keeps_running_statistics(encoder):
    down, right = encoder.stride
    image = torch.rand(down, right)
    last = normed(encoder)[-1]
    before = last.running_mean.clone(), last.running_var.clone(), last.num_batches_tracked.clone()
    encoder(*batch_of([image], down, right))
    assert torch.equal(last.running_mean, before[0])
    assert torch.equal(last.running_var, before[1])
    assert torch.equal(last.num_batches_tracked, before[2])
    encoder(*batch_of([image, 1 - image], down, right))
    assert not torch.equal(last.running_mean, before[0])
