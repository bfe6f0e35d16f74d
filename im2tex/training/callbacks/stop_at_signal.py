"""Ends a fit after SIGTERM or Ctrl-C at a step from which it can be resumed exactly."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from im2tex.utils.stopping import STOP_REQUEST, StoppedBySignal


class StopAtSignal(Callback):
    """Ends a fit at SIGTERM or Ctrl-C after the current step and its validation.

    Lightning stops each process of a distributed run by itself, also within a validation, and with
    status 0. Here the processes agree on a step, `BestAndLastCheckpoint`, which is called after
    this callback, writes `last.ckpt`, and the start of the next step raises. If the fit ends with
    that step, it ends as usual. Outside training, a signal ends the command at once.

    Attributes:
        is_agreed: whether the processes have agreed to stop.

    Raises:
        StoppedBySignal: at the start of a step.
    """

    def __init__(self) -> None:
        self.is_agreed = False
        self._listens = STOP_REQUEST.listens  # pickled for spawned processes

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Installs the signal handlers in this process."""
        self.is_agreed = False
        self._listen()

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Installs the handlers again; Lightning replaces them before each loop."""
        self._listen()

    on_validation_start = on_test_start = on_predict_start = on_sanity_check_start

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Delays signals to the end of a step."""
        self._listen()
        STOP_REQUEST.delayed = True

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the fit if the processes have agreed."""
        self._raise_if_agreed(trainer)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Ends the fit if the processes have agreed."""
        self._raise_if_agreed(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Lets the processes agree, unless a validation or the end of the epoch follows."""
        if not (trainer.is_last_batch or is_validation_due(trainer, batch_idx)):
            self._agree(trainer, batch_idx)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lets the processes agree after a validation within an epoch."""
        is_fitting = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if is_fitting and not trainer.is_last_batch:
            self._agree(trainer, trainer.fit_loop.epoch_loop.batch_idx)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lets the processes agree at the end of an epoch."""
        self._agree(trainer, None)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stops delaying signals."""
        STOP_REQUEST.delayed = False

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Stops delaying signals."""
        STOP_REQUEST.delayed = False

    def _listen(self) -> None:
        if self._listens:
            STOP_REQUEST.listen_here()

    def _agree(self, trainer: Trainer, batch_idx: int | None) -> None:
        """Stops all processes if one was asked to, unless gradients are being accumulated."""
        if batch_idx is None or (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            is_asked = STOP_REQUEST.signum is not None
            self.is_agreed = trainer.strategy.reduce_boolean_decision(is_asked, all=False)

    def _raise_if_agreed(self, trainer: Trainer) -> None:
        if self.is_agreed:
            raise StoppedBySignal(resume_advice(trainer), STOP_REQUEST.signum or signal.SIGTERM)


def is_stop_agreed(trainer: Trainer) -> bool:
    """Whether the fit stops after the current step."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return any(isinstance(callback, StopAtSignal) and callback.is_agreed for callback in callbacks)


def is_validation_due(trainer: Trainer, batch_idx: int) -> bool:
    """Whether a validation follows a batch within its epoch."""
    interval = trainer.val_check_batch
    if interval is None or interval == float("inf"):
        return False
    if trainer.check_val_every_n_epoch is None:
        batch_idx = trainer.fit_loop.epoch_loop.total_batch_idx
    return (batch_idx + 1) % int(interval) == 0


def resume_advice(trainer: Trainer) -> str:
    """A message about how to resume after a signal has ended a trainer's command."""
    message = f"stopped by {STOP_REQUEST.name}"
    if trainer.state.fn != TrainerFn.FITTING:
        return f"{message} before its end: repeat the same command."
    message += f" at step {trainer.global_step}"
    path = find_last_checkpoint(trainer, str(trainer.ckpt_path or ""))
    if path is None:
        return f"{message}, before a checkpoint was written: repeat the same command."
    return f"{message}: resume with the same command and --ckpt_path {path}"


def find_last_checkpoint(trainer: Trainer, substitute: str) -> str | None:
    """The path of the last checkpoint of a fit, or a substitute; None if neither file exists."""
    last = getattr(trainer.checkpoint_callback, "last_model_path", "")
    return next((path for path in (last, substitute) if path and Path(path).is_file()), None)
