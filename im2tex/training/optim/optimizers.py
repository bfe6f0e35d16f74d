"""Optimisers: a name, its settings, and how they apply to a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn

from im2tex.registry import Registry


class OptimizerFactory(ABC):
    """Settings of an optimiser, ready to be applied to a model."""

    @abstractmethod
    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of a model's trainable parameters."""


OPTIMIZERS: Registry[OptimizerFactory] = Registry(
    "optimizer", group="im2tex.optimizers", builtin=("im2tex.training.optim.optimizers",)
)


@OPTIMIZERS.register("sgd")
class SGD(OptimizerFactory):
    """Stochastic gradient descent; the defaults are the paper's.

    Args:
        lr: learning rate.
        momentum: 0 in the paper.
        weight_decay: on every parameter.

    Raises:
        ValueError: if a value is out of range.
    """

    def __init__(self, lr: float = 0.1, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        self.settings: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
        }
        _check(torch.optim.SGD, self.settings)

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """See `OptimizerFactory.build`."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.SGD(parameters, **self.settings)


@OPTIMIZERS.register("adamw")
class AdamW(OptimizerFactory):
    """Adam with decoupled weight decay on matrices and kernels; not on biases, norms, embeddings.

    A kernel is what is called a weight and has two or more dimensions. Trainable initial states,
    position embeddings and the like, which are bare parameters under names of their own, are not.

    Args:
        lr: peak learning rate.
        beta1: decay of the gradient's average.
        beta2: decay of the squared gradient's average.
        weight_decay: on the kernels.

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
        _check(torch.optim.AdamW, self.settings | {"weight_decay": weight_decay})

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """See `OptimizerFactory.build`."""
        spared = (nn.Embedding, nn.LayerNorm, nn.RMSNorm)  # norms may have two dimensions, too
        apart = {id(m.weight) for m in model.modules() if isinstance(m, spared)}
        decayed: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                kernel = "weight" in name.rpartition(".")[2] and parameter.dim() > 1
                (decayed if kernel and id(parameter) not in apart else others).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, **self.settings)


def _check(optimizer: type[torch.optim.Optimizer], settings: dict[str, Any]) -> None:
    """Lets PyTorch refuse values out of range when a model is made, not when its fit starts."""
    optimizer([torch.zeros(1)], **settings)
