"""Grids of random features, as an encoder would give them."""

import torch

from im2tex.grid import Grid, size_mask


def random_grid(sizes, width, dtype):
    """A grid an image, zero outside of its mask; the same for the same sizes."""
    generator = torch.Generator().manual_seed(1)
    sizes = torch.tensor(sizes)
    height, across = sizes.amax(0).tolist()
    mask = size_mask(sizes, height, across)
    shape = (len(sizes), height, across, width)
    features = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return Grid(features * mask.unsqueeze(3), mask, (8, 8))
