"""REINFORCE: how a decoder trains an attention that samples.

Section 4 of Deng et al. 2017, with Williams 1992. The reward of step t is r_t, the
log-likelihood of its gold token; its return looks ahead,

    R_t = sum over s >= t of gamma^(s - t) r_s,

and log p(z'_t) is raised by R_t - b_t. The baseline b_t is a moving average of the returns of step
t, of all images and samples, in which a new value weighs `baseline_rate`; it is moved after it was
used, so that no sample is measured by itself. All that comes after z' keeps its own gradient.

With gamma = 1 the expected gradient is that of the expected log-likelihood; a smaller one leaves
out what a look does for tokens far ahead, for less variance.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, distributed, nn

from im2tex.attention.base import ReinforceOptions

STEPS = 200
"""Steps with a baseline of their own; those beyond share the last one's."""


class Reinforce(nn.Module):
    """The loss of the samples, and the baseline.

    Args:
        sampling: discount, rate of the baseline, bonus and scale.

    Attributes:
        baseline: (STEPS,), kept in checkpoints; the same on all processes. In at least float32,
            whatever the module is cast to: a small share of a small difference is less than
            half precision can add.
    """

    baseline: Tensor

    def __init__(self, sampling: ReinforceOptions) -> None:
        super().__init__()
        self.sampling = sampling
        self.register_buffer("baseline", torch.zeros(STEPS, dtype=torch.float32))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Reinforce:
        """What `to`, `half`, `cuda` and the like come to: the baseline follows, but not down."""
        exact = self.baseline
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        dtype = torch.promote_types(self.baseline.dtype, torch.float32)
        if dtype != self.baseline.dtype:
            self.baseline = exact.to(self.baseline.device, dtype)
        return self

    def forward(
        self, rewards: Tensor, real: Tensor, log_probability: Tensor, choices: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch's samples; moves the baseline.

        Args:
            rewards: (B, K, T) log-likelihood of each gold token along each of K paths.
            real: (B, T) bool, true where there is a token.
            log_probability: (B, K, T) log p of each sample.
            choices: (B, K, T, M) the distributions they were drawn from.

        Returns:
            What to minimise, summed over tokens and averaged over paths, whose value is that of
            the entropy bonus alone; and to log, as means over tokens: the return, what is left of
            it after the baseline, squared, and the entropy, in nats.
        """
        weight = real.unsqueeze(1).to(rewards.dtype) / rewards.shape[1]  # (B, 1, T)
        returns = discounted(rewards.detach() * real.unsqueeze(1), self.sampling.discount)
        steps = torch.arange(rewards.shape[2], device=rewards.device).clamp(max=STEPS - 1)
        advantage = returns - self.baseline[steps].to(returns.dtype)
        loss = -self.sampling.reward_scale * (advantage * log_probability * weight).sum()
        loss = loss - loss.detach()  # its gradient is meant, its value says nothing
        # A probability of zero would have an infinite gradient, times zero.
        choices = choices.clamp_min(torch.finfo(choices.dtype).tiny)
        if not self.sampling.entropy:
            choices = choices.detach()
        entropy = (torch.special.entr(choices).sum(3) * weight).sum()
        if self.sampling.entropy:
            loss = loss - self.sampling.entropy * entropy
        count = real.sum().clamp_min(1)
        logs = {
            "return": (returns * weight).sum() / count,
            "advantage_squared": (advantage.square() * weight).sum() / count,
            "coarse_entropy": entropy.detach() / count,
        }
        self._move(returns, real, steps)
        return loss, logs

    @torch.no_grad()
    def _move(self, returns: Tensor, real: Tensor, steps: Tensor) -> None:
        """Moves the baseline towards the mean return of each step, over all processes."""
        counts = real.sum(0) * returns.shape[1]  # (T,)
        seen = torch.stack([returns.sum((0, 1)), counts.to(returns.dtype)])  # (2, T)
        seen = seen.new_zeros(2, STEPS).index_add_(1, steps, seen)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(seen)
        mean = (seen[0] / seen[1].clamp_min(1)).to(self.baseline.dtype)
        moved = self.baseline.lerp(mean, self.sampling.baseline_rate)
        self.baseline.copy_(torch.where(seen[1] > 0, moved, self.baseline))


def discounted(rewards: Tensor, discount: float) -> Tensor:
    """Returns of rewards (..., T): R_t = sum over s >= t of discount^(s - t) r_s."""
    steps = torch.arange(rewards.shape[-1], device=rewards.device)
    ahead = steps.unsqueeze(1) - steps  # (T, T), s - t with s down and t across
    factors = torch.where(ahead < 0, 0.0, discount ** ahead.clamp_min(0).to(rewards.dtype))
    with torch.autocast(rewards.device.type, enabled=False):  # which would round the returns
        return rewards @ factors.to(rewards.dtype)
