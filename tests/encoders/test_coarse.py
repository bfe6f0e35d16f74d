"""The coarse branch: its layers, ragged edges, masks that are real, and the grid's block."""

import pytest
import torch
from padding_checks import assert_cells_alone_as_in_a_batch, batch_of
from torch import nn

from im2tex.encoders import ENCODERS
from im2tex.encoders.coarse import CoarseBranch
from im2tex.encoders.row_cnn import RowCNN
from im2tex.errors import Im2TexError
from im2tex.grid import Grid

SMALL = {"channels": [4, 8], "pools": ["2x2", "2x2"], "batch_norm": [False, True]}


def shaken(model, dtype=torch.float64):
    """With parameters and statistics that training may leave."""
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -0.7, 0.7)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.5, 0.5)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return model.to(dtype).eval()


def encoder(dtype=torch.float64, **arguments):
    torch.manual_seed(0)
    return shaken(
        RowCNN(
            **SMALL | {"row_hidden_size": 8, "num_row_embeddings": 3, "coarse": True} | arguments
        ),
        dtype,
    )


def test_coarse_branch_has_the_layers_of_the_paper():
    torch.manual_seed(0)
    branch = shaken(CoarseBranch(4, row_hidden_size=6, num_row_embeddings=2, block=2))
    features = torch.rand(1, 4, 3, 5, dtype=torch.float64)
    mask = torch.ones(1, 3, 5, dtype=torch.bool)
    first, first_norm, _ = branch.first
    second, second_norm, _ = branch.second
    with torch.no_grad():
        found = branch(features, mask, (8, 16))
        x = torch.relu(first_norm(first(features)))
        # Rounded up by hand: windows at rows 0 and 2, columns 0, 2 and 4, cut at the edge.
        pooled = [[x[0, :, i : i + 2, j : j + 2].amax((1, 2)) for j in (0, 2, 4)] for i in (0, 2)]
        x = torch.stack([torch.stack(row, 1) for row in pooled], 1).unsqueeze(0)  # (1, 4, 2, 3)
        x = torch.relu(second_norm(second(x))).permute(0, 2, 3, 1)
        expected = branch.row_encoder(x, torch.ones(1, 2, 3, dtype=torch.bool))
    torch.testing.assert_close(found.features, expected, rtol=0, atol=1e-12)
    assert found.mask.all()
    assert found.stride == (16, 32)
    assert found.coarse is None


@pytest.mark.parametrize(
    ("height", "width", "block", "coarse"),
    [(10, 24, 4, (3, 6)), (8, 48, 4, (2, 12)), (1, 1, 4, (1, 1)), (9, 5, 2, (5, 3))],
)
def test_coarse_grid_covers_every_fine_cell_of_a_ragged_grid(height, width, block, coarse):
    model = encoder(block=block)
    assert (model.stride, model.coarse_width) == ((4, 4), 8)
    with torch.no_grad():
        grid = model(
            *batch_of([torch.rand(4 * height, 4 * width).double()], 4 * height, 4 * width, 0.0)
        )
    assert grid.mask.shape[1:] == (height, width)
    assert grid.coarse.mask.shape[1:] == coarse
    assert grid.coarse.mask.all()
    assert grid.block == (block, block)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"residual": True, "block": 2},
        {"num_row_embeddings": 0, "block": 3},
        {"row_hidden_size": 0},
    ],
    ids=str,
)
def test_coarse_features_do_not_depend_on_the_batch(dtype, arguments):
    model = encoder(dtype, **arguments)
    images = [torch.rand(size, dtype=dtype) for size in [(4, 20), (28, 8), (8, 4), (12, 36)]]

    def coarse(*batch):
        return model(*batch).coarse

    assert_cells_alone_as_in_a_batch(coarse, images, 32, 44, 4 * model.coarse.block)


def test_coarse_branch_does_not_change_the_fine_grid():
    model = encoder()
    images = batch_of([torch.rand(16, 24).double()], 16, 24, 0.0)
    with torch.no_grad():
        fine = model(*images).features
        model.coarse = None
        assert torch.equal(model(*images).features, fine)


def test_encoder_without_coarse_branch_has_no_coarse_grid():
    model = encoder(coarse=False)
    assert model.coarse_width is None
    with torch.no_grad():
        grid = model(*batch_of([torch.rand(8, 8).double()], 8, 8, 0.0))
    assert grid.coarse is None
    with pytest.raises(ValueError, match="has no coarse grid"):
        _ = grid.block


@pytest.mark.parametrize(
    ("size", "stride"), [((2, 2), (32, 32)), ((3, 4), (32, 32)), ((2, 3), (32, 30))]
)
def test_coarse_grid_that_does_not_cover_the_fine_grid_raises(size, stride):
    # 8 x 9 cells of 8 pixels, blocks of 4: 2 x 3 coarse cells of 32 pixels.
    coarse = Grid(torch.zeros(1, *size, 1), torch.ones(1, *size, dtype=torch.bool), stride)
    grid = Grid(torch.zeros(1, 8, 9, 1), torch.ones(1, 8, 9, dtype=torch.bool), (8, 8), coarse)
    with pytest.raises(ValueError, match="coarse grid must have"):
        _ = grid.block


def test_coarse_block_below_1_raises():
    with pytest.raises(Im2TexError, match="block must be >= 1, got 0"):
        ENCODERS.build("row_cnn", SMALL | {"row_hidden_size": 8, "coarse": True, "block": 0})


def test_coarse_branch_in_channels_last_has_gradients_of_all_parameters():
    model = encoder(residual=True).train().to(memory_format=torch.channels_last)
    images, mask = batch_of([torch.rand(16, 24).double()] * 2, 16, 24, 0.0)
    model(images, mask).coarse.features.square().sum().backward()
    for name, parameter in model.coarse.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_coarse_branch_in_channels_last_is_equal():
    model = encoder()
    images, mask = batch_of([torch.rand(16, 24).double()], 16, 24, 0.0)
    with torch.no_grad():
        plain = model(images, mask).coarse.features
        last = model.to(memory_format=torch.channels_last)(
            images.contiguous(memory_format=torch.channels_last), mask
        ).coarse.features
    torch.testing.assert_close(last, plain, rtol=0, atol=1e-12)
