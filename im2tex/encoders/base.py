"""The encoder's interface and the registry of encoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from im2tex.grid import Grid
from im2tex.registry import Registry


class Encoder(nn.Module, ABC):
    """Maps images to a `Grid`.

    A batch may consist of one image of one cell, for which PyTorch's batch normalisation raises an
    error in training; an encoder with such layers calls
    `single_cell_batch_norm.use_running_stats_for_single_values(self)` at the end of `__init__`.

    Example:
        >>> encoder = ENCODERS.build("row_cnn", {"row_hidden_size": 256})
        >>> grid = encoder(torch.rand(1, 1, 32, 64), torch.ones(1, 32, 64, dtype=torch.bool))
        >>> grid.features.shape
        torch.Size([1, 4, 8, 256])

    Attributes:
        width: D, the number of features of a fine cell.
        stride: pixels of a fine cell, (vertical, horizontal). Preprocessing rounds image sizes up
            to multiples of it.
        coarse_width: D', the number of features of a coarse cell; None without a coarse grid.
        inactive_when: arguments that have no effect while another argument has a certain value,
            as `{argument: (other argument, value)}`.
    """

    width: int
    stride: tuple[int, int]
    coarse_width: int | None = None
    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {}

    @abstractmethod
    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """Encodes a padded batch.

        In eval mode the cells of an image must not depend on the other images of its batch.

        Args:
            images: (B, 1, H, W), 0 for paper to 1 for ink; H and W are multiples of the stride.
            mask: (B, H, W) bool, true inside the image.

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
