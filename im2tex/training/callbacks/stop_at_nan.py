"""Ends a fit whose loss or weights are no longer finite."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from im2tex.errors import Im2TexError
from im2tex.training.callbacks.stop_at_signal import find_last_checkpoint

_NEVER = 2**62


class DivergedError(Im2TexError):
    """A loss or a weight is NaN or infinite."""

    status = 1


class StopAtNaN(Callback):
    """Ends a fit when a loss or a weight is NaN or infinite.

    The first such step is recorded on the device, without synchronising. The record is read every
    `log_every_n_steps`, before a validation, at the end of an epoch, and, together with the
    weights, before a checkpoint is written (see `BestAndLastCheckpoint`): no checkpoint has weights
    that are not finite. All processes of a distributed run end together.
    """

    def __init__(self) -> None:
        self._first: Tensor | None = None  # step of the first loss that is not finite
        self._rates: dict[int, float] = {}  # learning rate by step since the last check
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Resets the record."""
        self._first = torch.tensor(_NEVER, device=pl_module.device)
        self._rates = {}

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Records the learning rate of the step."""
        self._step = trainer.global_step + 1
        self._rates[self._step] = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Records whether the loss is finite; reads the record every `log_every_n_steps`.

        Raises:
            DivergedError: see `check`.
        """
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor) and self._first is not None:
            is_bad = ~torch.isfinite(loss.detach()).all()
            self._first = self._first.minimum(torch.where(is_bad, self._step, _NEVER))
        if (batch_idx + 1) % getattr(trainer, "log_every_n_steps", 50) == 0:
            self.check(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks the losses before a validation."""
        if not trainer.sanity_checking:
            self.check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Checks the losses of an epoch."""
        self.check(trainer)

    def check(self, trainer: Trainer, weights: bool = False) -> None:
        """Checks the losses so far; every process must call it.

        Args:
            trainer: the trainer of the fit.
            weights: whether to check the weights as well.

        Raises:
            DivergedError: if a value is NaN or infinite.
        """
        if self._first is None:
            return
        weight = _first_bad_weight(trainer.lightning_module) if weights else None
        mine = self._first if weight is None else self._first.clamp(max=self._step)
        first = int(trainer.strategy.reduce(mine.clone(), reduce_op="min"))
        if first != _NEVER:
            rate = self._rates.get(first, trainer.optimizers[0].param_groups[0]["lr"])
            name = f"weight {weight}" if weight and int(self._first) != first else "the loss"
            raise DivergedError(
                f"{name} at step {first} is NaN or infinite (learning rate {rate:.3g}): the fit "
                f"ends. {_restart_advice(trainer)} with a lower --model.optimizer_args.lr or "
                "--model.clip_norm; or continue anyway with --stop_at_nan false."
            )
        self._rates = {self._step: self._rates[self._step]} if self._step in self._rates else {}


def require_finite(trainer: Trainer) -> None:
    """Checks losses and weights before a checkpoint is written, if the fit has `StopAtNaN`.

    Raises:
        DivergedError: if a value is NaN or infinite.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, StopAtNaN):
            callback.check(trainer, weights=True)


def _first_bad_weight(module: LightningModule) -> str | None:
    """The name of the first weight or buffer that is not finite."""
    values = {name: t for name, t in module.state_dict().items() if t.is_floating_point()}
    if not values:
        return None
    finite = torch.stack([torch.isfinite(value).all() for value in values.values()]).tolist()
    return next((name for name, good in zip(values, finite, strict=True) if not good), None)


def _restart_advice(trainer: Trainer) -> str:
    best = getattr(trainer.checkpoint_callback, "best_model_path", "")
    path = find_last_checkpoint(trainer, best)
    if path is None:
        return "No checkpoint was written before: start again"
    kept = "The last checkpoint with finite weights is kept: start from it with"
    return f"{kept} --model.init_from {path}"
