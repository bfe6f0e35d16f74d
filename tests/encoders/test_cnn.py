"""The CAPTION model's encoder: the paper's parameter count, masks, positions."""

import pytest
import torch
from padding_checks import (
    assert_a_checkpoint_restores_it,
    assert_alone_as_in_a_batch,
    assert_every_parameter_learns,
    settled,
)

from im2tex import Im2Tex
from im2tex.encoders import ENCODERS
from im2tex.encoders.cnn import CNN
from im2tex.encoders.row_cnn import RowCNN
from im2tex.errors import Im2TexError

SMALL = {"channels": [6, 8], "pools": ["2x2", "2x2"], "batch_norm": [False, True]}


def total(channels):
    """Parameters of the whole model: its convolutions, and a decoder over their last width."""
    normed = [False, False, True, False, True, True]
    pairs = zip([1, *channels], channels, normed, strict=False)
    stack = sum(9 * before * after + after + 2 * after * norm for before, after, norm in pairs)
    width = channels[-1]
    # An LSTM of 512 on 80 + 512, bilinear attention, W_c; a token has 80 + 512 + 1.
    lstm = 4 * (512 * (80 + 512) + 512 * 512 + 2 * 512)
    return stack + lstm + 512 * width + (512 + width) * 512 + 555 * (80 + 512 + 1)


def test_cnn_default_parameter_count_matches_row_cnn():
    with_rows = 9_480_347  # derived in test_paper_size.py
    paper = [64, 128, 256, 256, 512, 512]
    by_factor = {n: total([n * width // 64 for width in paper]) for n in range(64, 90)}
    nearest = min(by_factor, key=lambda n: abs(by_factor[n] - with_rows))
    assert nearest == 74
    assert by_factor[74] == 9_480_827
    assert f"{by_factor[74] / 1e6:.2f}" == f"{with_rows / 1e6:.2f}" == "9.48"

    model = Im2Tex(vocabulary=[f"token{k}" for k in range(555 - 4)], encoder="cnn")
    assert sum(parameter.numel() for parameter in model.parameters()) == by_factor[74]
    assert model.recognizer.encoder.stride == (8, 8)
    assert model.recognizer.encoder.width == 74 * 512 // 64 == 592


def test_cnn_equals_row_cnn_without_row_encoder():
    torch.manual_seed(0)
    model = settled(CNN(**SMALL))
    other = RowCNN(**SMALL, row_hidden_size=0).double().eval()
    other.load_state_dict(model.state_dict())  # the same names
    images, mask = torch.rand(1, 1, 8, 12).double(), torch.ones(1, 8, 12, dtype=torch.bool)
    with torch.no_grad():
        assert torch.equal(model(images, mask).features, other(images, mask).features)


@pytest.mark.parametrize("positions", ["none", "sinusoidal"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_cnn_features_do_not_depend_on_the_batch(positions, dtype):
    torch.manual_seed(0)
    assert_alone_as_in_a_batch(settled(CNN(**SMALL, positions=positions), dtype), dtype)


def test_positions_tell_like_cells_apart():
    torch.manual_seed(0)
    blank, mask = torch.zeros(1, 1, 16, 32), torch.ones(1, 16, 32, dtype=torch.bool)
    with torch.no_grad():
        same, told = (
            settled(CNN(**SMALL, positions=kind), torch.float32)(blank, mask).features[0, 1:3, 2:6]
            for kind in ("none", "sinusoidal")
        )
    assert torch.pdist(same.flatten(0, 1)).max() < 1e-6
    assert torch.pdist(told.flatten(0, 1)).min() > 1e-3


def test_cnn_has_gradients_of_all_parameters():
    torch.manual_seed(0)
    assert_every_parameter_learns(CNN(**SMALL))


def test_cnn_encoder_is_restored_from_a_checkpoint(tmp_path):
    settings = SMALL | {"positions": "sinusoidal"}
    assert_a_checkpoint_restores_it(tmp_path / "cnn.ckpt", "cnn", **settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"row_hidden_size": 8}, "takes no argument 'row_hidden_size'"),
        ({"num_row_embeddings": 3}, "takes no argument 'num_row_embeddings'"),
        ({"channels": [4]}, "got 1, 2 and 2 entries"),
        ({"positions": "learnt"}, "argument positions='learnt'"),
        ({"positions": "sinusoidal", "channels": [4, 6]}, "a multiple of 4, got 6"),
    ],
)
def test_cnn_bad_arguments_raise(arguments, message):
    with pytest.raises(Im2TexError, match=message):
        ENCODERS.build("cnn", SMALL | arguments)
