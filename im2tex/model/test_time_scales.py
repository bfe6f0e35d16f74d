"""A batch in another size: what a model is shown in addition where it reads several views."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from im2tex.data.dataset import Batch


def scaled(batch: Batch, factor: float, stride: tuple[int, int]) -> Batch:
    """The images of a batch made larger or smaller; for reading, as boxes stay behind.

    Args:
        batch: sizes are multiples of the stride, all else is blank.
        factor: new size by old size; 1 gives the batch itself.
        stride: (vertical, horizontal) pixels, what sizes are rounded up to multiples of.

    Returns:
        A batch with the same labels.
    """
    if factor == 1:
        return batch
    sizes = torch.stack(
        [_up(batch.sizes[:, i].double() * factor, side) for i, side in enumerate(stride)], 1
    )
    height, width = sizes.amax(0).tolist()
    images = interpolate(
        batch.images.float(),
        scale_factor=factor,
        mode="bilinear",
        antialias=True,
        recompute_scale_factor=False,
    )[:, :, :height, :width]
    room = (0, width - images.shape[3], 0, height - images.shape[2])
    pixels = pad(images, room).round().clamp(0, 255).to(torch.uint8)
    return replace(batch, images=pixels, sizes=sizes, boxes=None)


def _up(sizes: Tensor, side: int) -> Tensor:
    """The next multiples; whole pixels, for a product may be off by rounding."""
    return (torch.ceil((sizes - 1e-6) / side) * side).long()
