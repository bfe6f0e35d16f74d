"""DenseNet encoder for handwritten formulas, as in DenseWAP and CoMER.

DenseNet-BC (Huang et al. 2017) as used by Zhang et al. 2018 (DenseWAP, section 3.1) and Zhao & Gao
2022 (CoMER, section 3.1): a 7x7 convolution and a pool, then dense blocks with a halving transition
between them. Layer l of a block adds k = `growth_rate` maps to all maps of the block so far,

    x_l = H_l([x_0, x_1, ..., x_{l-1}]),

with H_l a 1x1 convolution to 4 k maps and a 3x3 convolution to k. As in the released code, and
unlike Huang et al., normalisation and ReLU follow each convolution. CoMER then projects to the
width of its decoder, adds positions and normalises each cell.

Two differences. The mask of a padded batch is applied before each convolution larger than 1x1, so
that an image's features do not depend on its padding. And the concatenated inputs of a layer are
not kept for the backward pass, but concatenated again: kept, those of a block of n layers hold
n^2 k / 2 maps, of which all but n k are copies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from im2tex.encoders.base import ENCODERS, Encoder
from im2tex.encoders.positional_encoding import PositionalEncoding2d, PositionKind
from im2tex.encoders.single_cell_batch_norm import use_running_stats_for_single_values
from im2tex.grid import Grid
from im2tex.utils.checks import check_at_least, check_fractions


@ENCODERS.register("densenet")
class DenseNet(Encoder):
    """Dense blocks; the defaults are CoMER's sizes: stride 16, 684 maps before the projection.

    Args:
        growth_rate: k, maps that a layer adds. The first convolution has 2 k.
        num_layers: bottleneck layers of a block.
        num_blocks: dense blocks. The stride is 4 in the first and doubles from block to block.
        out_channels: D, of a projection and a layer normalisation after the last block. 0 for
            neither, as in DenseWAP: D is then the number of maps.
        reduction: fraction of the maps that a transition between blocks keeps.
        dropout: probability after each convolution except the first, in training.
        positions: `sinusoidal` adds `PositionalEncoding2d`, as in CoMER; `none` as in DenseWAP.

    Raises:
        ValueError: if a size is out of range, or D does not fit the positional encoding.
    """

    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {"reduction": ("num_blocks", 1)}

    def __init__(
        self,
        growth_rate: int = 24,
        num_layers: int = 16,
        num_blocks: int = 3,
        out_channels: int = 256,
        reduction: float = 0.5,
        dropout: float = 0.2,
        positions: PositionKind = "sinusoidal",
    ) -> None:
        super().__init__()
        check_at_least(1, growth_rate=growth_rate, num_layers=num_layers, num_blocks=num_blocks)
        check_at_least(0, out_channels=out_channels)
        check_fractions(dropout=dropout)
        if not 0 < reduction <= 1:
            raise ValueError(f"reduction must be in (0, 1], got {reduction}")
        maps = 2 * growth_rate
        self.stem = nn.Conv2d(1, maps, 7, stride=2, padding=3, bias=False)
        self.stem_norm = nn.BatchNorm2d(maps)
        self.blocks = nn.ModuleList()
        self.transitions = nn.ModuleList()
        for block in range(num_blocks):
            if block:
                kept = max(1, math.floor(maps * reduction))
                self.transitions.append(Transition(maps, kept, dropout))
                maps = kept
            self.blocks.append(DenseBlock(maps, growth_rate, num_layers, dropout))
            maps += num_layers * growth_rate
        self.norm = nn.BatchNorm2d(maps)
        self.project = nn.Conv2d(maps, out_channels, 1) if out_channels else None
        self.width = out_channels or maps
        self.positions = PositionalEncoding2d(positions, self.width)
        self.cell_norm = nn.LayerNorm(out_channels) if out_channels else None
        self.stride = (2 ** (num_blocks + 1), 2 ** (num_blocks + 1))
        use_running_stats_for_single_values(self)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`."""
        features = self.stem(images * mask.unsqueeze(1))
        # Sizes are multiples of the stride, so no cell of a pool is half inside an image.
        features = functional.max_pool2d(self.stem_norm(features).relu_(), 2)
        mask = mask[:, ::4, ::4]
        for index, block in enumerate(self.blocks):
            if index:
                features = self.transitions[index - 1](features)
                mask = mask[:, ::2, ::2]
            features = block(features, mask)
        features = self.norm(features)
        if self.project is not None:
            features = self.project(features)
        features = self.positions(features.permute(0, 2, 3, 1), mask)  # -> (B, h, w, D)
        if self.cell_norm is not None:
            features = self.cell_norm(features)
        return Grid(features * mask.unsqueeze(3), mask, self.stride)


class DenseBlock(nn.Module):
    """Layers whose input is the block's input and the output of all layers before them.

    Args:
        maps: C, of the input.
        growth_rate: k, maps that a layer adds.
        num_layers: n.
        dropout: see `DenseNet`.
    """

    def __init__(self, maps: int, growth_rate: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Bottleneck(maps + layer * growth_rate, growth_rate, dropout)
            for layer in range(num_layers)
        )

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Concatenates input and additions: (B, C, h, w), mask (B, h, w) -> (B, C + n k, h, w)."""
        outputs = [features]
        for layer in self.layers:
            outputs.append(layer(outputs, mask))
        return torch.cat(outputs, 1)


class Bottleneck(nn.Module):
    """A 1x1 convolution to 4 k maps, then a 3x3 convolution to k.

    Args:
        maps: C, of all inputs together.
        growth_rate: k.
        dropout: see `DenseNet`.
    """

    def __init__(self, maps: int, growth_rate: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(maps, 4 * growth_rate, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(4 * growth_rate)
        self.conv2 = nn.Conv2d(4 * growth_rate, growth_rate, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(growth_rate)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: list[Tensor], mask: Tensor) -> Tensor:
        """The added maps: inputs (B, C_i, h, w), mask (B, h, w) -> (B, k, h, w)."""
        features = self.norm1(_ConcatConv1x1.apply(self.conv1.weight, *inputs))
        # The normalisation makes the padding nonzero, and the 3x3 convolution reads it.
        features = self.dropout(features.mul_(mask.unsqueeze(1)).relu_())
        features = self.norm2(self.conv2(features)).relu_()
        return self.dropout(features)  # type: ignore[no-any-return]


class Transition(nn.Module):
    """A 1x1 convolution to fewer maps, then an average pool of 2 x 2 cells.

    Args:
        maps: C, of the input.
        kept: C', of the output.
        dropout: see `DenseNet`.
    """

    def __init__(self, maps: int, kept: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(maps, kept, 1, bias=False)
        self.norm = nn.BatchNorm2d(kept)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h / 2, w / 2)."""
        features = self.dropout(self.norm(self.conv(features)).relu_())
        return functional.avg_pool2d(features, 2)


class _ConcatConv1x1(Function):
    """A 1x1 convolution, without bias, of concatenated maps; concatenates again in backward."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(weight, *inputs)
        return functional.conv2d(torch.cat(inputs, 1), weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, ...]:
        weight, *inputs = ctx.saved_tensors
        # Under autocast the output, and so its gradient, has another type than the weights.
        joined, kernel = torch.cat(inputs, 1).to(d_out.dtype), weight.to(d_out.dtype)
        d_weight: Tensor = conv2d_weight(joined, weight.shape, d_out)  # type: ignore[no-untyped-call]
        d_joined: Tensor = conv2d_input(joined.shape, kernel, d_out)  # type: ignore[no-untyped-call]
        d_inputs = torch.split(d_joined, [part.shape[1] for part in inputs], 1)
        pairs = zip(d_inputs, inputs, strict=True)
        return d_weight.to(weight.dtype), *(d_part.to(part.dtype) for d_part, part in pairs)
