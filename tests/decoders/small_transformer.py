"""Small transformers whose every part speaks up, and grids for them."""

import torch
from torch import nn

from im2tex.decoders.transformer.decoder import TransformerDecoder
from im2tex.grid import Grid, size_mask
from im2tex.latex.vocabulary import EOS, PAD

V, D = 11, 6
SMALL = {
    "d_model": 8,
    "num_layers": 3,
    "num_heads": 2,
    "dim_feedforward": 12,
    "coverage_channels": 4,
    "coverage_kernel_size": 3,
}
TOKENS = torch.tensor([[5, 7, 4, 4, EOS], [6, EOS, PAD, PAD, PAD]])


def decoder(dtype=torch.float64, seed=0, spread=0.6, words=V, grid_width=D, **arguments):
    """One whose weights, and statistics of past batches, are loud enough to matter."""
    torch.manual_seed(seed)
    model = TransformerDecoder(words, grid_width, **SMALL | arguments)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -spread, spread)
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    if model.stack.refinement is not None:
        norm = model.stack.refinement.norm
        nn.init.uniform_(norm.weight, 1.0, 2.0)
        nn.init.uniform_(norm.running_mean, -0.5, 0.5)
        nn.init.uniform_(norm.running_var, 0.02, 0.1)
    return model.to(dtype).eval()


def grid(sizes=((2, 3), (1, 2)), dtype=torch.float64, seed=1, width=D):
    """Random features, other ones in the padding."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.tensor(sizes)
    height, across = sizes.amax(0).tolist()
    shape = (len(sizes), height, across, width)
    features = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    return Grid(features, size_mask(sizes, height, across), (8, 8))


def alone(cells, image):
    """One image of a grid, without padding."""
    h, w = cells.mask[image].any(1).sum(), cells.mask[image].any(0).sum()
    rows = slice(image, image + 1)
    return Grid(cells.features[rows, :h, :w], cells.mask[rows, :h, :w], cells.stride)


def enumerated(words, longest):
    """Every reading of up to so many tokens, ordinary ones of a vocabulary of so many words."""
    found = [[]]
    for length in range(longest):
        found += [
            [*start, token] for start in found if len(start) == length for token in range(4, words)
        ]
    return found
