"""A fit whose loss is no longer a finite number ends, with its last good checkpoint kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor

from im2tex.errors import Im2TexError

_NEVER = 2**62


class DivergedError(Im2TexError):
    """A loss or a weight is NaN or infinite."""

    status = 1


class StopAtNaN(Callback):
    """Ends a fit once a loss or a weight is NaN or infinite.

    The first such step is noted on the device, without waiting for it. Looked at are the losses
    at every logging interval, before a validation and at an epoch's end, and losses and weights
    before a checkpoint is written (see `BestAndLastCheckpoint`): none holds broken weights. The
    processes of a distributed run end together.
    """

    def __init__(self) -> None:
        self._first: Tensor | None = None  # step of the first loss that is not finite
        self._rates: dict[int, float] = {}
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts with nothing found."""
        self._first = torch.tensor(_NEVER, device=pl_module.device)
        self._rates = {}

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Notes the learning rate of the step."""
        self._step = trainer.global_step + 1
        self._rates[self._step] = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Notes whether the loss is finite, and looks at what was noted when it is time.

        Raises:
            DivergedError: as `check`.
        """
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if isinstance(loss, Tensor) and self._first is not None:
            bad = ~torch.isfinite(loss.detach()).all()
            self._first = self._first.minimum(torch.where(bad, self._step, _NEVER))
        if (batch_idx + 1) % getattr(trainer, "log_every_n_steps", 50) == 0:
            self.check(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the losses before the time of a validation is spent."""
        if not trainer.sanity_checking:
            self.check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Looks at the losses of an epoch."""
        self.check(trainer)

    def check(self, trainer: Trainer, weights: bool = False) -> None:
        """Looks at the losses so far; every process must call it.

        Args:
            trainer: of the fit.
            weights: whether to look at the weights, too.

        Raises:
            DivergedError: if one is NaN or infinite.
        """
        if self._first is None:
            return
        broken = _broken(trainer.lightning_module) if weights else None
        mine = self._first if broken is None else self._first.clamp(max=self._step)
        first = int(trainer.strategy.reduce(mine.clone(), reduce_op="min"))
        if first != _NEVER:
            rate = self._rates.get(first, trainer.optimizers[0].param_groups[0]["lr"])
            what = "the loss" if broken is None or int(self._first) == first else f"weight {broken}"
            raise DivergedError(
                f"{what} at step {first} is NaN or infinite (learning rate {rate:.3g}): the fit "
                f"ends. {_kept(trainer)} with a lower --model.optimizer_args.lr or "
                "--model.clip_norm; or go on regardless with --stop_at_nan false."
            )
        self._rates = {self._step: self._rates[self._step]} if self._step in self._rates else {}


def require_finite(trainer: Trainer) -> None:
    """Checks losses and weights, where a fit looks at them, before a checkpoint is written.

    Raises:
        DivergedError: if one is NaN or infinite.
    """
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, StopAtNaN):
            callback.check(trainer, weights=True)


def _broken(module: LightningModule) -> str | None:
    """The first weight or buffer that is not finite."""
    values = {name: t for name, t in module.state_dict().items() if t.is_floating_point()}
    if not values:
        return None
    finite = torch.stack([torch.isfinite(value).all() for value in values.values()]).tolist()
    return next((name for name, good in zip(values, finite, strict=True) if not good), None)


def _kept(trainer: Trainer) -> str:
    checkpoints = trainer.checkpoint_callback
    if isinstance(checkpoints, ModelCheckpoint):
        for path in (checkpoints.last_model_path, checkpoints.best_model_path):
            if path and Path(path).is_file():
                return (
                    f"The last good checkpoint is kept: start from it by --model.init_from {path}"
                )
    return "No checkpoint was written before: start again"
