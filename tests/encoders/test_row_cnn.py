"""The paper's encoder: shapes, the row LSTM against PyTorch's own, and masks that are real."""

import pytest
import torch
from padding_checks import assert_cells_alone_as_in_a_batch, batch_of
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from im2tex.encoders import ENCODERS
from im2tex.encoders.row_cnn import RowCNN
from im2tex.encoders.row_encoder import RowEncoder
from im2tex.errors import Im2TexError
from im2tex.grid import size_mask

SMALL = {"channels": [4, 6, 8], "pools": ["2x2", "1x2", "2x1"], "batch_norm": [False, True, True]}


def encoder(dtype=torch.float64, **arguments):
    """A small one of stride 4 x 4, with parameters and statistics that training may leave."""
    torch.manual_seed(0)
    model = RowCNN(**SMALL | {"row_hidden_size": 8, "num_row_embeddings": 3} | arguments)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.7, 0.7)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.5, 0.5)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return model.to(dtype).eval()


# Heights of 1, 7 and 2 rows, so more than the 3 with initial states of their own, and an odd
# number of them; widths of 5, 2 and 1 columns.
SIZES = [(4, 20), (28, 8), (8, 4)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"residual": True},
        {"num_row_embeddings": 0},
        {"row_hidden_size": 0},
        {"residual": True, "dropout": 0.5},
    ],
    ids=str,
)
def test_row_cnn_features_do_not_depend_on_batch(dtype, arguments):
    model = encoder(dtype, **arguments)
    images = [torch.rand(size, dtype=dtype) for size in SIZES]
    assert_cells_alone_as_in_a_batch(model, images, 32, 24, 4)


def test_row_cnn_features_depend_on_the_image():
    model = encoder()
    image = torch.rand(8, 16, dtype=torch.float64)
    other = image.clone()
    other[-1, -1] += 1
    with torch.no_grad():
        one, two = (model(*batch_of([x], 8, 16, 0.0)).features for x in (image, other))
    # The way back tells every column of the last row of a change in its last pixel.
    assert ((one - two).abs().amax(3)[0, 1] > 1e-9).all()


def test_row_cnn_default_stride_is_8_by_8():
    model = ENCODERS.build("row_cnn").eval()
    assert model.stride == (8, 8)
    assert model.width == 512
    with torch.no_grad():
        grid = model(torch.zeros(1, 1, 16, 40), torch.ones(1, 16, 40, dtype=torch.bool))
    assert grid.features.shape == (1, 2, 5, 512)
    assert grid.mask.shape == (1, 2, 5)
    assert grid.stride == (8, 8)
    assert grid.coarse is None


def test_row_encoder_is_a_bidirectional_lstm_over_each_row():
    torch.manual_seed(0)
    rows = RowEncoder(inputs=5, width=6, num_row_embeddings=2).double()
    nn.init.normal_(rows.row_embedding)
    reference = nn.LSTM(5, 3, batch_first=True, bidirectional=True).double()
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        getattr(reference, name).data.copy_(getattr(rows.forward_lstm, name))
        getattr(reference, f"{name}_reverse").data.copy_(getattr(rows.backward_lstm, name))
    mask = size_mask(torch.tensor([[4, 3], [2, 5]]), 4, 5)
    features = torch.randn(2, 4, 5, 5, dtype=torch.float64) * mask.unsqueeze(3)
    with torch.no_grad():
        found = rows(features, mask)
        for image, (height, width) in enumerate([(4, 3), (2, 5)]):
            for row in range(height):
                # Rows beyond the two with initial states of their own take the last one's.
                start = rows.row_embedding[:, :, min(row, 1)]  # (direction, h or c, 3)
                packed = pack_padded_sequence(
                    features[image, row].unsqueeze(0), [width], batch_first=True
                )
                state = start[:, 0].unsqueeze(1).contiguous(), start[:, 1].unsqueeze(1).contiguous()
                expected, _ = pad_packed_sequence(reference(packed, state)[0], batch_first=True)
                torch.testing.assert_close(
                    found[image, row, :width], expected[0], rtol=0, atol=1e-9
                )


def test_rows_know_where_they_are_by_their_initial_states_alone():
    blank = torch.zeros(16, 8, dtype=torch.float64)
    with torch.no_grad():
        rows = encoder(num_row_embeddings=3)(*batch_of([blank], 16, 8, 0.0)).features[
            0, 1:
        ]  # away from the edge
        same = encoder(num_row_embeddings=0)(*batch_of([blank], 16, 8, 0.0)).features[0, 1:]
    assert (same[0] - same[1]).abs().max() < 1e-12
    assert (rows[0] - rows[1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": [4, 8]}, "got 2, 3 and 3 entries"),
        ({"channels": [4, 0, 8]}, r"channels must be one or more numbers >= 1, got \[4, 0, 8\]"),
        ({"num_row_embeddings": -1}, "num_row_embeddings must be >= 0, got -1"),
        ({"pools": ["2x2", "2", "1x1"]}, "a pool must be written HxW, such as 2x1, got '2'"),
        ({"pools": ["2x2", "0x1", "1x1"]}, "got '0x1'"),
        ({"row_hidden_size": 7}, "row_hidden_size must be even .*, got 7"),
        ({"residual": True, "row_hidden_size": 6}, "adds 8 channels to a row_hidden_size of 6"),
    ],
)
def test_row_cnn_bad_arguments_raise(arguments, message):
    with pytest.raises(Im2TexError, match=message):
        ENCODERS.build("row_cnn", SMALL | {"row_hidden_size": 8} | arguments)


def test_row_cnn_has_gradients_of_all_parameters():
    model = encoder(residual=True).train()
    model(
        *batch_of([torch.rand(16, 8, dtype=torch.float64)] * 2, 16, 8, 0.0)
    ).features.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_bfloat16_autocast_stays_close():
    model = encoder(torch.float32)
    images, mask = batch_of([torch.rand(8, 16), torch.rand(12, 8)], 12, 16, 0.0)
    with torch.no_grad():
        exact = model(images, mask).features
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(images, mask).features
    assert (rough.float() - exact).abs().max() < 0.05
