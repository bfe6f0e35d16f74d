"""What an encoder is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from im2tex.grid import Grid
from im2tex.registry import Registry


class Encoder(nn.Module, ABC):
    """Turns images into a `Grid`.

    A batch may be one image of one cell. One with batch normalisation, which PyTorch bars from
    that in training, calls `single_cell_batch_norm.use_running_stats_for_single_values` on itself.

    Attributes:
        width: D, the number of features of a fine cell.
        stride: pixels a fine cell covers, (vertical, horizontal). Preprocessing rounds image
            sizes up to multiples of it.
        coarse_width: the number of features of a coarse cell, or None without a coarse grid.
        inactive_when: arguments that do nothing where another has a value: its name and that value.
    """

    width: int
    stride: tuple[int, int]
    coarse_width: int | None = None
    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {}

    @abstractmethod
    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """Encodes a padded batch.

        In eval mode an image's cells do not depend on the rest of its batch.

        Args:
            images: (B, 1, H, W), 0 for paper to 1 for ink; H and W multiples of the stride.
            mask: (B, H, W) bool, true where there is image.

        Returns:
            The grid; features outside its mask are zero.
        """


ENCODERS: Registry[Encoder] = Registry(
    "encoder",
    group="im2tex.encoders",
    builtin=(
        "im2tex.encoders.row_cnn",
        "im2tex.encoders.cnn",
        "im2tex.encoders.densenet",
        "im2tex.encoders.timm_features",
        "im2tex.encoders.none",
    ),
)
