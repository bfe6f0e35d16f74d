"""Overfits 16 samples: encoder, attention and decoder together.

Each token is a pattern as large as a cell; a formula is a row of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from im2tex.decoders import SearchOptions, Targets
from im2tex.latex.vocabulary import EOS, PAD

VOCABULARY = 12
"""Eight tokens and the four special ones before them."""

MAX_STEPS = 400

LABELS = [
    *([0, 1, 2], [3], [4, 5], [6, 7, 0, 1], [2, 2], [5, 3, 1], [7], [0, 6, 4, 2]),
    *([1], [7, 7, 3], [4, 4, 4, 4], [5, 0], [3, 6, 2, 1], [6], [2, 5], [1, 0, 1]),
]


@dataclass
class Samples:
    images: Tensor  # (16, 1, H, W)
    mask: Tensor  # (16, H, W)
    tokens: Tensor  # (16, T)
    labels: list[list[int]]


def make_samples(size=(4, 4), labels=LABELS):
    """Samples of patterns of `size` pixels side by side."""
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
    return Samples(images, mask, tokens, labels)


def train_until(parts, loss, is_done, rate, least=0):
    """Trains modules until `is_done`, at most `MAX_STEPS` steps, and leaves them in eval mode.

    The number of steps depends on the order of additions, and so on the processor: tests do not
    assert it. `MAX_STEPS` is several times what any seed has needed.

    Args:
        parts: the modules.
        loss: computes the loss of a step.
        is_done: whether to stop; called in eval mode every ten steps.
        rate: learning rate of Adam.
        least: steps before its first call.
    """
    parts = nn.ModuleList(parts)
    optimizer = torch.optim.Adam(parts.parameters(), lr=rate)
    for step in range(1, MAX_STEPS + 1):
        optimizer.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(parts.parameters(), 5.0)
        optimizer.step()
        if step % 10 == 0 and step >= least:
            parts.eval()
            if is_done():
                return
            parts.train()
    parts.eval()


def train(model, given, rate=0.02, least=0, is_done=None):
    """Trains a model on samples until `is_done(model, samples)`, by default until it fits them."""

    def loss():
        grid = model.recognizer.encoder(given.images, given.mask)
        return model.recognizer.require_decoder().loss(grid, Targets(given.tokens))[0]

    is_done = is_done or is_overfitted
    train_until(
        [model.recognizer.encoder, model.recognizer.require_decoder()],
        loss,
        lambda: is_done(model, given),
        rate,
        least,
    )


def is_overfitted(model, given):
    """Whether all samples are predicted without an error."""
    return predict(model, given) == given.labels


@torch.no_grad()
def predict(model, given):
    """The predictions for the samples, as in `labels`."""
    grid = model.recognizer.encoder(given.images, given.mask)
    found = model.recognizer.require_decoder().search(
        grid, SearchOptions(beam_size=1, max_length=10)
    )
    return [[token - 4 for token in best[0].tokens] for best in found]
