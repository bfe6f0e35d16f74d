"""Batch normalisation of a batch with one value per channel.

A batch of one tiny image yields a 1x1 feature map, for which PyTorch's batch normalisation raises
"expected more than 1 value per channel" in training. Such a batch is normalised by the running
statistics instead, as in eval mode, and does not change them.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def use_running_stats_for_single_values(encoder: nn.Module) -> None:
    """Makes the batch normalisations of an encoder accept one value per channel in training."""
    for layer in encoder.modules():
        if isinstance(layer, _BatchNorm):
            layer.register_forward_pre_hook(_enter_eval_mode)
            layer.register_forward_hook(_restore_mode, always_call=True)


def _enter_eval_mode(layer: Any, inputs: tuple[Tensor, ...]) -> None:
    layer.single_value = layer.training and inputs[0].shape[1] == inputs[0].numel()  # (1, C, 1, 1)
    layer.training = layer.training and not layer.single_value


def _restore_mode(layer: Any, *_: Any) -> None:
    layer.training = layer.training or layer.single_value
