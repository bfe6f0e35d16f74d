"""Additive attention with coverage, as in WAP.

Zhang et al. 2017 (WAP, section 3.2.2) and Zhang et al. 2018 (DenseWAP):

    F = Q * sum_{l < t} alpha_l,   e_ti = v^T tanh(W s_t + U_a a_i + U_f f_i),

where Q is a convolution over the map of all previous weights. The sizes are those of DenseWAP's
code: 11 by 11 cells, 512 channels. Nothing lies between Q and U_f, so their product, a convolution
from one channel to the width of the score, is computed once for each batch, and the channels of Q
cost nothing at a step. The weights outside an image are zero, as is the padding of the convolution,
so that an image's result does not depend on its batch.
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
        cells: N = h w cells.
        keys: U_a a, (B, A, N).
        kernel: U_f Q, (A, 1, k, k).
        size: h and w.
    """

    cells: FlatGrid
    keys: Tensor
    kernel: Tensor
    size: tuple[int, int]


@ATTENTIONS.register("coverage")
class CoverageAttention(Attention):
    """A softmax over every fine cell, with an additive score of the summed previous weights.

    The state is this sum, (B, K, h w).

    Args:
        query_width: Q, given by the decoder.
        width: D, given by the encoder.
        attention_dim: A, width of the score; that of the query if not given.
        kernel_size: k, side of the convolution in cells; odd.
        channels: of the convolution.

    Raises:
        ValueError: if `kernel_size` is even, or a size is less than 1.
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
        window = self.window.weight.flatten(1)  # (q, 1, k, k) -> (q, k k)
        kernel = (self.past.weight @ window).reshape(-1, *self.window.weight.shape[1:])
        _, h, w = grid.mask.shape
        return CoverageMemory(FlatGrid.of(grid), keys, kernel, (h, w))

    def select(self, memory: CoverageMemory, images: Tensor) -> CoverageMemory:
        """See `Attention.select`."""
        return CoverageMemory(
            memory.cells.select(images), memory.keys[images], memory.kernel, memory.size
        )

    def forward(
        self, query: Tensor, memory: CoverageMemory, state: Tensor | None
    ) -> AttentionOutput:
        """See `Attention.forward`."""
        mixed = self.project(query).unsqueeze(3) + memory.keys.unsqueeze(1)  # (B, K, A, h w)
        if state is not None:  # at the first step U_f F is zero
            mixed = mixed + self._coverage(state, memory)
        scores = (self.energy.weight @ mixed.tanh()).squeeze(2)  # (B, K, A, h w) -> (B, K, h w)
        weights = memory.cells.masked(scores).softmax(2)
        total = weights if state is None else state + weights
        context = memory.cells.weighted_sum(weights)
        lookups = memory.cells.count.expand(query.shape[:2])
        return AttentionOutput(context, weights, total, torch.zeros_like(lookups), lookups)

    def _coverage(self, state: Tensor, memory: CoverageMemory) -> Tensor:
        """U_f F: (B, K, h w) -> (B, K, A, h w)."""
        b, k, cells = state.shape
        maps = state.reshape(b * k, 1, *memory.size)  # (B K, 1, h, w)
        maps = maps.to(memory.kernel.dtype)  # the sum is float32, the kernel may not be
        maps = functional.conv2d(maps, memory.kernel, padding=self.window.kernel_size[0] // 2)
        return maps.reshape(b, k, -1, cells)
