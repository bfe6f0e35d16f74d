"""Exponential moving average (EMA) of the weights, used for validation and in checkpoints.

It extends Lightning's `WeightAveraging`, which validates with the averaged weights and stores them
as a checkpoint's `state_dict`, with the raw weights as `current_model_state`. Added are a warm-up
of the decay and corrections of three errors in Lightning 2.6:

- a checkpoint written during a validation, after an exception or after the end of a fit had lost
  the raw weights, so that a resumed fit differed;
- `trainer.test` with a checkpoint, after a fit in the same process, used the raw weights;
- on a GPU the average stayed in host memory, because it is made before the model is moved.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class EMA(WeightAveraging):
    """Averages parameters and floating-point buffers after every optimiser step.

    The average starts as a copy of the weights at the first step. After a later step, with t the
    number of steps averaged so far,

        average = d * average + (1 - d) * weights,    d = min(decay, (1 + t) / (10 + t))

    or d = decay without the warm-up. Counters of batch normalisation are copied.

    `load_from_checkpoint`, `test` and `predict` use the average. A fit that resumes with this
    callback also restores the raw weights and t; without it, it starts from the average. When a fit
    has ended, the model has the averaged weights. `ModelCheckpoint(save_weights_only=True)` would
    store the raw weights.

    Example:
        >>> Trainer(callbacks=[EMA(decay=0.999)]).fit(model, data)

    Args:
        decay: decay after the warm-up, in [0, 1].
        warm_up: whether the decay starts at 2/11 and increases with the steps.

    Raises:
        ValueError: if the decay is out of range.
    """

    def __init__(self, decay: float = 0.999, warm_up: bool = True) -> None:
        if not 0 <= decay <= 1:
            raise ValueError(f"decay must be in [0, 1], got {decay}.")
        super().__init__(use_buffers=True, multi_avg_fn=partial(_update, decay, warm_up))
        self.decay = decay
        self.warm_up = warm_up
        # Whether the model has the average, and the averaged model the raw weights.
        self._is_swapped = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Creates the average for a fit; removes that of an earlier fit."""
        self._average_model = None
        self._is_swapped = False
        self._latest_update_step = 0
        with warnings.catch_warnings():
            # A warning about sharding for modules that override `configure_model`.
            warnings.filterwarnings("ignore", message=".*WeightAveraging callback with a model")
            super().setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Moves the average to the model's device."""
        if self._average_model is not None:
            self._average_model.to(pl_module.device)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the averaged weights into the model."""
        self._set_swapped(pl_module, True)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the raw weights into the model."""
        self._set_swapped(pl_module, False)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Puts the raw weights into the model after an exception in a validation."""
        self._set_swapped(pl_module, False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the averaged weights into the model."""
        self._set_swapped(pl_module, True)

    def state_dict(self) -> dict[str, Any]:
        """The state of the average, with its settings."""
        return super().state_dict() | {"decay": self.decay, "warm_up": self.warm_up}

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Stores the average as `state_dict` and the raw weights as `current_model_state`."""
        if self._average_model is None:
            return
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._is_swapped:
            states = checkpoint["state_dict"], checkpoint["current_model_state"]
            checkpoint["current_model_state"], checkpoint["state_dict"] = states

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restores both weights for a fit; test and predict use `state_dict`."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def _set_swapped(self, pl_module: LightningModule, swapped: bool) -> None:
        if self._average_model is not None and self._is_swapped != swapped:
            self._swap_models(pl_module)
            self._is_swapped = swapped


@torch.no_grad()
def _update(
    decay: float,
    warm_up: bool,
    averages: list[Tensor],
    currents: list[Tensor],
    updates: Tensor | int,
) -> None:
    """Updates averages of one data type in place."""
    if not averages[0].is_floating_point():
        torch._foreach_copy_(averages, currents)
        return
    steps = int(updates)
    if warm_up:
        decay = min(decay, (1 + steps) / (10 + steps))
    torch._foreach_lerp_(averages, currents, 1 - decay)
