"""What a decoder is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from im2tex.decoders.search import Hypothesis, SearchOptions
from im2tex.grid import Grid
from im2tex.registry import Registry

NO_ATTENTION = "none"
"""The name of the attention in a model whose decoder takes none."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What a batch should be read as.

    Attributes:
        tokens: (B, T) numbers, each row ending with `EOS`, then `PAD`.
        boxes: (B, T, 4) left, top, right, bottom in pixels of the symbol each token stands for,
            right < left where none is known; or None where nothing is known of any.
    """

    tokens: Tensor
    boxes: Tensor | None = None


class Decoder(nn.Module, ABC):
    """Reads a grid.

    Attributes:
        attentions: names of the attentions it works with; None for any, () where it takes none:
            `model.attention` is then left out, and the hyper-parameter says `NO_ATTENTION`.
        by_token: names of the parameters that have a row a token.
    """

    attentions: ClassVar[tuple[str, ...] | None] = None
    by_token: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def loss(self, grid: Grid, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """What it trains by.

        Returns:
            The scalar to minimise, and scalars to log. Likelihood models log `nll`, the summed
            negative log-likelihood in nats, and `tokens`, the number of tokens, ends included:
            of the model itself, without any regulariser.
        """

    @abstractmethod
    def search(self, grid: Grid, options: SearchOptions) -> list[list[Hypothesis]]:
        """The best readings of each image, best first; at least one an image."""


DECODERS: Registry[Decoder] = Registry(
    "decoder",
    group="im2tex.decoders",
    builtin=("im2tex.decoders.lstm", "im2tex.decoders.transformer", "im2tex.decoders.ctc"),
    given=("vocabulary_size", "attention", "attention_args", "grid_width", "coarse_width"),
)
