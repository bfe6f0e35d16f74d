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

MOST_STEPS = 400

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


def train(parts, loss, learnt, rate, least=0):
    """Trains modules until they have learnt, and leaves them in eval mode.

    How many steps that takes depends on the processor: one with wider registers adds in another
    order. So no test counts them. Whether it is learnt is asked every ten steps, up to several
    times as many as any seed has needed; the test asserts it afterwards.

    Args:
        parts: the modules.
        loss: what makes the loss of a step.
        learnt: what says whether they have learnt; asked in eval mode.
        rate: of learning, by Adam.
        least: steps before it is first asked.
    """
    parts = nn.ModuleList(parts)
    optimizer = torch.optim.Adam(parts.parameters(), lr=rate)
    for step in range(1, MOST_STEPS + 1):
        optimizer.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(parts.parameters(), 5.0)
        optimizer.step()
        if step % 10 == 0 and step >= least:
            parts.eval()
            if learnt():
                return
            parts.train()
    parts.eval()


def teach(model, given, rate=0.02, least=0, learnt=None):
    """Trains a model on pictures until it reads them, or as `learnt` of both says."""

    def loss():
        grid = model.recognizer.encoder(given.images, given.mask)
        return model.recognizer.require_decoder().loss(grid, Targets(given.tokens))[0]

    learnt = learnt or knows
    train(
        [model.recognizer.encoder, model.recognizer.require_decoder()],
        loss,
        lambda: learnt(model, given),
        rate,
        least,
    )


def knows(model, given):
    """Whether all pictures are read without an error."""
    return read(model, given) == given.labels


@torch.no_grad()
def read(model, given):
    """What is read in the pictures, as in `labels`."""
    grid = model.recognizer.encoder(given.images, given.mask)
    found = model.recognizer.require_decoder().search(
        grid, SearchOptions(beam_size=1, max_length=10)
    )
    return [[token - 4 for token in best[0].tokens] for best in found]
