"""Exponential moving average of the weights (EMA), used wherever the model is evaluated.

Lightning's `WeightAveraging` does most of it: validation runs with the averaged weights, and a
checkpoint's `state_dict` holds them, with the weights in training beside it
(`current_model_state`). This subclass adds a decay that warms up, and puts right what was found
wanting in Lightning 2.6:

- a checkpoint written during a validation, at an exception or after the end of a fit had lost the
  weights in training, so that a fit continued from it went another way;
- `trainer.test` with a checkpoint, after a fit in the same process, measured the checkpoint's
  weights in training instead of their average;
- on a GPU the average stayed in host memory, because it is made before the model moves.
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

    The first step starts the average as a copy of the weights. After each later one it moves to
    `d * average + (1 - d) * weights`, where `d` is `decay`, or while it warms up
    `min(decay, (1 + t) / (10 + t))` with t the steps averaged so far, so that the random start is
    soon forgotten. Batch normalisation's running statistics are averaged alike; its counters of
    batches are copied.

    What a checkpoint holds: `state_dict` are the averaged weights, so `load_from_checkpoint`,
    `test` and `predict` use them with no more ado. A fit that continues with this callback also
    finds the weights in training and the average's counter, and is exact; one that continues
    without it starts from the average. Leave `ModelCheckpoint(save_weights_only=True)` off:
    Lightning then asks no callback, and the file holds the weights in training.

    When the fit has ended, the model holds the averaged weights.

    Args:
        decay: how much of the average stays at each step, once warm; in 0..1.
        warm_up: whether the decay grows with the steps, from 2/11.

    Raises:
        ValueError: for a decay outside of 0..1.
    """

    def __init__(self, decay: float = 0.999, warm_up: bool = True) -> None:
        if not 0 <= decay <= 1:
            raise ValueError(f"decay lies in 0..1, got {decay}.")
        super().__init__(use_buffers=True, multi_avg_fn=partial(_move, decay, warm_up))
        self.decay = decay
        self.warm_up = warm_up
        # Whether the model holds the average, and the averaged model the weights in training.
        self._swapped = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Makes the average when a fit begins; drops that of an earlier fit for all else."""
        self._average_model = None
        self._swapped = False
        self._latest_update_step = 0
        with warnings.catch_warnings():
            # It warns of sharding whenever `configure_model` is overridden; ours binds names.
            warnings.filterwarnings("ignore", message=".*WeightAveraging callback with a model")
            super().setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Moves the average to the model's device, where the model is by now."""
        if self._average_model is not None:
            self._average_model.to(pl_module.device)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the averaged weights into the model."""
        self._hold_average(pl_module, True)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the weights in training back."""
        self._hold_average(pl_module, False)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Puts the weights in training back, should the exception have come in a validation."""
        self._hold_average(pl_module, False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves the averaged weights in the model, the weights in training beside them."""
        self._hold_average(pl_module, True)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint says of the average, so that a fit can be continued with the same."""
        return super().state_dict() | {"decay": self.decay, "warm_up": self.warm_up}

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Writes the average as `state_dict`, the weights in training as `current_model_state`."""
        if self._average_model is None:
            return
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._swapped:
            states = checkpoint["state_dict"], checkpoint["current_model_state"]
            checkpoint["current_model_state"], checkpoint["state_dict"] = states

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restores both for a fit; all else uses `state_dict`, the average, as it is."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def _hold_average(self, pl_module: LightningModule, average: bool) -> None:
        if self._average_model is not None and self._swapped != average:
            self._swap_models(pl_module)
            self._swapped = average


@torch.no_grad()
def _move(
    decay: float,
    warm_up: bool,
    averages: list[Tensor],
    currents: list[Tensor],
    updates: Tensor | int,
) -> None:
    """Moves averages of one type towards the current values, in place."""
    if not averages[0].is_floating_point():
        torch._foreach_copy_(averages, currents)
        return
    done = int(updates)
    if warm_up:
        decay = min(decay, (1 + done) / (10 + done))
    torch._foreach_lerp_(averages, currents, 1 - decay)
