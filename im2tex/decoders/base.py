"""The decoder's interface and the registry of decoders."""

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
    """The labels of a batch.

    Attributes:
        tokens: (B, T) ids; each row ends with `EOS` and is padded with `PAD`.
        boxes: (B, T, 4) left, top, right and bottom, in pixels, of each token's symbol; right <
            left where it is not annotated. None if no symbol of the batch is annotated.
    """

    tokens: Tensor
    boxes: Tensor | None = None


class Decoder(nn.Module, ABC):
    """Maps a grid to a loss and to hypotheses.

    Attributes:
        attentions: names of the attentions it accepts; None for any; () for a decoder that takes
            none, with which `model.attention` is not set and stored as `NO_ATTENTION`.
        vocabulary_parameters: names of the parameters that have one row for each token.
        inactive_when: arguments that have no effect while another argument has a certain value,
            as `{argument: (other argument, value)}`.
        alignment_losses: names of its arguments that are weights of losses which need the boxes of
            the targets, where these weights are not 0.
    """

    attentions: ClassVar[tuple[str, ...] | None] = None
    vocabulary_parameters: ClassVar[tuple[str, ...]] = ()
    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {}
    alignment_losses: tuple[str, ...] = ()

    @abstractmethod
    def loss(self, grid: Grid, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """The training loss.

        Returns:
            The scalar to minimise, and scalars to log. Likelihood models log `nll`, the summed
            negative log-likelihood in nats without any regulariser, and `tokens`, the number of
            tokens including ends.
        """

    @abstractmethod
    def search(self, grid: Grid, options: SearchOptions) -> list[list[Hypothesis]]:
        """The best hypotheses of each image, best first; at least one for each."""


class AutoregressiveDecoder(Decoder):
    """Predicts one token at a time, by itself or as a member of an ensemble.

    It implements `bidirectional_search.SearchableDecoder`. A decoder from left to right does not
    override `is_bidirectional`, `right_to_left` and `score_tokens`.

    Example:
        >>> decoder = DECODERS.build("lstm", vocabulary_size=100, attention="standard",
        ...                          attention_args={}, grid_width=512, coarse_width=None)
        >>> best = decoder.search(grid, SearchOptions(beam_size=5))[0][0]
    """

    @torch.no_grad()
    def search(self, grid: Grid, options: SearchOptions) -> list[list[Hypothesis]]:
        """See `Decoder.search`."""
        return search_grids(self, self.start(grid), [grid], options)

    @abstractmethod
    def start(self, grid: Grid) -> Any:
        """The state before the first step from left to right, one hypothesis for each image."""

    @abstractmethod
    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """See `StepwiseDecoder.step`. The returned state has an `attention_output`."""

    @abstractmethod
    def reorder(self, state: Any, parents: Tensor) -> Any:
        """See `StepwiseDecoder.reorder`."""

    @abstractmethod
    def select(self, state: Any, images: Tensor) -> Any:
        """See `StepwiseDecoder.select`."""

    @abstractmethod
    def teacher_forcing(self, grid: Grid, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the decoder on given labels.

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

    def score_tokens(self, state: Any, images: Tensor, tokens: Tensor, reverse: Tensor) -> Tensor:
        """See `SearchableDecoder.score_tokens`."""
        raise NotImplementedError


def smoothed_nll(log_p: Tensor, gold_log_p: Tensor, mask: Tensor, label_smoothing: float) -> Tensor:
    """Cross-entropy with smoothed targets, (1 - s) -log p(gold) + s mean over V of -log p.

    Args:
        log_p: (..., T, V).
        gold_log_p: (..., T) those of the targets.
        mask: (..., T) bool, true where there is a token.
        label_smoothing: s, probability that is spread evenly over the vocabulary.

    Returns:
        The sum over all tokens, a scalar in nats.
    """
    nll = -(gold_log_p * mask).sum()
    if not label_smoothing:
        return nll
    return (1 - label_smoothing) * nll - label_smoothing * (log_p.mean(-1) * mask).sum()


DECODERS: Registry[Decoder] = Registry(
    "decoder",
    group="im2tex.decoders",
    builtin=("im2tex.decoders.lstm", "im2tex.decoders.transformer.decoder", "im2tex.decoders.ctc"),
    injected=("vocabulary_size", "attention", "attention_args", "grid_width", "coarse_width"),
)
