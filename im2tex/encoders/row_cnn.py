"""The paper's encoder: a convolutional stack, then one bidirectional LSTM over every row.

Section 3 of Deng et al. 2017 and table 1 of its supplement, with the order of the pools and the
padding as in the released code. Differences: the input is ink in [0, 1] with paper at 0, so that
padding is paper, where the paper feeds (x - 128) / 128; the mask of a padded batch is applied
after every convolution, where the paper only batches images of one size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from im2tex.encoders.base import ENCODERS, Encoder
from im2tex.encoders.coarse import CoarseBranch
from im2tex.encoders.rows import RowEncoder
from im2tex.encoders.single_cell_batch_norm import use_running_stats_for_single_values
from im2tex.grid import Grid
from im2tex.utils.checks import check_fractions


@ENCODERS.register("row_cnn")
class RowCNN(Encoder):
    """Convolutions, pools and a row encoder; the defaults are the paper's sizes.

    Args:
        channels: output channels of each 3x3 convolution.
        pools: after each convolution, the max-pool as `HxW` (`2x1` halves the height), or `1x1`
            for none.
        batch_norm: whether each convolution is followed by batch normalisation.
        row_width: D, both directions of the row LSTM together; even. 0 leaves the row encoder
            out, which makes this the CAPTION model's encoder at other widths.
        rows: number of rows with trainable initial states ("row embedding"); rows beyond take the
            last one's. 0 starts every row from zeros.
        residual: add the convolutions' features to the row encoder's, which then learns what
            the row tells beyond them. The paper does not.
        dropout: share of feature maps dropped before the row encoder in training.
        coarse: whether to make a coarse grid as well, for coarse-to-fine attention.
        block: side s of the square of fine cells that a coarse cell covers.

    Raises:
        ValueError: if the lists differ in length, a pool is no `HxW`, a number is out of range,
            `row_width` is odd, or it differs from the last number of channels with `residual` on.
    """

    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {"block": ("coarse", False)}

    def __init__(
        self,
        channels: list[int] = [64, 128, 256, 256, 512, 512],  # noqa: B006 - read only
        pools: list[str] = ["2x2", "2x2", "1x1", "2x1", "1x2", "1x1"],  # noqa: B006
        batch_norm: list[bool] = [False, False, True, False, True, True],  # noqa: B006
        row_width: int = 512,
        rows: int = 20,
        residual: bool = False,
        dropout: float = 0.0,
        coarse: bool = False,
        block: int = 4,
    ) -> None:
        super().__init__()
        if not len(channels) == len(pools) == len(batch_norm):
            raise ValueError(
                f"channels, pools and batch_norm describe one convolution each, but have "
                f"{len(channels)}, {len(pools)} and {len(batch_norm)} entries"
            )
        if min(channels, default=0) < 1 or rows < 0:
            raise ValueError(
                "channels are at least one convolution's, each at least 1, and rows at least 0; "
                f"got {channels} and {rows}"
            )
        check_fractions(dropout=dropout)
        self.pools = [_pool(text) for text in pools]
        self.convolutions = nn.ModuleList()
        previous = 1
        for width, normed in zip(channels, batch_norm, strict=True):
            layers: list[nn.Module] = [nn.Conv2d(previous, width, 3, padding=1)]
            if normed:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            self.convolutions.append(nn.Sequential(*layers))
            previous = width
        self.dropout = nn.Dropout2d(dropout)
        self.rows = RowEncoder(previous, row_width, rows) if row_width else None
        self.residual = residual and self.rows is not None
        if self.residual and previous != row_width:
            raise ValueError(
                f"residual adds {previous} channels to a row_width of {row_width}; make them equal"
            )
        self.width = row_width or previous
        self.coarse = CoarseBranch(previous, row_width, rows, residual, block) if coarse else None
        self.coarse_width = None if self.coarse is None else self.coarse.width
        vertical, horizontal = 1, 1
        for down, right in self.pools:
            vertical, horizontal = vertical * down, horizontal * right
        self.stride = (vertical, horizontal)
        use_running_stats_for_single_values(self)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`."""
        features, mask = self.convolve(images, mask)
        coarse = None if self.coarse is None else self.coarse(features, mask, self.stride)
        features = features.permute(0, 2, 3, 1)  # (B, C, h, w) -> (B, h, w, C)
        if self.rows is not None:
            rows = self.rows(features, mask)
            features = features + rows if self.residual else rows
        return Grid(features, mask, self.stride, coarse)

    def convolve(self, images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The convolutional part.

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


def _pool(text: str) -> tuple[int, int]:
    down, _, right = text.partition("x")
    if not (down.isdigit() and right.isdigit() and int(down) and int(right)):
        raise ValueError(f"a pool is written HxW, such as 2x1; got {text!r}")
    return int(down), int(right)
