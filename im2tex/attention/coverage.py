"""Additive attention that knows where it has been: coverage, as in WAP.

Zhang et al. 2017 (WAP, section 3.2.2) and Zhang et al. 2018 (DenseWAP):

    F = Q * sum_{l < t} alpha_l,   e_ti = v^T tanh(W s_t + U_a a_i + U_f f_i),

where Q is a convolution over the summed weights of all steps before, laid out as the grid. The
sizes are those of DenseWAP's code: 11 by 11 cells, 512 maps. Nothing lies between Q and U_f, so
their product, a convolution from one map to the width of the score, is made once an image, and the
number of maps of Q costs nothing at a step. The weights outside an image are zero, as is what the
convolution reads beyond the grid: padding cannot be told from the border.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from im2tex.attention.base import ATTENTIONS, Attention, AttentionOutput
from im2tex.attention.flat_grid import FlatGrid
from im2tex.grid import Grid
from im2tex.utils.checks import check_at_least


@dataclass(frozen=True, slots=True)
class CoverageMemory:
    """The cells of a grid.

    Attributes:
        cells: N = h w of them.
        keys: U_a a, (B, A, N).
        kernel: U_f Q, (A, 1, k, k).
        shape: h and w.
    """

    cells: FlatGrid
    keys: Tensor
    kernel: Tensor
    shape: tuple[int, int]


@ATTENTIONS.register("coverage")
class CoverageAttention(Attention):
    """A softmax over every fine cell, by an additive score that sees the summed past weights.

    Its state is that sum, (B, K, h w).

    Args:
        query_width: Q, given by the decoder.
        width: D, given by the encoder.
        attention_dim: A, width of the score; that of the query if not given.
        kernel_size: k, side of the convolution Q in cells; odd.
        channels: maps of the convolution Q.

    Raises:
        ValueError: if the kernel is not odd, or a size is not positive.
    """

    def __init__(
        self,
        query_width: int,
        width: int,
        attention_dim: int | None = None,
        kernel_size: int = 11,
        channels: int = 512,
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        attention_dim = query_width if attention_dim is None else attention_dim
        check_at_least(1, attention_dim=attention_dim, channels=channels)
        self.project = nn.Linear(query_width, attention_dim, bias=False)
        self.keys = nn.Linear(width, attention_dim)
        self.window = nn.Conv2d(1, channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.past = nn.Linear(channels, attention_dim, bias=False)
        self.energy = nn.Linear(attention_dim, 1, bias=False)

    def prepare(self, grid: Grid) -> CoverageMemory:
        """See `Attention.prepare`."""
        keys = self.keys(grid.features.flatten(1, 2))  # (B, h, w, D) -> (B, h w, A)
        keys = keys.transpose(1, 2).contiguous()  # (B, A, h w)
        taps = self.window.weight.flatten(1)  # (q, 1, k, k) -> (q, k k)
        kernel = (self.past.weight @ taps).reshape(-1, *self.window.weight.shape[1:])
        shape = grid.mask.shape[1], grid.mask.shape[2]
        return CoverageMemory(FlatGrid.of(grid), keys, kernel, shape)

    def select(self, memory: CoverageMemory, images: Tensor) -> CoverageMemory:
        """See `Attention.select`."""
        return CoverageMemory(
            memory.cells.select(images), memory.keys[images], memory.kernel, memory.shape
        )

    def forward(
        self, query: Tensor, memory: CoverageMemory, state: Tensor | None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        mixed = self.project(query).unsqueeze(3) + memory.keys.unsqueeze(1)  # (B, K, A, h w)
        if state is not None:  # a convolution of zeros, without bias, is zero
            mixed = mixed + self._covered(state, memory)
        scores = (self.energy.weight @ mixed.tanh()).squeeze(2)  # (B, K, A, h w) -> (B, K, h w)
        weights = memory.cells.masked(scores).softmax(2)
        fine = memory.cells.count.expand(query.shape[:2])
        past = weights if state is None else state + weights
        return AttentionOutput(
            memory.cells.weighted_sum(weights), weights, past, torch.zeros_like(fine), fine
        )

    def _covered(self, state: Tensor, memory: CoverageMemory) -> Tensor:
        """What the past weights add before the tanh: (B, K, h w) -> (B, K, A, h w)."""
        b, k, cells = state.shape
        maps = state.reshape(b * k, 1, *memory.shape)  # (B K, 1, h, w)
        maps = maps.to(memory.kernel.dtype)  # the sum is exact, the weights may not be
        maps = functional.conv2d(maps, memory.kernel, padding=self.window.kernel_size[0] // 2)
        return maps.reshape(b, k, -1, cells)
