"""What a decoder is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from im2tex.decoders.beam_search import Hypothesis, SearchOptions
from im2tex.decoders.bidirectional_search import search_grids
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
        vocabulary_parameters: names of the parameters that have a row a token.
        inactive_when: arguments that do nothing where another has a value: its name and that value.
        alignment_losses: names of its arguments that weigh losses by the boxes of the targets.
    """

    attentions: ClassVar[tuple[str, ...] | None] = None
    vocabulary_parameters: ClassVar[tuple[str, ...]] = ()
    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {}
    alignment_losses: tuple[str, ...] = ()

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


class AutoregressiveDecoder(Decoder):
    """Reads a token at a time: it gives its steps, and is searched by them, alone or in company.

    It is a `bidirectional_search.SearchableDecoder`; a decoder from left to right only keeps
    `is_bidirectional`, `right_to_left` and `score_tokens` of this class.
    """

    @torch.no_grad()
    def search(self, grid: Grid, options: SearchOptions) -> list[list[Hypothesis]]:
        """See `Decoder.search`."""
        return search_grids(self, self.start(grid), [grid], options)

    @abstractmethod
    def start(self, grid: Grid) -> Any:
        """The state before the first step from left to right, one hypothesis an image."""

    @abstractmethod
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """See `StepwiseDecoder.step`. The state after it has an `attention_output`."""

    @abstractmethod
    def reorder(self, state: Any, parents: Tensor) -> Any:
        """See `StepwiseDecoder.reorder`."""

    @abstractmethod
    def select(self, state: Any, images: Tensor) -> Any:
        """See `StepwiseDecoder.select`."""

    @abstractmethod
    def teacher_forcing(self, grid: Grid, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Teacher forcing: the gold prefix is fed at every step.

        Args:
            grid: of B images.
            tokens: (B, T) targets, the end included.

        Returns:
            Logits (B, T, V) and attention weights (B, T, h w).
        """

    def lookups(self, state: Any) -> tuple[Tensor, Tensor]:
        """See `SearchableDecoder.lookups`."""
        return state.attention_output.coarse_lookups, state.attention_output.fine_lookups

    @property
    def is_bidirectional(self) -> bool:
        """See `SearchableDecoder.is_bidirectional`."""
        return False

    def right_to_left(self, state: Any) -> Any:
        """See `SearchableDecoder.right_to_left`."""
        raise NotImplementedError

    def score_tokens(self, state: Any, images: Tensor, tokens: Tensor, backwards: Tensor) -> Tensor:
        """See `SearchableDecoder.score_tokens`."""
        raise NotImplementedError


DECODERS: Registry[Decoder] = Registry(
    "decoder",
    group="im2tex.decoders",
    builtin=("im2tex.decoders.lstm", "im2tex.decoders.transformer.decoder", "im2tex.decoders.ctc"),
    injected=("vocabulary_size", "attention", "attention_args", "grid_width", "coarse_width"),
)
