"""No encoder: one cell without features for any image.

The decoder becomes a language model. With the paper's decoder this is the row "LSTM-LM (no
encoder)" of table 3 in Deng et al. 2017, trained and tested on the same labels as other models.
"""

from __future__ import annotations

from torch import Tensor

from im2tex.encoders.base import ENCODERS, Encoder
from im2tex.grid import Grid


@ENCODERS.register("none")
class NoEncoder(Encoder):
    """Returns one cell of one zero feature, so that the decoder is a language model."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 1
        self.stride = (1, 1)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`; the cell stands for the whole image."""
        zeros = images.new_zeros(len(images), 1, 1, self.width)
        return Grid(zeros, mask.new_ones(len(mask), 1, 1), self.stride)
