"""Coverage refinement: lowers the scores of cells that the transformer has attended to.

The attention refinement module of Zhao & Gao 2022 (CoMER), section 3.3. Before the softmax of a
layer's cross-attention its scores e_t are refined to e_t - R_t:

    c_t = sum over s < t of a_s,    R_t = norm(max(0, K * C_t + b) W),

with a convolution K over the coverage maps C_t of all heads: those of the layer's own attention
before refinement (self-coverage) beside those of the layer below after it (cross-coverage). The
norm is a batch normalisation. One module serves all layers from the second up, as in the released
code. Differences: coverage sums the attention itself and not its values after dropout, and the
batch statistics exclude padded steps as well as padded cells.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CoverageRefinement(nn.Module):
    """Computes R_t, the refinement of the scores of each head.

    Args:
        heads: H of the cross-attention.
        channels: C of the convolution.
        kernel_size: of the convolution in cells; odd.

    Raises:
        ValueError: if `kernel_size` is even.
    """

    def __init__(self, heads: int, channels: int = 32, kernel_size: int = 5) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"coverage_kernel_size must be odd, got {kernel_size}")
        self.convolution = nn.Conv2d(2 * heads, channels, kernel_size, padding=kernel_size // 2)
        self.project = nn.Linear(channels, heads, bias=False)
        self.norm = MaskedBatchNorm(heads)

    def forward(self, coverage: Tensor, size: tuple[int, int], mask: Tensor | None) -> Tensor:
        """The refinement of M steps.

        Args:
            coverage: (M, 2 H, N), zero outside the image; that of the layer below first.
            size: h and w of the grid, with h w = N.
            mask: (M, N) bool, cells that count in the batch statistics; None for all.

        Returns:
            (M, H, N).
        """
        maps = coverage.reshape(*coverage.shape[:2], *size)  # (M, 2 H, N) -> (M, 2 H, h, w)
        maps = maps.to(self.convolution.weight.dtype)  # coverage is float32, weights may not be
        maps = self.convolution(maps).relu()  # (M, C, h, w)
        refined: Tensor = self.norm(self.project.weight @ maps.flatten(2), mask)  # (M, H, N)
        return refined


class MaskedBatchNorm(nn.Module):
    """Batch normalisation whose statistics exclude padding.

    Args:
        width: C, channels.
        momentum: weight of a batch in the running statistics.
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

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalises; in training by the statistics of the values inside the mask.

        Args:
            values: (M, C, N).
            mask: (M, N) bool; None for all values.

        Returns:
            (M, C, N), in at least float32.
        """
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = self._batch_statistics(values, mask)
        scale = self.weight * (variance + self.epsilon).rsqrt()  # (C)
        return values * scale.unsqueeze(1) + (self.bias - mean * scale).unsqueeze(1)

    def _batch_statistics(self, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and variance (C) of a batch; updates the running ones."""
        if mask is None:
            mask = torch.ones_like(values[:, 0], dtype=torch.bool)
        count = mask.sum()
        weight = mask.unsqueeze(1).to(values.dtype) / count  # (M, 1, N)
        mean = (values * weight).sum((0, 2))
        variance = ((values - mean.unsqueeze(1)).square() * weight).sum((0, 2))
        with torch.no_grad():
            unbiased = variance * count / (count - 1).clamp_min(1)
            for running, value in ((self.running_mean, mean), (self.running_var, unbiased)):
                running.lerp_(value.to(running.dtype), self.momentum)
        return mean, variance
