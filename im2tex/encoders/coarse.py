"""The coarse branch: a second grid of fewer, larger cells, to look at before the fine one.

Section 4 of Deng et al. 2017, on the output of any convolutional encoder, before its row encoder:
convolution, max-pool of s x s cells, convolution, and a row encoder of its own. The paper's block
is 4 x 4. Pools round up, so that every fine cell of a ragged grid has its coarse cell: fine cell
(i, j) lies in coarse cell (i // s, j // s). Batch normalisation and ReLU follow both convolutions,
as they do the paper's last one.
"""

from __future__ import annotations

from torch import Tensor, nn

from im2tex.encoders.rows import RowEncoder
from im2tex.grid import Grid


class CoarseBranch(nn.Module):
    """Convolutional features to a coarse grid.

    Args:
        channels: C, of the features and of both convolutions.
        row_width: D', both directions of the row encoder together; even. 0 leaves it out.
        rows: number of rows with trainable initial states, 0 for none.
        residual: add the convolutions' features to the row encoder's.
        block: side s of the square of fine cells that a coarse cell covers.

    Attributes:
        width: D', features of a coarse cell.

    Raises:
        ValueError: if `row_width` is odd, or differs from the channels with `residual` on, or
            `block` is less than 1.
    """

    def __init__(
        self,
        channels: int,
        row_width: int = 512,
        rows: int = 20,
        residual: bool = False,
        block: int = 4,
    ) -> None:
        super().__init__()
        if block < 1:
            raise ValueError(f"block is the side of a coarse cell in fine cells; got {block}")
        self.block = block
        self.first = _convolution(channels)
        self.second = _convolution(channels)
        self.rows = RowEncoder(channels, row_width, rows) if row_width else None
        self.residual = residual and self.rows is not None
        if self.residual and channels != row_width:
            raise ValueError(
                f"residual adds {channels} channels to a row_width of {row_width}; make them equal"
            )
        self.width = row_width or channels

    def forward(self, features: Tensor, mask: Tensor, stride: tuple[int, int]) -> Grid:
        """Makes the coarse grid.

        Args:
            features: (B, C, h, w), zero outside the mask.
            mask: (B, h, w) bool, rectangular from the top left corner.
            stride: pixels that a fine cell covers, (vertical, horizontal).

        Returns:
            The grid of h' = ceil(h / s) by w' = ceil(w / s) cells; features outside its mask are
            zero. In eval mode an image's cells do not depend on the rest of its batch.
        """
        s = self.block
        features = self.first(features) * mask.unsqueeze(1)
        # Padding is zero and so is never above a ReLU's output: it wins no maximum.
        features = nn.functional.max_pool2d(features, s, ceil_mode=True)  # (B, C, h', w')
        mask = mask[:, ::s, ::s]
        features = self.second(features) * mask.unsqueeze(1)
        features = features.permute(0, 2, 3, 1)  # (B, C, h', w') -> (B, h', w', C)
        if self.rows is not None:
            rows = self.rows(features, mask)
            features = features + rows if self.residual else rows
        return Grid(features, mask, (s * stride[0], s * stride[1]))


def _convolution(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )
