"""Test-time scales: resizes a batch, for predictions that are averaged over several scales."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from im2tex.data.dataset import Batch


def rescale_batch(batch: Batch, factor: float, stride: tuple[int, int]) -> Batch:
    """Resizes the images of a batch, for inference: the result has no boxes.

    Args:
        batch: its sizes are multiples of the stride, and its padding is zero.
        factor: new size divided by old size; 1 returns the batch itself.
        stride: (vertical, horizontal) pixels; sizes are rounded up to multiples of it.

    Returns:
        A batch with the same labels.
    """
    if factor == 1:
        return batch
    sizes = torch.stack(
        [_round_up(batch.sizes[:, i].double() * factor, side) for i, side in enumerate(stride)], 1
    )
    height, width = sizes.amax(0).tolist()
    images = interpolate(
        batch.images.float(),
        scale_factor=factor,
        mode="bilinear",
        antialias=True,
        recompute_scale_factor=False,
    )[:, :, :height, :width]
    padding = (0, width - images.shape[3], 0, height - images.shape[2])
    pixels = pad(images, padding).round().clamp(0, 255).to(torch.uint8)
    return replace(batch, images=pixels, sizes=sizes, boxes=None)


def _round_up(sizes: Tensor, side: int) -> Tensor:
    # The product with the factor may exceed a whole number by rounding.
    return (torch.ceil((sizes - 1e-6) / side) * side).long()
