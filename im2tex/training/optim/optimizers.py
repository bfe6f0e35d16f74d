"""Optimisers by name, with their settings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn

from im2tex.registry import Registry


class OptimizerFactory(ABC):
    """Builds an optimiser from its settings.

    Example:
        >>> OPTIMIZERS.build("adamw", {"lr": 3e-4}).build(model)
    """

    @abstractmethod
    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Builds the optimiser of a model's trainable parameters."""


OPTIMIZERS: Registry[OptimizerFactory] = Registry(
    "optimizer", group="im2tex.optimizers", builtin=("im2tex.training.optim.optimizers",)
)


@OPTIMIZERS.register("sgd")
class SGD(OptimizerFactory):
    """Stochastic gradient descent; the defaults are the paper's.

    Args:
        lr: learning rate.
        momentum: 0 in the paper.
        weight_decay: applied to every parameter.

    Raises:
        ValueError: if a value is out of range.
    """

    def __init__(self, lr: float = 0.1, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        settings: dict[str, Any] = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        self.settings = settings
        _check_settings(torch.optim.SGD, self.settings)

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """See `OptimizerFactory.build`."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.SGD(parameters, **self.settings)


@OPTIMIZERS.register("adamw")
class AdamW(OptimizerFactory):
    """Adam with weight decay on weight matrices and convolution kernels only.

    These are the parameters with `weight` in their name and two or more dimensions, except those
    of embeddings and normalisation layers. Biases, initial states and position embeddings do not
    decay.

    Args:
        lr: peak learning rate.
        beta1: decay rate of the mean of gradients.
        beta2: decay rate of the mean of squared gradients.
        weight_decay: decoupled weight decay (Loshchilov and Hutter 2019).

    Raises:
        ValueError: if a value is out of range.
    """

    def __init__(
        self,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.98,
        weight_decay: float = 0.01,
    ) -> None:
        self.settings: dict[str, Any] = {"lr": lr, "betas": (beta1, beta2)}
        self.weight_decay = weight_decay
        _check_settings(torch.optim.AdamW, self.settings | {"weight_decay": weight_decay})

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """See `OptimizerFactory.build`."""
        excluded_types = (nn.Embedding, nn.LayerNorm, nn.RMSNorm)
        excluded = {id(m.weight) for m in model.modules() if isinstance(m, excluded_types)}
        decayed: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                is_weight = "weight" in name.rpartition(".")[2] and parameter.dim() > 1
                decays = is_weight and id(parameter) not in excluded
                (decayed if decays else others).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, **self.settings)


def _check_settings(optimizer: type[torch.optim.Optimizer], settings: dict[str, Any]) -> None:
    """Makes PyTorch raise for a value out of range before the fit starts."""
    optimizer([torch.zeros(1)], **settings)
