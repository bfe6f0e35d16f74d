"""Sinusoidal positions in two dimensions, for decoders without recurrence.

As in BTTR and CoMER (Zhao et al. 2021, section 3.2; Zhao & Gao 2022): half of the features encode
the column and half the row of a cell, each as sines and cosines of wavelengths in geometric
progression (Vaswani et al. 2017),

    p = 2 pi (i + 1) / n,   PE_2k = sin(p / 10000^(2k / d)),   PE_2k+1 = cos(p / 10000^(2k / d)),

with cell i of n along a side and d = D / 2 features. n is the size of the image itself, counted in
its mask, so that images of all sizes span the same range and the padding of a batch has no effect.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

PositionKind = Literal["none", "sinusoidal"]

MAX_WAVELENGTH_RATIO = 10_000.0
"""Ratio of the longest wavelength to the shortest, as in these papers."""


class PositionalEncoding2d(nn.Module):
    """Adds its position to each cell; has no parameters.

    Args:
        kind: `none` adds nothing.
        width: D, a multiple of 4 for `sinusoidal`: sines and cosines of columns and of rows.

    Raises:
        ValueError: if the width does not fit.
    """

    def __init__(self, kind: PositionKind, width: int) -> None:
        super().__init__()
        if kind == "sinusoidal" and width % 4:
            raise ValueError(
                "positions: sinusoidal needs a number of features that is a multiple of 4, got "
                f"{width}"
            )
        self.kind = kind

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Adds the positions.

        Args:
            features: (B, h, w, D).
            mask: (B, h, w) bool, a rectangle from the top left corner.

        Returns:
            (B, h, w, D); the values of cells outside the mask are arbitrary.
        """
        if self.kind == "none":
            return features
        return features + sinusoidal(mask, features.shape[3]).to(features.dtype)


def sinusoidal(mask: Tensor, width: int) -> Tensor:
    """The positions of all cells.

    Args:
        mask: (B, h, w) bool, a rectangle from the top left corner.
        width: D, a multiple of 4.

    Returns:
        (B, h, w, D) float32: sines and cosines of the column in turn, then those of the row.
    """
    b, h, w = mask.shape
    columns = _encode_side(mask[:, 0].sum(1), w, width // 2)  # (B, w, D / 2)
    rows = _encode_side(mask[:, :, 0].sum(1), h, width // 2)  # (B, h, D / 2)
    shape = (b, h, w, width // 2)
    return torch.cat([columns.unsqueeze(1).expand(shape), rows.unsqueeze(2).expand(shape)], 3)


def _encode_side(sizes: Tensor, padded: int, width: int) -> Tensor:
    """Positions along one side of images of true sizes (B,): (B, padded, width)."""
    cells = torch.arange(1, padded + 1, device=sizes.device, dtype=torch.float32)
    angles = 2 * math.pi * cells / sizes.clamp_min(1).unsqueeze(1)  # (B, padded)
    step = torch.arange(0, width, 2, device=sizes.device, dtype=torch.float32)
    angles = angles.unsqueeze(2) * MAX_WAVELENGTH_RATIO ** (-step / width)  # (B, padded, width / 2)
    return torch.stack([angles.sin(), angles.cos()], 3).flatten(2)
