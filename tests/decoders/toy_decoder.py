"""A decoder with a random memory, small enough that every reading can be enumerated."""

from itertools import count

import torch

from im2tex.latex.vocabulary import BOS, EOS


class Toy:
    """Log p depends on the image and on all of the prefix; float64 unless told.

    Args:
        images: B.
        ordinary: tokens beside the four special ones.
        seed: of its weights.
        end: added to the score of the end: how eager it is to stop.
    """

    def __init__(self, images=1, ordinary=2, seed=0, end=0.0, dtype=torch.float64):
        self.images = images
        self.vocabulary = 4 + ordinary
        self.dtype = dtype
        self.end = end
        generator = torch.Generator().manual_seed(seed)

        def normal(*size):
            return torch.randn(*size, generator=generator, dtype=torch.float64)

        self.first = normal(images, 1, 6)
        self.mix, self.tokens = 1.5 * normal(6, 6), normal(self.vocabulary, 6)
        self.read = normal(6, self.vocabulary)
        self.rows: list[int] = []  # images in the batch at each step

    def start(self):
        return self.first

    def step(self, tokens, state):
        self.rows.append(len(tokens))
        state = torch.tanh(state @ self.mix + self.tokens[tokens])  # (B, K, 6)
        logits = state @ self.read  # (B, K, V)
        logits[:, :, EOS] += self.end
        return logits.log_softmax(2).to(self.dtype), state

    def reorder(self, state, parents):
        return state.gather(1, parents.unsqueeze(2).expand(-1, -1, 6))

    def select(self, state, images):
        return state[images]

    def only(self, image):
        """The decoder of one image alone."""
        alone = Toy.__new__(Toy)
        alone.__dict__ = dict(self.__dict__, images=1, first=self.first[image : image + 1], rows=[])
        return alone


class Scripted:
    """Log p by the prefix, from a table; prefixes not in it end for certain.

    Args:
        table: p of the next tokens by prefix, a tuple of tokens: letters, or `EOS`.
    """

    def __init__(self, table):
        self.names = {name: number for number, name in zip(count(4), "abcdefgh", strict=False)}
        self.names["."] = EOS
        self.table = table
        self.vocabulary = 4 + 8
        self.calls = 0

    def start(self):
        return [[""]]

    def step(self, tokens, state):
        self.calls += 1
        letters = {number: name for name, number in self.names.items()} | {BOS: ""}
        state = [
            [prefix + letters.get(int(token), "_") for prefix, token in zip(row, line, strict=True)]
            for row, line in zip(state, tokens, strict=True)
        ]
        p = torch.zeros(len(state), len(state[0]), self.vocabulary, dtype=torch.float64)
        for b, row in enumerate(state):
            for k, prefix in enumerate(row):
                for name, share in self.table.get(prefix, {".": 1.0}).items():
                    p[b, k, self.names[name]] = share
        return p.log(), state

    def reorder(self, state, parents):
        return [[row[k] for k in line] for row, line in zip(state, parents.tolist(), strict=True)]

    def select(self, state, images):
        return [state[b] for b in images.tolist()]
