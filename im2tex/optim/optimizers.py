"""Optimisers: a name, its settings, and how they apply to a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn

from im2tex.registry import Registry


class OptimizerRecipe(ABC):
    """Settings of an optimiser, ready to be applied to a model."""

    @abstractmethod
    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of a model's trainable parameters."""


OPTIMIZERS: Registry[OptimizerRecipe] = Registry(
    "optimizer", group="im2tex.optimizers", builtin=("im2tex.optim.optimizers",)
)


@OPTIMIZERS.register("sgd")
class SGD(OptimizerRecipe):
    """Stochastic gradient descent; the defaults are the paper's.

    Args:
        lr: learning rate.
        momentum: 0 in the paper.
        weight_decay: on every parameter.
    """

    def __init__(self, lr: float = 0.1, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        self.settings: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
        }

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """See `OptimizerRecipe.build`."""
        parameters = [p for p in model.parameters() if p.requires_grad]
        return torch.optim.SGD(parameters, **self.settings)


@OPTIMIZERS.register("adamw")
class AdamW(OptimizerRecipe):
    """Adam with decoupled weight decay on matrices and kernels; not on biases, norms, embeddings.

    Args:
        lr: peak learning rate.
        beta1: decay of the gradient's average.
        beta2: decay of the squared gradient's average.
        weight_decay: on parameters of two or more dimensions.
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

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """See `OptimizerRecipe.build`."""
        embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
        parameters = [p for p in model.parameters() if p.requires_grad]
        decayed = [p for p in parameters if p.dim() > 1 and id(p) not in embeddings]
        others = [p for p in parameters if p.dim() <= 1 or id(p) in embeddings]
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, **self.settings)
