"""An ensemble of decoders, each with its own grid, in one beam search.

The members are models of several trainings, as in the ensembles published on CROHME (WAP, Zhang et
al. 2017), or one model with the same image at several scales, or both. At every step

    p(y_t) = mean over members m of p_m(y_t),

which is a probability, so that scores and perplexities mean the same as for one model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from im2tex.decoders.base import AutoregressiveDecoder, Decoder, Targets
from im2tex.decoders.beam_search import Hypothesis, SearchOptions, log_softmax
from im2tex.decoders.bidirectional_search import search_grids
from im2tex.errors import Im2TexError
from im2tex.grid import Grid
from im2tex.latex.vocabulary import PAD

EnsembleMember = tuple[Decoder, Grid]
"""A decoder of an ensemble with its feature grid."""


class EnsembleStep:
    """Members as one `bidirectional_search.SearchableDecoder`; its state is the list of theirs.

    Args:
        members: with one vocabulary; a decoder with several grids is a member for each.
    """

    def __init__(self, members: Sequence[AutoregressiveDecoder]) -> None:
        self.members = list(members)

    def _zip_members(self, values: Sequence[Any]) -> Iterator[tuple[AutoregressiveDecoder, Any]]:
        return zip(self.members, values, strict=True)

    def start(self, grids: Sequence[Grid]) -> list[Any]:
        """The state before the first step from left to right, with one grid for each member."""
        return [decoder.start(grid) for decoder, grid in self._zip_members(grids)]

    def step(self, tokens: Tensor, state: list[Any]) -> tuple[Tensor, list[Any]]:
        """See `StepwiseDecoder.step`."""
        steps = [decoder.step(tokens, own) for decoder, own in self._zip_members(state)]
        return _mean([log_p for log_p, _ in steps]), [own for _, own in steps]

    def reorder(self, state: list[Any], parents: Tensor) -> list[Any]:
        """See `StepwiseDecoder.reorder`."""
        return [decoder.reorder(own, parents) for decoder, own in self._zip_members(state)]

    def select(self, state: list[Any], images: Tensor) -> list[Any]:
        """See `StepwiseDecoder.select`."""
        return [decoder.select(own, images) for decoder, own in self._zip_members(state)]

    def lookups(self, state: list[Any]) -> tuple[Tensor, Tensor]:
        """See `SearchableDecoder.lookups`; the sum over members."""
        each = [decoder.lookups(own) for decoder, own in self._zip_members(state)]
        coarse, fine = (torch.stack(cells).sum(0) for cells in zip(*each, strict=True))
        return coarse, fine

    @property
    def is_bidirectional(self) -> bool:
        """See `SearchableDecoder.is_bidirectional`: whether all members are."""
        return all(member.is_bidirectional for member in self.members)

    def right_to_left(self, state: list[Any]) -> list[Any]:
        """See `SearchableDecoder.right_to_left`."""
        return [decoder.right_to_left(own) for decoder, own in self._zip_members(state)]

    def score_tokens(
        self, state: list[Any], images: Tensor, tokens: Tensor, reverse: Tensor
    ) -> Tensor:
        """See `SearchableDecoder.score_tokens`."""
        each = self._zip_members(state)
        return _mean([decoder.score_tokens(own, images, tokens, reverse) for decoder, own in each])


@torch.no_grad()
def search(members: Sequence[EnsembleMember], options: SearchOptions) -> list[list[Hypothesis]]:
    """Searches a batch with one decoder or an ensemble.

    An ensemble of bidirectional decoders is searched in both directions, with a joint ranking; any
    other one from left to right. Look-ups are the sum over members.

    Args:
        members: each with its grid of the B images.
        options: see `SearchOptions`.

    Returns:
        `n_best` hypotheses of each image, best first.

    Raises:
        Im2TexError: if one of several members is not autoregressive.
    """
    if len(members) == 1:
        decoder, grid = members[0]
        return decoder.search(grid, options)
    ensemble = EnsembleStep(_require_autoregressive(members))
    grids = [grid for _, grid in members]
    return search_grids(ensemble, ensemble.start(grids), grids, options)


@torch.no_grad()
def likelihood(members: Sequence[EnsembleMember], targets: Targets) -> dict[str, Tensor]:
    """The likelihood of the labels by one decoder or an ensemble.

    Args:
        members: each with its grid of the B images.
        targets: the labels.

    Returns:
        As the logs of `Decoder.loss`: `nll` and `tokens`, where there is a likelihood.

    Raises:
        Im2TexError: if one of several members is not autoregressive.
    """
    if len(members) == 1:
        decoder, grid = members[0]
        return decoder.loss(grid, targets)[1]
    tokens = targets.tokens
    each = []
    for decoder, (_, grid) in zip(_require_autoregressive(members), members, strict=True):
        log_p = log_softmax(decoder.teacher_forcing(grid, tokens)[0])  # (B, T, V)
        each.append(log_p.gather(2, tokens.unsqueeze(2)).squeeze(2))  # (B, T)
    mask = tokens != PAD
    return {"nll": -_mean(each).masked_fill(~mask, 0).sum(), "tokens": mask.sum()}


def _mean(log_p: Sequence[Tensor]) -> Tensor:
    """Log of the mean of probabilities."""
    return torch.stack(list(log_p)).logsumexp(0) - math.log(len(log_p))


def _require_autoregressive(members: Sequence[EnsembleMember]) -> list[AutoregressiveDecoder]:
    for decoder, _ in members:
        if not isinstance(decoder, AutoregressiveDecoder):
            raise Im2TexError(
                f"{type(decoder).__name__} does not predict one token at a time, so it cannot be a "
                "member of an ensemble or see an image at several scales: leave model.ensemble and "
                "model.tta_scales out."
            )
    return [decoder for decoder, _ in members if isinstance(decoder, AutoregressiveDecoder)]
