"""The densely connected encoder of handwritten mathematics: DenseWAP's, as CoMER has it.

Huang et al. 2017 (DenseNet-BC) as used by Zhang et al. 2018 (DenseWAP, section 3.1) and Zhao & Gao
2022 (CoMER, section 3.1): a 7x7 convolution and a pool, then blocks of bottleneck layers that each
read everything the block has made so far and add `growth` maps to it, with a halving transition
between blocks. As in their code, and unlike Huang et al., normalisation follows the convolutions.
CoMER then projects to the width of its decoder, adds positions and normalises each cell.

Two differences. The mask of a padded batch is applied where a convolution looks beyond one cell,
so that an image is read as if it were alone. And what a layer reads is not kept for the backward
pass: kept, the concatenations of a block of n layers hold n^2 / 2 times `growth` maps, of which
all but n times `growth` are copies.
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


@ENCODERS.register("densenet")
class DenseNet(Encoder):
    """Dense blocks; the defaults are CoMER's sizes, of stride 16 and 684 maps before the width.

    Args:
        growth: maps that a layer adds. The first convolution has twice as many.
        layers: bottleneck layers a block.
        blocks: dense blocks. The stride is 4 in the first and doubles from block to block.
        width: D, of a projection and a layer normalisation behind the last block. 0 leaves both
            out, as in DenseWAP: D is then the number of maps.
        reduction: share of the maps that a transition between blocks keeps.
        dropout: share of values dropped behind every convolution but the first, in training.
        positions: `sinusoidal` adds where a cell is (see `positions`), as in CoMER; `none` adds
            nothing, as in DenseWAP.

    Raises:
        ValueError: if a size is not positive, or the width does not fit the positions.
    """

    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {"reduction": ("blocks", 1)}

    def __init__(
        self,
        growth: int = 24,
        layers: int = 16,
        blocks: int = 3,
        width: int = 256,
        reduction: float = 0.5,
        dropout: float = 0.2,
        positions: PositionKind = "sinusoidal",
    ) -> None:
        super().__init__()
        if min(growth, layers, blocks) < 1 or width < 0:
            raise ValueError(
                "growth, layers and blocks are at least 1 and width at least 0; got "
                f"{growth}, {layers}, {blocks} and {width}"
            )
        if not 0 < reduction <= 1 or not 0 <= dropout < 1:
            raise ValueError(
                "reduction is above 0 and at most 1, dropout at least 0 and below 1; got "
                f"{reduction} and {dropout}"
            )
        maps = 2 * growth
        self.stem = nn.Conv2d(1, maps, 7, stride=2, padding=3, bias=False)
        self.stem_norm = nn.BatchNorm2d(maps)
        self.blocks = nn.ModuleList()
        self.transitions = nn.ModuleList()
        for block in range(blocks):
            if block:
                kept = max(1, math.floor(maps * reduction))
                self.transitions.append(Transition(maps, kept, dropout))
                maps = kept
            self.blocks.append(DenseBlock(maps, growth, layers, dropout))
            maps += layers * growth
        self.norm = nn.BatchNorm2d(maps)
        self.project = nn.Conv2d(maps, width, 1) if width else None
        self.width = width or maps
        self.positions = PositionalEncoding2d(positions, self.width)
        self.cell_norm = nn.LayerNorm(width) if width else None
        self.stride = (2 ** (blocks + 1), 2 ** (blocks + 1))
        use_running_stats_for_single_values(self)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`."""
        features = self.stem(images * mask.unsqueeze(1))
        # Sizes are multiples of the stride, so no pool's cell is half inside an image.
        features = functional.max_pool2d(self.stem_norm(features).relu_(), 2)
        mask = mask[:, ::4, ::4]
        for number, block in enumerate(self.blocks):
            if number:
                features = self.transitions[number - 1](features)
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
    """Layers that each read the block's input and what all layers before them made.

    Args:
        maps: of the input.
        growth: maps a layer adds.
        layers: their number.
        dropout: see `DenseNet`.
    """

    def __init__(self, maps: int, growth: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Bottleneck(maps + number * growth, growth, dropout) for number in range(layers)
        )

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Input and additions: (B, C, h, w), with its mask (B, h, w) -> (B, C + n g, h, w)."""
        pieces = [features]
        for layer in self.layers:
            pieces.append(layer(pieces, mask))
        return torch.cat(pieces, 1)


class Bottleneck(nn.Module):
    """A 1x1 convolution to four times the growth, then a 3x3 convolution.

    Args:
        maps: read.
        growth: maps made.
        dropout: see `DenseNet`.
    """

    def __init__(self, maps: int, growth: int, dropout: float) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(maps, 4 * growth, 1, bias=False)
        self.narrow_norm = nn.BatchNorm2d(4 * growth)
        self.look = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)
        self.look_norm = nn.BatchNorm2d(growth)
        self.dropout = nn.Dropout(dropout)

    def forward(self, pieces: list[Tensor], mask: Tensor) -> Tensor:
        """The maps it adds: pieces (B, C_i, h, w) and their mask (B, h, w) -> (B, g, h, w)."""
        features = self.narrow_norm(_ConcatConv1x1.apply(self.narrow.weight, *pieces))
        # The shift of the normalisation fills the padding, which the 3x3 convolution looks at. A
        # 1x1 convolution and an aligned pool do not: this is the one place of the block to mask.
        features = self.dropout(features.mul_(mask.unsqueeze(1)).relu_())
        features = self.look_norm(self.look(features)).relu_()
        return self.dropout(features)  # type: ignore[no-any-return]


class Transition(nn.Module):
    """Fewer maps on a grid of half the height and width.

    Args:
        maps: read.
        kept: maps made.
        dropout: see `DenseNet`.
    """

    def __init__(self, maps: int, kept: int, dropout: float) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(maps, kept, 1, bias=False)
        self.norm = nn.BatchNorm2d(kept)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h / 2, w / 2)."""
        features = self.dropout(self.norm(self.narrow(features)).relu_())
        return functional.avg_pool2d(features, 2)


class _ConcatConv1x1(Function):
    """A 1x1 convolution, without bias, of concatenated maps; the copy is made again backwards."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, *pieces: Tensor) -> Tensor:
        ctx.save_for_backward(weight, *pieces)
        return functional.conv2d(torch.cat(pieces, 1), weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, ...]:
        weight, *pieces = ctx.saved_tensors
        # Under autocast the result, and so its gradient, has another type than the weights.
        joined, narrow = torch.cat(pieces, 1).to(d_out.dtype), weight.to(d_out.dtype)
        d_weight: Tensor = conv2d_weight(joined, weight.shape, d_out)  # type: ignore[no-untyped-call]
        d_joined: Tensor = conv2d_input(joined.shape, narrow, d_out)  # type: ignore[no-untyped-call]
        d_pieces = torch.split(d_joined, [piece.shape[1] for piece in pieces], 1)
        parts = (part.to(piece.dtype) for part, piece in zip(d_pieces, pieces, strict=True))
        return d_weight.to(weight.dtype), *parts
