"""DenseNet: CoMER's sizes counted by hand, masks that are real, and no copy kept."""

import pytest
import torch
from padding_checks import (
    assert_a_checkpoint_restores_it,
    assert_alone_as_in_a_batch,
    assert_every_parameter_learns,
    batch_of,
    settled,
)
from torch import nn

from im2tex.encoders import ENCODERS
from im2tex.encoders.densenet import DenseBlock, DenseNet
from im2tex.errors import Im2TexError

SMALL = {"growth_rate": 4, "num_layers": 3, "num_blocks": 2, "out_channels": 8}


def small(dtype=torch.float64, **arguments):
    torch.manual_seed(0)
    return settled(DenseNet(**SMALL | arguments), dtype)


def layer(maps, growth):
    # 1x1 to four times the growth, 3x3 to the growth; a scale and a shift behind each.
    return maps * 4 * growth + 2 * 4 * growth + 9 * 4 * growth * growth + 2 * growth


def test_densenet_default_parameter_count_is_comers():
    maps, count = 48, 7 * 7 * 48 + 2 * 48
    for block in range(3):
        if block:
            count += maps * (maps // 2) + 2 * (maps // 2)
            maps //= 2
        count += sum(layer(maps + 24 * number, 24) for number in range(16))
        maps += 16 * 24
    assert maps == 684  # as DenseWAP gives it
    dense = count + 2 * maps
    encoder = DenseNet()
    assert encoder.stride == (16, 16)
    assert encoder.width == 256
    # The projection with its bias, and a layer normalisation.
    assert parameters(encoder) == dense + 684 * 256 + 256 + 2 * 256
    bare = DenseNet(out_channels=0, positions="none")
    assert bare.width == 684
    assert parameters(bare) == dense


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"positions": "none"},
        {"out_channels": 0},
        {"num_blocks": 1},
        {"num_blocks": 3, "reduction": 0.3},
    ],
    ids=str,
)
def test_densenet_features_do_not_depend_on_the_batch(dtype, arguments):
    if arguments.get("out_channels") == 0 or "reduction" in arguments:
        arguments = arguments | {"positions": "none"}
    model = small(dtype, **arguments)
    assert model.stride[0] == 4 * 2 ** (arguments.get("num_blocks", 2) - 1)
    assert_alone_as_in_a_batch(model, dtype)


def test_dropout_acts_in_training_alone():
    images, mask = torch.rand(1, 1, 16, 24).double(), torch.ones(1, 16, 24, dtype=torch.bool)
    model = small(dropout=0.5)
    with torch.no_grad():
        assert torch.equal(model(images, mask).features, model(images, mask).features)
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = 0.0
        model.train()
        assert not torch.equal(model(images, mask).features, model(images, mask).features)


class Plain(nn.Module):
    """The same layers as they are usually written: what each reads is one tensor, kept."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, features, mask):
        for layer in self.block.layers:
            found = layer.norm1(layer.conv1(features)).mul_(mask.unsqueeze(1)).relu_()
            features = torch.cat([features, layer.norm2(layer.conv2(found)).relu_()], 1)
        return features


def run(block, images, mask):
    """Result and gradients, and what was kept for the backward pass, in numbers."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    images = images.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = block(images * 1, mask)
    maps = sum(tensor.numel() for tensor in kept.values() if tensor.shape[2:] == images.shape[2:])
    loss = (found * torch.linspace(-1, 2, found.numel(), dtype=found.dtype).view_as(found)).sum()
    gradients = torch.autograd.grad(loss, [images, *block.parameters()])
    names = [name.removeprefix("block.") for name, _ in block.named_parameters()]
    named = zip(["images", *names], gradients, strict=True)
    return found, dict(named), maps


def test_dense_block_equals_plain_one_and_saves_memory():
    torch.manual_seed(0)
    maps, growth, layers, cells = 6, 4, 7, 2 * 3 * 5
    block = DenseBlock(maps, growth, layers, dropout=0.0).double().train()
    images = torch.randn(2, maps, 3, 5, dtype=torch.float64)
    mask = torch.ones(2, 3, 5, dtype=torch.bool)
    mask[1, :, 3:] = False
    found, gradients, kept = run(block, images, mask)
    expected, plain, plainly = run(Plain(block), images, mask)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert gradients.keys() == plain.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain[name], rtol=0, atol=1e-10, msg=name)
    # All layers but the first read a copy of what others made: maps + growth, + 2 growth, ...
    copies = sum(maps + number * growth for number in range(1, layers))
    assert plainly - kept == copies * cells


def test_dense_block_gradient_matches_finite_differences():
    torch.manual_seed(0)
    block = DenseBlock(2, 1, 2, dropout=0.0).double().eval()
    mask = torch.ones(1, 2, 2, dtype=torch.bool)
    images = torch.randn(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda images: block(images, mask), (images,))


def test_bfloat16_autocast_stays_close_forwards_and_backwards():
    images, mask = batch_of([torch.rand(16, 24), torch.rand(8, 16)], 16, 24)
    found = []
    for amp in (False, True):
        model = small(torch.float32)
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            features = model(images, mask).features
        features.float().sin().sum().backward()
        found.append([features.float().detach(), *(one.grad for one in model.parameters())])
    for exact, rough in zip(*found, strict=True):
        assert rough.dtype == torch.float32
        assert (rough - exact).norm() < 0.1 * exact.norm() + 1e-3


def test_densenet_has_gradients_of_all_parameters():
    assert_every_parameter_learns(small())


def test_densenet_encoder_is_restored_from_a_checkpoint(tmp_path):
    assert_a_checkpoint_restores_it(tmp_path / "dense.ckpt", "densenet", **SMALL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"growth_rate": 0}, "growth_rate must be >= 1, got 0"),
        ({"num_blocks": 0}, "num_blocks must be >= 1, got 0"),
        ({"out_channels": -4}, "out_channels must be >= 0, got -4"),
        ({"reduction": 0.0}, r"reduction must be in \(0, 1\], got 0\.0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1\.0"),
        ({"out_channels": 10}, "a multiple of 4, got 10"),
        ({"depth": 4}, "takes no argument 'depth'"),
    ],
)
def test_densenet_bad_arguments_raise(arguments, message):
    with pytest.raises(Im2TexError, match=message):
        ENCODERS.build("densenet", SMALL | arguments)
