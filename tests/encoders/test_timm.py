"""Networks of timm: what stride and width they get, what is refused, what padding does."""

import copy

import pytest
import timm
import torch
from padding_checks import (
    assert_a_checkpoint_restores_it,
    assert_alone_as_in_a_batch,
    assert_every_parameter_learns,
    batch_of,
    restored,
    settled,
)

from im2tex.encoders import ENCODERS
from im2tex.encoders.timm_features import TimmFeatures
from im2tex.errors import Im2TexError

SMALL = {"model": "test_resnet", "stride": 4, "out_channels": 16}
"""Timm's own network for tests: a ResNet of a few ten thousand parameters."""


@pytest.mark.parametrize(
    ("model", "stride", "model_args"),
    [
        ("resnet18", 8, None),
        ("test_resnet", 16, None),
        ("test_efficientnet", 8, None),  # one that keeps its layers behind the cut
        ("test_vit", 16, {"dynamic_img_size": True}),
        ("swin_tiny_patch4_window7_224", 4, {"strict_img_size": False, "depths": [1, 1, 1, 1]}),
    ],
)
def test_timm_network_is_cut_at_its_stride_and_projected(model, stride, model_args):
    torch.manual_seed(0)
    encoder = TimmFeatures(model, stride, out_channels=12, model_args=model_args).eval()
    images, mask = batch_of([torch.rand(2 * stride, 4 * stride)] * 2, 3 * stride, 5 * stride)
    with torch.no_grad():
        grid = encoder(images, mask)
    assert encoder.stride == grid.stride == (stride, stride)
    assert encoder.width == 12
    assert grid.features.shape == (2, 3, 5, 12)
    assert grid.mask[0].nonzero().tolist() == [[i, j] for i in range(2) for j in range(4)]
    assert (grid.features[~grid.mask] == 0).all()
    assert grid.features[grid.mask].abs().max() > 0
    assert_every_parameter_learns(encoder)
    assert any(one.requires_grad for one in encoder.network.parameters())


@pytest.fixture
def built(monkeypatch):
    """The networks that timm is asked to build: their names, and whether with weights."""
    found = []
    create = timm.create_model

    def create_model(name, pretrained=False, **arguments):
        found.append((name, pretrained))
        return create(name, **arguments)

    monkeypatch.setattr(timm, "create_model", create_model)
    return found


@pytest.mark.parametrize(
    ("model", "stride", "place"),
    [("test_resnet", 16, 3), ("test_convnext", 4, 0), ("test_efficientnet", 2, 0)],
)
def test_timm_network_is_built_once_and_cut_after_its_last_map_of_the_stride(
    built, model, stride, place
):
    encoder = TimmFeatures(model, stride)
    assert built == [(model, False)]
    cut = timm.create_model(model, features_only=True, in_chans=1, out_indices=(place,))
    assert encoder.network.state_dict().keys() == cut.state_dict().keys()
    assert encoder.network.feature_info.reduction() == [stride]


def test_timm_feature_map_of_an_unusual_network_is_found():
    # All maps of a transformer have one stride: the last is taken, though 16 is often last but one.
    encoder = TimmFeatures("test_vit", 16, out_channels=0, model_args={"dynamic_img_size": True})
    whole = timm.create_model("test_vit", features_only=True, in_chans=1)
    info = encoder.network.feature_info
    assert info.module_name()[-1] == whole.feature_info.info[-1]["module"]


def test_timm_network_with_weights_is_built_once_more(built):
    TimmFeatures(**SMALL, pretrained=True)
    assert built == [("test_resnet", False), ("test_resnet", True)]


def test_timm_encoder_without_projection_has_the_width_of_the_network():
    encoder = TimmFeatures("resnet18", 8, out_channels=0)
    assert encoder.width == 128  # the third stage of a ResNet-18
    assert encoder.project is None


def test_positions_are_added():
    mask = torch.ones(1, 32, 48, dtype=torch.bool)
    models = [settled(TimmFeatures(**SMALL, positions=kind)) for kind in ("none", "sinusoidal")]
    models[1].load_state_dict(models[0].state_dict())
    with torch.no_grad():
        plain, told = (m(torch.zeros(1, 1, 32, 48).double(), mask).features for m in models)
    added = told - plain
    assert torch.pdist(added.flatten(0, 2)).min() > 1e-3
    assert added.abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("model", ["resnet18", "test_resnet", "test_convnext"])
def test_timm_maskable_layers_do_not_depend_on_batch(model, dtype):
    torch.manual_seed(0)
    model = settled(TimmFeatures(model, 8, out_channels=16, positions="sinusoidal"), dtype)
    assert_alone_as_in_a_batch(model, dtype)
    twin = copy.deepcopy(model)  # as a moving average of the weights makes it
    assert_alone_as_in_a_batch(twin, dtype)


@pytest.mark.parametrize(
    ("model", "stride", "model_args", "most"),
    [
        ("test_efficientnet", 32, None, 0.1),  # squeeze-and-excitation over the padded size
        ("test_vit", 16, {"dynamic_img_size": True}, 0.3),  # attention, and resized positions
    ],
)
def test_elsewhere_padding_tells_and_images_of_one_size_do_not(model, stride, model_args, most):
    torch.manual_seed(0)
    encoder = settled(TimmFeatures(model, stride, out_channels=16, model_args=model_args))
    h, w = 2, 4
    image, other = (torch.rand(h * stride, w * stride).double().round() for _ in range(2))
    wide = torch.cat([other, other], 1)
    with torch.no_grad():
        alone = encoder(*batch_of([image], h * stride, w * stride)).features[0]
        beside = encoder(*batch_of([image, other], h * stride, w * stride)).features[0]
        padded = encoder(*batch_of([image, wide], h * stride, 2 * w * stride)).features[0, :, :w]
    torch.testing.assert_close(beside, alone, rtol=0, atol=1e-9)
    error = (padded - alone).norm() / alone.norm()
    assert 1e-3 < error < most


def test_timm_encoder_is_restored_from_a_checkpoint(tmp_path):
    assert_a_checkpoint_restores_it(tmp_path / "timm.ckpt", "timm", **SMALL)


# ------------------------------------------------------------------ pretrained weights


@pytest.fixture
def hub(monkeypatch):
    """A hub that is out of reach, and the networks that were asked of it."""
    asked = []
    create = timm.create_model

    def create_model(name, pretrained=False, **arguments):
        if pretrained:
            asked.append(name)
            raise ConnectionError("no route to host\nafter 5 tries")
        return create(name, **arguments)

    monkeypatch.setattr(timm, "create_model", create_model)
    return asked


def test_pretrained_weights_out_of_reach_are_an_error_with_the_way_out(hub):
    encoder = ENCODERS.build("timm", SMALL | {"pretrained": True})
    assert hub == ["test_resnet"]
    with pytest.raises(Im2TexError) as error:
        encoder(*batch_of([torch.rand(8, 8)], 8, 8))
    assert str(error.value) == (
        "encoder 'timm': the pretrained weights of 'test_resnet' cannot be loaded "
        "(ConnectionError: no route to host). Connect to the network once, so that they are kept "
        "in the cache that HF_HOME names, or set model.encoder_args.pretrained to false."
    )


def test_timm_checkpoint_of_a_pretrained_network_needs_no_download(hub, tmp_path):
    model, other = restored(tmp_path / "timm.ckpt", "timm", **SMALL, pretrained=True)
    images, mask = batch_of([torch.rand(8, 16)], 8, 16)
    model.recognizer.encoder._download_error = ""
    with torch.no_grad():
        assert torch.equal(
            other.recognizer.encoder(images, mask).features,
            model.recognizer.encoder(images, mask).features,
        )


def test_pretrained_weights_are_those_of_the_network(monkeypatch):
    create = timm.create_model

    def create_model(name, pretrained=False, **arguments):
        network = create(name, **arguments)
        if pretrained:
            for parameter in network.parameters():
                torch.nn.init.constant_(parameter, 0.25)
        return network

    monkeypatch.setattr(timm, "create_model", create_model)
    encoder = TimmFeatures(**SMALL, pretrained=True)
    assert all((parameter == 0.25).all() for parameter in encoder.network.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "resnet8"}, "has no model 'resnet8'; did you mean .*'resnet18'"),
        ({"model": "zzz"}, r"has no model 'zzz'\. List some by"),
        ({"stride": 5}, "'test_resnet' has feature maps of stride 2, 4, .*; got stride 5"),
        ({"model": "test_convnext", "stride": 2}, "of stride 4, 8, 16, 32; got stride 2"),
        ({"out_channels": -1}, "out_channels must be >= 0, got -1"),
        ({"out_channels": 10, "positions": "sinusoidal"}, "a multiple of 4, got 10"),
        ({"model_args": {"colour": 1}}, "cannot build 'test_resnet': .*argument 'colour'"),
        ({"model": "swin_tiny_patch4_window7_224"}, r"any size: .*\{strict_img_size: false\}"),
        ({"model": "resnet18.mine", "pretrained": True}, r"tag \(mine\) for resnet18"),
        ({"model": "resnet18.mine"}, r"tag \(mine\) for resnet18"),
        ({"model": "mobilevitv2_125", "stride": 8, "pretrained": "x"}, "pretrained='x'"),
    ],
)
def test_timm_bad_arguments_raise(arguments, message):
    with pytest.raises(Im2TexError, match=message):
        ENCODERS.build("timm", SMALL | arguments)


def test_timm_network_without_pretrained_weights_raises():
    bare = next(
        name
        for name in timm.list_models("*resnet*")
        if not (timm.get_pretrained_cfg(name) or timm.get_pretrained_cfg("resnet18")).has_weights
    )
    with pytest.raises(Im2TexError, match=f"no pretrained weights of '{bare}'; set pretrained"):
        ENCODERS.build("timm", {"model": bare, "stride": 16, "pretrained": True})
