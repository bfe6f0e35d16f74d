"""The coarse branch: a second grid of fewer, larger cells for coarse-to-fine attention.

Section 4 of Deng et al. 2017. The branch starts from the output of the convolutions, before the row
encoder: convolution, max-pool of s x s cells, convolution and a row encoder of its own. The paper
has s = 4. Fine cell (i, j) lies in coarse cell (i // s, j // s); the pool rounds sizes up, so that
each fine cell has a coarse cell. Batch normalisation and ReLU follow both convolutions, as they
follow the last convolution of the paper's encoder.
"""

from __future__ import annotations

from torch import Tensor, nn

from im2tex.encoders.row_encoder import RowEncoder
from im2tex.grid import Grid
from im2tex.utils.checks import check_at_least


class CoarseBranch(nn.Module):
    """Maps convolutional features to a coarse grid.

    Args:
        channels: C, of the features and of both convolutions.
        row_hidden_size: D', both directions of the row encoder together; even. 0 for no row
            encoder.
        num_row_embeddings: number of rows with a trainable initial state, 0 for none.
        residual: add the convolutions' features to those of the row encoder.
        block: s, side of the square of fine cells that a coarse cell covers.

    Attributes:
        width: D', features of a coarse cell.

    Raises:
        ValueError: if `block` is less than 1, or `RowEncoder` cannot have these sizes.
    """

    def __init__(
        self,
        channels: int,
        row_hidden_size: int = 512,
        num_row_embeddings: int = 20,
        residual: bool = False,
        block: int = 4,
    ) -> None:
        super().__init__()
        check_at_least(1, block=block)
        self.block = block
        self.first = _convolution(channels)
        self.second = _convolution(channels)
        self.row_encoder = None
        if row_hidden_size:
            self.row_encoder = RowEncoder(channels, row_hidden_size, num_row_embeddings, residual)
        self.width = row_hidden_size or channels

    def forward(self, features: Tensor, mask: Tensor, stride: tuple[int, int]) -> Grid:
        """Computes the coarse grid.

        Args:
            features: (B, C, h, w), zero outside the mask.
            mask: (B, h, w) bool, a rectangle from the top left corner.
            stride: pixels of a fine cell, (vertical, horizontal).

        Returns:
            The grid of h' = ceil(h / s) by w' = ceil(w / s) cells; features outside its mask are
            zero. In eval mode an image's cells do not depend on the other images of its batch.
        """
        s = self.block
        features = self.first(features) * mask.unsqueeze(1)
        # The padding is zero and the output of a ReLU is not negative, so it wins no maximum.
        features = nn.functional.max_pool2d(features, s, ceil_mode=True)  # (B, C, h', w')
        mask = mask[:, ::s, ::s]
        features = self.second(features) * mask.unsqueeze(1)
        features = features.permute(0, 2, 3, 1)  # (B, C, h', w') -> (B, h', w', C)
        if self.row_encoder is not None:
            features = self.row_encoder(features, mask)
        return Grid(features, mask, (s * stride[0], s * stride[1]))


def _convolution(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )
