"""Coverage refinement: what was looked at already is taken off the scores of a transformer.

The attention refinement module of Zhao & Gao 2022 (CoMER), section 3.3. Before the softmax of a
layer's cross-attention, its scores e are refined to e - R:

    c_t = sum over s < t of a_s,    R = norm(max(0, K * C + b) W),

with a convolution K over the coverage maps C of all heads, side by side those of the layer's own
attention before refinement (self-coverage) and of the layer below after it (cross-coverage). The
norm is a batch normalisation. One module serves all layers from the second up, as in the released
code. Different from it: coverage sums the attention itself and not what dropout left of it, and
the statistics of a batch leave padded steps out as well as padded cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CoverageRefinement(nn.Module):
    """What to take off the scores of each head.

    Args:
        heads: H of the cross-attention.
        hidden: maps between convolution and projection.
        kernel: cells the convolution reaches over, odd.

    Raises:
        ValueError: if the kernel is not odd.
    """

    def __init__(self, heads: int, hidden: int = 32, kernel: int = 5) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"coverage_kernel_size must be odd, got {kernel}")
        self.convolution = nn.Conv2d(2 * heads, hidden, kernel, padding=kernel // 2)
        self.project = nn.Linear(hidden, heads, bias=False)
        self.norm = MaskedBatchNorm(heads)

    def forward(self, coverage: Tensor, size: tuple[int, int], keep: Tensor | None) -> Tensor:
        """Refines M steps.

        Args:
            coverage: (M, 2 H, N), zero outside the image; both kinds, the layer below first.
            size: h and w of the grid, h w = N.
            keep: (M, N) bool, cells that count for the statistics of a batch; None counts all.

        Returns:
            (M, H, N).
        """
        maps = coverage.reshape(*coverage.shape[:2], *size)  # (M, 2 H, N) -> (M, 2 H, h, w)
        maps = maps.to(self.convolution.weight.dtype)  # coverage is exact, the weights may not be
        maps = self.convolution(maps).relu()  # (M, C, h, w)
        refined = self.project.weight @ maps.flatten(2)  # (M, C, N) -> (M, H, N)
        found: Tensor = self.norm(refined, keep)
        return found


class MaskedBatchNorm(nn.Module):
    """Batch normalisation whose statistics know of padding.

    Args:
        width: C, channels.
        momentum: share of a batch in the running statistics.
        epsilon: added to variances.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.epsilon = momentum, epsilon
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, values: Tensor, keep: Tensor | None = None) -> Tensor:
        """Normalises; in training by the statistics of the kept values.

        Args:
            values: (M, C, N).
            keep: (M, N) bool; None keeps all.

        Returns:
            (M, C, N), in at least float32.
        """
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = self._statistics(values, keep)
        scale = self.weight * (variance + self.epsilon).rsqrt()  # (C)
        return values * scale.unsqueeze(1) + (self.bias - mean * scale).unsqueeze(1)

    def _statistics(self, values: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and variance (C) of a batch, which the running ones follow."""
        if keep is None:
            keep = torch.ones_like(values[:, 0], dtype=torch.bool)
        count = keep.sum()
        share = keep.unsqueeze(1).to(values.dtype) / count  # (M, 1, N)
        mean = (values * share).sum((0, 2))
        variance = ((values - mean.unsqueeze(1)).square() * share).sum((0, 2))
        with torch.no_grad():
            unbiased = variance * count / (count - 1).clamp_min(1)
            for running, value in ((self.running_mean, mean), (self.running_var, unbiased)):
                running.lerp_(value.to(running.dtype), self.momentum)
        return mean, variance
