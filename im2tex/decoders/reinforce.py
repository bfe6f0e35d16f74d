"""REINFORCE: trains an attention that samples.

Section 4 of Deng et al. 2017, with Williams 1992. The reward r_t of step t is the log-likelihood of
its target token, its return is

    R_t = sum over s >= t of gamma^(s - t) r_s,

and the gradient is (R_t - b_t) d log p(z'_t). The baseline b_t is a moving average of the returns
of step t over all images and samples, in which a new value has the weight `baseline_rate`. It is
updated after its use, so that no sample is compared with itself. Everything that is computed from
z' has its own gradient.

With gamma = 1 the expected gradient is that of the expected log-likelihood; a smaller gamma ignores
the effect on tokens far ahead and has less variance.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, distributed, nn

from im2tex.attention.base import ReinforceOptions

STEPS = 200
"""Number of steps with a baseline of their own; later ones share the last one's."""


class Reinforce(nn.Module):
    """The loss of the samples, and the baseline.

    Args:
        options: discount, rate of the baseline, entropy bonus and scale.

    Attributes:
        baseline: (STEPS,), stored in checkpoints and equal on all processes. At least float32 when
            the module is cast: its updates are too small for half precision.
    """

    baseline: Tensor

    def __init__(self, options: ReinforceOptions) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("baseline", torch.zeros(STEPS, dtype=torch.float32))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Reinforce:
        """Keeps the baseline in at least float32 when the module is cast (`to`, `half`, ...)."""
        exact = self.baseline
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        dtype = torch.promote_types(self.baseline.dtype, torch.float32)
        if dtype != self.baseline.dtype:
            self.baseline = exact.to(self.baseline.device, dtype)
        return self

    def forward(
        self, rewards: Tensor, mask: Tensor, log_probability: Tensor, coarse_probs: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch's samples; updates the baseline.

        Args:
            rewards: (B, K, T) log-likelihood of each target token along each of K paths.
            mask: (B, T) bool, true where there is a token.
            log_probability: (B, K, T) log p(z') of each sample.
            coarse_probs: (B, K, T, M) the distributions p(z').

        Returns:
            The loss, summed over tokens and averaged over paths; its value is that of the entropy
            bonus alone, since the value of the REINFORCE term has no meaning. And scalars to log,
            means over tokens: the return, the squared advantage, and the entropy in nats.
        """
        weight = mask.unsqueeze(1).to(rewards.dtype) / rewards.shape[1]  # (B, 1, T)
        returns = discounted(rewards.detach() * mask.unsqueeze(1), self.options.discount)
        steps = torch.arange(rewards.shape[2], device=rewards.device).clamp(max=STEPS - 1)
        advantage = returns - self.baseline[steps].to(returns.dtype)
        loss = -self.options.reward_scale * (advantage * log_probability * weight).sum()
        loss = loss - loss.detach()  # keeps the gradient only
        # A probability of zero has an infinite gradient, times zero.
        coarse_probs = coarse_probs.clamp_min(torch.finfo(coarse_probs.dtype).tiny)
        if not self.options.entropy:
            coarse_probs = coarse_probs.detach()
        entropy = (torch.special.entr(coarse_probs).sum(3) * weight).sum()
        if self.options.entropy:
            loss = loss - self.options.entropy * entropy
        count = mask.sum().clamp_min(1)
        logs = {
            "return": (returns * weight).sum() / count,
            "advantage_squared": (advantage.square() * weight).sum() / count,
            "coarse_entropy": entropy.detach() / count,
        }
        self._update_baseline(returns, mask, steps)
        return loss, logs

    @torch.no_grad()
    def _update_baseline(self, returns: Tensor, mask: Tensor, steps: Tensor) -> None:
        """Moves the baseline towards the mean return of each step, over all processes."""
        counts = mask.sum(0) * returns.shape[1]  # (T,)
        sums = torch.stack([returns.sum((0, 1)), counts.to(returns.dtype)])  # (2, T)
        sums = sums.new_zeros(2, STEPS).index_add_(1, steps, sums)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(sums)
        mean = (sums[0] / sums[1].clamp_min(1)).to(self.baseline.dtype)
        moved = self.baseline.lerp(mean, self.options.baseline_rate)
        self.baseline.copy_(torch.where(sums[1] > 0, moved, self.baseline))


def discounted(rewards: Tensor, discount: float) -> Tensor:
    """Returns of rewards (..., T): R_t = sum over s >= t of discount^(s - t) r_s."""
    steps = torch.arange(rewards.shape[-1], device=rewards.device)
    ahead = steps.unsqueeze(1) - steps  # (T, T), s - t for row s and column t
    factors = torch.where(ahead < 0, 0.0, discount ** ahead.clamp_min(0).to(rewards.dtype))
    with torch.autocast(rewards.device.type, enabled=False):  # which would round the returns
        return rewards @ factors.to(rewards.dtype)
