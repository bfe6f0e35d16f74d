"""Batch normalisation of a batch that is one cell, which has a mean but no variance.

PyTorch refuses it in training: "expected more than 1 value per channel". A formula of one small
symbol makes such a batch where it is alone in one, as grouping by size leaves some: its grid is one
cell, and the coarse one, whose cells are four times as large each way, sooner still. The cell is
then normalised as in use, by the running statistics, and leaves these as they are.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def use_running_stats_for_single_values(encoder: nn.Module) -> None:
    """Makes the batch normalisations of an encoder take a batch of one cell in training."""
    for layer in encoder.modules():
        if isinstance(layer, _BatchNorm):
            layer.register_forward_pre_hook(_before)
            layer.register_forward_hook(_after, always_call=True)


def _before(layer: Any, inputs: tuple[Tensor, ...]) -> None:
    layer.lone = layer.training and inputs[0].shape[1] == inputs[0].numel()  # (1, C, 1, 1)
    layer.training = layer.training and not layer.lone


def _after(layer: Any, *_: Any) -> None:
    layer.training = layer.training or layer.lone
