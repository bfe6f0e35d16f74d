"""Optimisers: the paper's defaults, and what weight decay leaves alone."""

import pytest
import torch
from torch import nn

from im2tex.attention.standard import StandardAttention
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.encoders.row_cnn import RowCNN
from im2tex.errors import Im2TexError
from im2tex.training.optim import OPTIMIZERS


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = RowCNN(
            [2, 4], ["2x2", "2x2"], [True, True], row_hidden_size=4, num_row_embeddings=3
        )
        self.decoder = LSTMDecoder(
            9, "standard", {"score": "additive"}, 4, hidden_size=5, embedding_dim=3
        )
        self.norm = nn.LayerNorm((2, 4))  # two dimensions, and a norm all the same


def test_sgd_defaults_are_the_papers():
    optimizer = OPTIMIZERS.build("sgd").build(Model())
    assert isinstance(optimizer, torch.optim.SGD)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.0, 0.0)
    assert len(group["params"]) == len(list(Model().parameters()))


def test_sgd_step_is_rate_times_gradient():
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(2.0)
    optimizer = OPTIMIZERS.build("sgd").build(layer)
    (3 * layer.weight).sum().backward()
    optimizer.step()
    assert layer.weight.item() == pytest.approx(2.0 - 0.1 * 3)


def test_adamw_decays_kernels_only():
    model = Model()
    optimizer = OPTIMIZERS.build("adamw", {"lr": 2e-3, "weight_decay": 0.1}).build(model)
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert all(group["lr"] == 2e-3 for group in optimizer.param_groups)
    assert all(group["betas"] == (0.9, 0.98) for group in optimizer.param_groups)
    decayed = {name for name, p in model.named_parameters() if decay[id(p)] == 0.1}
    assert len(decay) == len(list(model.parameters()))
    assert {name for name, p in model.named_parameters() if decay[id(p)] == 0} == {
        name for name, _ in model.named_parameters() if name not in decayed
    }
    assert decayed == {
        "encoder.convolutions.0.0.weight",
        "encoder.convolutions.1.0.weight",
        "encoder.row_encoder.forward_lstm.weight_ih_l0",
        "encoder.row_encoder.forward_lstm.weight_hh_l0",
        "encoder.row_encoder.backward_lstm.weight_ih_l0",
        "encoder.row_encoder.backward_lstm.weight_hh_l0",
        "decoder.cell.weight_ih",
        "decoder.cell.weight_hh",
        "decoder.attention.project.weight",
        "decoder.attention.keys.weight",
        "decoder.attention.energy.weight",
        "decoder.combine.weight",
        "decoder.output.weight",
    }


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_optimizers_skip_frozen_parameters(name):
    attention = StandardAttention(query_width=3, width=4, score="additive")
    attention.keys.weight.requires_grad_(False)
    optimizer = OPTIMIZERS.build(name).build(attention)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(attention.project.weight), id(attention.energy.weight)}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("sgd", {"lr": -1}, "optimizer 'sgd': Invalid learning rate: -1"),
        ("adamw", {"beta2": 1.5}, "optimizer 'adamw': Invalid beta parameter at index 1: 1.5"),
        ("adamw", {"weight_decay": -1}, "optimizer 'adamw': Invalid weight_decay value: -1"),
    ],
)
def test_optimizers_values_out_of_range_raise(name, arguments, message):
    with pytest.raises(Im2TexError, match=message):
        OPTIMIZERS.build(name, arguments)
