"""The paper's encoder: a convolutional stack, then one bidirectional LSTM over each row.

Section 3 of Deng et al. 2017 and table 1 of its supplement; the order of the pools and the padding
are those of the released code. Differences: the input is ink in [0, 1] on paper of 0, so that
padding is paper, where the paper feeds (x - 128) / 128; the mask of a padded batch is applied after
each convolution, where the paper only batches images of one size.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar

from torch import Tensor, nn

from im2tex.encoders.base import ENCODERS, Encoder
from im2tex.encoders.coarse import CoarseBranch
from im2tex.encoders.row_encoder import RowEncoder
from im2tex.encoders.single_cell_batch_norm import use_running_stats_for_single_values
from im2tex.grid import Grid
from im2tex.utils.checks import check_at_least, check_fractions


@ENCODERS.register("row_cnn")
class RowCNN(Encoder):
    """Convolutions, pools and a row encoder; the defaults are the paper's sizes.

    Args:
        channels: output channels of each 3x3 convolution.
        pools: the max-pool after each convolution as `HxW` (`2x1` halves the height), or `1x1` for
            none.
        batch_norm: whether each convolution is followed by batch normalisation.
        row_hidden_size: D, both directions of the row LSTM together; even. 0 for no row encoder.
        num_row_embeddings: number of rows with a trainable initial state ("row embedding"); rows
            below them take the last one. 0 starts each row from zeros.
        residual: add the convolutions' features to those of the row encoder. The paper does not.
        dropout: probability of dropping each feature map before the row encoder, in training.
        coarse: whether to compute a coarse grid, for coarse-to-fine attention.
        block: side s of the square of fine cells that a coarse cell covers.

    Raises:
        ValueError: if the lists differ in length, a pool is not written HxW, a number is out of
            range, or `RowEncoder` cannot have these sizes.
    """

    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {"block": ("coarse", False)}

    def __init__(
        self,
        channels: list[int] = [64, 128, 256, 256, 512, 512],  # noqa: B006 - read only
        pools: list[str] = ["2x2", "2x2", "1x1", "2x1", "1x2", "1x1"],  # noqa: B006
        batch_norm: list[bool] = [False, False, True, False, True, True],  # noqa: B006
        row_hidden_size: int = 512,
        num_row_embeddings: int = 20,
        residual: bool = False,
        dropout: float = 0.0,
        coarse: bool = False,
        block: int = 4,
    ) -> None:
        super().__init__()
        if not len(channels) == len(pools) == len(batch_norm):
            raise ValueError(
                "channels, pools and batch_norm must have one entry for each convolution, got "
                f"{len(channels)}, {len(pools)} and {len(batch_norm)} entries"
            )
        if min(channels, default=0) < 1:
            raise ValueError(f"channels must be one or more numbers >= 1, got {channels}")
        check_at_least(0, num_row_embeddings=num_row_embeddings)
        check_fractions(dropout=dropout)
        self.pools = [_parse_pool(text) for text in pools]
        self.stride = (prod(down for down, _ in self.pools), prod(right for _, right in self.pools))
        self.convolutions = nn.ModuleList()
        width = 1
        for inputs, outputs, normed in zip([1, *channels[:-1]], channels, batch_norm, strict=True):
            layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, padding=1)]
            if normed:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.ReLU(inplace=True))
            self.convolutions.append(nn.Sequential(*layers))
            width = outputs
        self.dropout = nn.Dropout2d(dropout)
        rows = (width, row_hidden_size, num_row_embeddings, residual)
        self.row_encoder = RowEncoder(*rows) if row_hidden_size else None
        self.width = row_hidden_size or width
        self.coarse = CoarseBranch(*rows, block) if coarse else None
        self.coarse_width = None if self.coarse is None else self.coarse.width
        use_running_stats_for_single_values(self)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`."""
        features, mask = self.convolve(images, mask)
        coarse = None if self.coarse is None else self.coarse(features, mask, self.stride)
        features = features.permute(0, 2, 3, 1)  # (B, C, h, w) -> (B, h, w, C)
        if self.row_encoder is not None:
            features = self.row_encoder(features, mask)
        return Grid(features, mask, self.stride, coarse)

    def convolve(self, images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Applies the convolutional stack.

        Args:
            images: (B, 1, H, W).
            mask: (B, H, W) bool.

        Returns:
            Features (B, C, h, w), zero outside the mask, and the mask (B, h, w).
        """
        features = images * mask.unsqueeze(1)
        for convolution, (down, right) in zip(self.convolutions, self.pools, strict=True):
            features = convolution(features)
            if (down, right) != (1, 1):
                features = nn.functional.max_pool2d(features, (down, right))
                # Sizes are multiples of the stride, so no cell is half inside an image.
                mask = mask[:, ::down, ::right]
            features = features * mask.unsqueeze(1)
        return self.dropout(features), mask


def _parse_pool(text: str) -> tuple[int, int]:
    down, _, right = text.partition("x")
    if not (down.isdigit() and right.isdigit() and int(down) and int(right)):
        raise ValueError(f"a pool must be written HxW, such as 2x1, got {text!r}")
    return int(down), int(right)
