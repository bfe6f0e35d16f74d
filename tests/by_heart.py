"""Sixteen pictures to learn by heart: what encoder, attention and decoder can do together.

Every token is a pattern as large as a cell; a formula is a row of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from im2tex.decoders import SearchOptions, Targets
from im2tex.latex.vocabulary import EOS, PAD

VOCABULARY = 12
"""Eight tokens and the four special ones before them."""

LABELS = [
    *([0, 1, 2], [3], [4, 5], [6, 7, 0, 1], [2, 2], [5, 3, 1], [7], [0, 6, 4, 2]),
    *([1], [7, 7, 3], [4, 4, 4, 4], [5, 0], [3, 6, 2, 1], [6], [2, 5], [1, 0, 1]),
]


@dataclass
class Pictures:
    images: Tensor  # (16, 1, H, W)
    mask: Tensor  # (16, H, W)
    tokens: Tensor  # (16, T)
    labels: list[list[int]]


def pictures(size=(4, 4), labels=LABELS):
    """Patterns of `size` pixels side by side, from the left."""
    down, right = size
    patterns = torch.rand(8, down, right, generator=torch.Generator().manual_seed(0)).round()
    longest = max(map(len, labels))
    images = torch.zeros(len(labels), 1, down, right * longest)
    mask = torch.zeros(len(labels), down, right * longest, dtype=torch.bool)
    tokens = torch.full((len(labels), longest + 1), PAD)
    for row, label in enumerate(labels):
        images[row, 0, :, : right * len(label)] = torch.cat([patterns[one] for one in label], 1)
        mask[row, :, : right * len(label)] = True
        tokens[row, : len(label) + 1] = torch.tensor([*(4 + token for token in label), EOS])
    return Pictures(images, mask, tokens, labels)


def teach(encoder, decoder, given, steps=60, rate=0.02):
    """Trains both, and leaves them in eval mode."""
    learnt = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(learnt, lr=rate)
    for _ in range(steps):
        loss, _ = decoder.loss(encoder(given.images, given.mask), Targets(given.tokens))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 5.0)
        optimizer.step()
    encoder.eval(), decoder.eval()


@torch.no_grad()
def read(encoder, decoder, given, beam_size=1):
    """What is read in the pictures, as in `labels`."""
    grid = encoder(given.images, given.mask)
    found = decoder.search(grid, SearchOptions(beam_size=beam_size, max_length=10))
    return [[token - 4 for token in best[0].tokens] for best in found]
