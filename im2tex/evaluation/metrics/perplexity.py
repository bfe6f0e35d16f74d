"""Perplexity per token: exp(sum of negative log-likelihoods / number of tokens), ends included.

Deng et al. 2017, section 6. The sum is kept in fixed point, whose additions are exact, so that the
value depends neither on the order of batches nor on the number of processes, and needs no float64,
which Apple's GPUs lack.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import Metric

from im2tex.evaluation.metrics.formula_metrics import scalar

STEP = 2.0**-24
"""Resolution of the sum, nats. An int64 then holds 5e11 nats: more than 1e10 tokens."""

LIMIT = 2.0**36
"""A batch's likelihood beyond this, nats, counts as not finite."""


class Perplexity(Metric):
    """Perplexity per token; >= 1 for a probability model.

    nan before the first token; inf once any summed likelihood was not finite.

    Example:
        >>> perplexity = Perplexity()
        >>> perplexity.update(nll=math.log(8), tokens=3)
        >>> round(float(perplexity.compute()), 6)
        2.0
    """

    full_state_update = False
    name = "perplexity"
    steps: Tensor
    tokens: Tensor
    broken: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("steps", "tokens", "broken"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, nll: Tensor | float, tokens: Tensor | int) -> None:
        """Adds a batch; no synchronisation with the device.

        Args:
            nll: negative log-likelihood, nats, summed over the batch's tokens (any shape: summed).
            tokens: number of these tokens, each sample's end included (any shape: summed).
        """
        nats = nll.detach() if isinstance(nll, Tensor) else torch.tensor(nll, dtype=torch.float64)
        if nats.dtype != torch.float64:
            nats = nats.float()
        nats = nats.sum()
        usable = nats.abs() < LIMIT  # false for nan, too
        # Scaling by a power of two is exact; only float64 has digits below a step to round.
        steps = torch.where(usable, nats / STEP, 0).round().to(torch.int64)
        self.steps += steps.to(self.device)
        self.broken += (~usable).to(self.device, torch.int64)
        self.tokens += torch.as_tensor(tokens, dtype=torch.int64).sum().to(self.device)

    def compute(self) -> Tensor:
        """The perplexity, a scalar."""
        tokens = int(self.tokens)
        if int(self.broken):
            return scalar(math.inf, self.device)
        if not tokens:
            return scalar(math.nan, self.device)
        try:
            return scalar(math.exp(int(self.steps) * STEP / tokens), self.device)
        except OverflowError:
            return scalar(math.inf, self.device)
