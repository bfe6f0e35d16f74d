"""A fit that a signal ends is ended where it can be continued exactly."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn

from im2tex.utils.stopping import STOP_REQUEST, StoppedBySignal


class StopAtSignal(Callback):
    """Ends a fit at SIGTERM or Ctrl-C after the step that it is in, and the step's validation.

    Lightning's own handling ends each process of a distributed run for itself, in the middle of
    a validation too, and with status 0. Here the processes of a run agree where they stop;
    `BestAndLastCheckpoint`, which Lightning calls after this callback, writes `last.ckpt` there;
    and the start of the next step raises. A fit whose last step this was ends as usual. Before and
    after the training, and in a test or prediction, a signal ends the command at once.

    Attributes:
        agreed: whether the processes have agreed to stop here.

    Raises:
        Stopped: at the start of a step.
    """

    def __init__(self) -> None:
        self.agreed = False
        self._listens = STOP_REQUEST.listens  # kept for spawned processes

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Takes the signals over in this process, which may be a forked one."""
        self.agreed = False
        self._listen()

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the signals back, which Lightning takes over before a loop starts."""
        self._listen()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on a signal waits for the end of a step."""
        self._listen()
        STOP_REQUEST.delayed = True

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See `on_sanity_check_start`."""
        self._listen()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See `on_sanity_check_start`."""
        self._listen()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See `on_sanity_check_start`."""
        self._listen()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the fit if that was agreed."""
        self._end(trainer)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Ends the fit if that was agreed."""
        self._end(trainer)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Agrees, unless a validation or the epoch's end comes before the next step."""
        if not (trainer.is_last_batch or is_validation_due(trainer, batch_idx)):
            self._agree(trainer, batch_idx)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Agrees after a validation within an epoch."""
        fitting = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if fitting and not trainer.is_last_batch:
            self._agree(trainer, trainer.fit_loop.epoch_loop.batch_idx)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Agrees at the end of an epoch."""
        self._agree(trainer, None)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on a signal ends the command at once."""
        STOP_REQUEST.delayed = False

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """As `on_train_end`."""
        STOP_REQUEST.delayed = False

    def _listen(self) -> None:
        if self._listens:
            STOP_REQUEST.listen_here()

    def _agree(self, trainer: Trainer, batch_idx: int | None) -> None:
        """Asks all processes, where no gradients of an unfinished step would be lost."""
        every = trainer.accumulate_grad_batches
        if batch_idx is None or (batch_idx + 1) % every == 0:
            asked = STOP_REQUEST.signum is not None
            self.agreed = trainer.strategy.reduce_boolean_decision(asked, all=False)

    def _end(self, trainer: Trainer) -> None:
        if self.agreed:
            raise StoppedBySignal(resume_advice(trainer), STOP_REQUEST.signum or signal.SIGTERM)


def is_stop_agreed(trainer: Trainer) -> bool:
    """Whether the fit stops after this step."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return any(isinstance(one, StopAtSignal) and one.agreed for one in callbacks)


def is_validation_due(trainer: Trainer, batch_idx: int) -> bool:
    """Whether a validation follows a batch within its epoch."""
    every = trainer.val_check_batch
    if every is None or every == float("inf"):
        return False
    if trainer.check_val_every_n_epoch is None:
        batch_idx = trainer.fit_loop.epoch_loop.total_batch_idx
    return (batch_idx + 1) % int(every) == 0


def resume_advice(trainer: Trainer) -> str:
    """What a person does after a signal has ended a trainer's command."""
    head = f"stopped by {STOP_REQUEST.name}"
    if trainer.state.fn != TrainerFn.FITTING:
        return f"{head} before its end: repeat the same command."
    checkpoints = trainer.checkpoint_callback
    path = checkpoints.last_model_path if isinstance(checkpoints, ModelCheckpoint) else ""
    head += f" at step {trainer.global_step}"
    for one in (path, str(trainer.ckpt_path or "")):
        if one and Path(one).is_file():
            return f"{head}: go on with the same command and --ckpt_path {one}"
    return f"{head}, before there was a checkpoint: repeat the same command."
