"""No encoder: one cell without features, whatever the picture shows.

It makes a language model of a decoder. With the paper's decoder this is the row "LSTM-LM (no
encoder)" of table 3 in Deng et al. 2017, trained, validated and tested as the models that do see
the picture, on the same labels.
"""

from __future__ import annotations

from torch import Tensor

from im2tex.encoders.base import ENCODERS, Encoder
from im2tex.grid import Grid


@ENCODERS.register("none")
class NoEncoder(Encoder):
    """Hides the picture: the decoder is a language model."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 1
        self.stride = (1, 1)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`; the one cell stands for the whole picture."""
        nothing = images.new_zeros(len(images), 1, 1, self.width)
        return Grid(nothing, mask.new_ones(len(mask), 1, 1), self.stride)
