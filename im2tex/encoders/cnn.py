"""The paper's encoder without its row encoder: the CAPTION baseline, after Xu et al. 2015.

Table 2 of Deng et al. 2017 compares IM2TEX with a model that has a wider convolutional stack
instead of a row encoder, so that both have as many parameters. The paper does not state its widths.
Here the channels of `row_cnn` are multiplied by 74 / 64, which gives 9,480,827 parameters at a
vocabulary of 555, where IM2TEX has 9,480,347. The positional encoding is an addition of ours.
"""

from __future__ import annotations

from torch import Tensor

from im2tex.encoders.base import ENCODERS
from im2tex.encoders.positional_encoding import PositionalEncoding2d, PositionKind
from im2tex.encoders.row_cnn import RowCNN
from im2tex.grid import Grid


@ENCODERS.register("cnn")
class CNN(RowCNN):
    """Convolutions and pools; the defaults are the CAPTION model's sizes.

    Args:
        channels: output channels of each 3x3 convolution; the last is D.
        pools: the max-pool after each convolution as `HxW`, or `1x1` for none.
        batch_norm: whether each convolution is followed by batch normalisation.
        dropout: probability of dropping each feature map of the result, in training.
        positions: `sinusoidal` adds `PositionalEncoding2d`, for a decoder without recurrence; D
            must then be a multiple of 4.

    Raises:
        ValueError: if the lists differ in length, a pool is not written HxW, a number of channels
            is less than 1, or D does not fit the positional encoding.
    """

    def __init__(
        self,
        channels: list[int] = [74, 148, 296, 296, 592, 592],  # noqa: B006 - read only
        pools: list[str] = ["2x2", "2x2", "1x1", "2x1", "1x2", "1x1"],  # noqa: B006
        batch_norm: list[bool] = [False, False, True, False, True, True],  # noqa: B006
        dropout: float = 0.0,
        positions: PositionKind = "none",
    ) -> None:
        super().__init__(channels, pools, batch_norm, row_hidden_size=0, dropout=dropout)
        self.positions = PositionalEncoding2d(positions, self.width)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`."""
        features, mask = self.convolve(images, mask)
        features = self.positions(features.permute(0, 2, 3, 1), mask)  # -> (B, h, w, D)
        return Grid(features * mask.unsqueeze(3), mask, self.stride)
