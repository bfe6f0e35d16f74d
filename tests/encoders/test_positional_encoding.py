"""`PositionalEncoding2d`: values by hand, and their dependence on the image's size alone."""

import math

import pytest
import torch

from im2tex.encoders.positional_encoding import PositionalEncoding2d, sinusoidal
from im2tex.grid import size_mask


def test_positional_encoding_depends_on_the_fraction_of_width_and_height():
    h, w = 3, 4
    found = sinusoidal(size_mask(torch.tensor([[h, w]]), h, w), 8)[0]
    for i in range(h):
        for j in range(w):
            across, down = 2 * math.pi * (j + 1) / w, 2 * math.pi * (i + 1) / h
            # Four features a side: wavelengths 1 and 10000 ** (2 / 4) = 100, a sine and a cosine.
            expected = [
                wave(angle)
                for share in (across, down)
                for angle in (share, share / 100)
                for wave in (math.sin, math.cos)
            ]
            assert found[i, j].tolist() == pytest.approx(expected, abs=1e-5)


def test_positional_encoding_does_not_depend_on_padding():
    together = sinusoidal(size_mask(torch.tensor([[5, 6], [2, 3], [1, 1]]), 5, 6), 12)
    for row, (h, w) in enumerate([(5, 6), (2, 3), (1, 1)]):
        alone = sinusoidal(size_mask(torch.tensor([[h, w]]), h, w), 12)
        assert torch.equal(together[row, :h, :w], alone[0])


def test_positional_encodings_of_a_large_grid_are_distinct():
    cells = sinusoidal(size_mask(torch.tensor([[20, 80]]), 20, 80), 64).flatten(0, 2)
    assert torch.pdist(cells).min() > 0.01


def test_positional_encoding_keeps_the_dtype_of_the_features():
    mask = torch.ones(1, 2, 3, dtype=torch.bool)
    for dtype in (torch.float64, torch.bfloat16):
        features = torch.randn(1, 2, 3, 8, dtype=dtype)
        added = PositionalEncoding2d("sinusoidal", 8)(features, mask)
        assert added.dtype == dtype
        torch.testing.assert_close(added, features + sinusoidal(mask, 8).to(dtype))
        assert PositionalEncoding2d("none", 7)(features, mask) is features


def test_positional_encoding_width_not_multiple_of_4_raises():
    with pytest.raises(ValueError, match="a multiple of 4, got 6"):
        PositionalEncoding2d("sinusoidal", 6)
