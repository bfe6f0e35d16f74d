"""Sinusoidal positions in two dimensions, for grids that are read without recurrence.

As BTTR and CoMER add them to their features (Zhao et al. 2021, section 3.2; Zhao & Gao 2022):
half of the features tell the column, half the row, each as sines and cosines of wavelengths in
geometric progression (Vaswani et al. 2017). A cell's place is a share of the image, row i of h
being 2 pi (i + 1) / h, so that images of all sizes span the same range. The size is the image's
own, counted in its mask, and not that of the padded batch: what a cell is told does not depend on
the images beside it.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

PositionKind = Literal["none", "sinusoidal"]

MAX_WAVELENGTH_RATIO = 10_000.0
"""Ratio of the longest wavelength to the shortest, as in all of these papers."""


class PositionalEncoding2d(nn.Module):
    """Adds to every feature where it is; without parameters.

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
                f"positions: sinusoidal needs a width that is a multiple of 4; got {width}"
            )
        self.kind = kind

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Adds the positions.

        Args:
            features: (B, h, w, D).
            mask: (B, h, w) bool, rectangular from the top left corner.

        Returns:
            (B, h, w, D); cells outside the mask hold nothing of use.
        """
        if self.kind == "none":
            return features
        return features + sinusoidal(mask, features.shape[3]).to(features.dtype)


def sinusoidal(mask: Tensor, width: int) -> Tensor:
    """The positions of every cell.

    Args:
        mask: (B, h, w) bool, rectangular from the top left corner.
        width: D, a multiple of 4.

    Returns:
        (B, h, w, D) float32: the column's sines and cosines by turns, then the row's.
    """
    b, h, w = mask.shape
    columns = _waves(mask[:, 0].sum(1), w, width // 2)  # (B, w, D / 2)
    rows = _waves(mask[:, :, 0].sum(1), h, width // 2)  # (B, h, D / 2)
    shape = (b, h, w, width // 2)
    return torch.cat([columns.unsqueeze(1).expand(shape), rows.unsqueeze(2).expand(shape)], 3)


def _waves(lengths: Tensor, longest: int, width: int) -> Tensor:
    """Sines and cosines of places along one side: true lengths (B,) -> (B, longest, width)."""
    places = torch.arange(1, longest + 1, device=lengths.device, dtype=torch.float32)
    shares = 2 * math.pi * places / lengths.clamp_min(1).unsqueeze(1)  # (B, longest)
    step = torch.arange(0, width, 2, device=lengths.device, dtype=torch.float32)
    angles = shares.unsqueeze(2) * MAX_WAVELENGTH_RATIO ** (
        -step / width
    )  # (B, longest, width / 2)
    return torch.stack([angles.sin(), angles.cos()], 3).flatten(2)
