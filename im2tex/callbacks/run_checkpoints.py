"""Checkpoints of a run: the best by a score of its validations, and the last."""

from __future__ import annotations

from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn

from im2tex.errors import Im2TexError


class RunCheckpoints(ModelCheckpoint):
    """Writes `best.ckpt` after a validation, and `last.ckpt` after every epoch, or more often.

    Lightning's own callback has one schedule for both, with gaps that a person finds out about
    when a run was killed. With `every_n_train_steps` nothing is written until there is a score,
    that is, not in the first epoch; a best epoch between two multiples is missed; a run continued
    from a checkpoint between a step and the validation after it leaves that validation out. And a
    resumed run, whose folder is a new one, has forgotten the best score, so that a worse epoch
    becomes its best. Here `last.ckpt` is written from the first epoch on, never between a step
    and its validation, and the best score lives on: until it is beaten, `best_model_path` is the
    file of the run before.

    Args:
        monitor: the score that says which checkpoint is the best.
        mode: whether the lowest (`min`) or the highest (`max`) is.
        save_top_k: how many of the best are kept; more than one need a `filename` that differs.
        filename: of the best, which may name scores: `"{step}"`.
        every_n_train_steps: writes `last.ckpt` after every so many steps too; 0 for epochs only.
        dirpath: folder of the files; `checkpoints/` in the run's own folder if not given.

    Raises:
        Im2TexError: for a negative number of steps.
    """

    def __init__(
        self,
        monitor: str = "val/perplexity",
        mode: Literal["min", "max"] = "min",
        save_top_k: int = 1,
        filename: str = "best",
        every_n_train_steps: int = 0,
        dirpath: str | None = None,
    ) -> None:
        if every_n_train_steps < 0:
            raise Im2TexError(
                f"checkpoint.every_n_train_steps is at least 0, got {every_n_train_steps}."
            )
        super().__init__(
            dirpath=dirpath,
            filename=filename,
            monitor=monitor,
            mode=mode,
            save_top_k=save_top_k,
            save_last=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )
        self.steps = every_n_train_steps

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Writes `last.ckpt` when it is time, unless a validation comes first."""
        if not self.steps or trainer.global_step % self.steps:
            return
        if trainer.is_last_batch or _validates(trainer, batch_idx):
            return
        if _training(trainer) and trainer.global_step != self._last_global_step_saved:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes `best.ckpt` if this validation's score is the best so far."""
        if not _training(trainer):
            return
        self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
        if self.steps and not trainer.is_last_batch:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes `last.ckpt`."""
        if _training(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing: the last epoch's end has written it."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remembers the best so far, whatever folder it is in."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


def _training(trainer: Trainer) -> bool:
    """Whether this is a training whose results are kept."""
    return (
        trainer.state.fn == TrainerFn.FITTING
        and not trainer.sanity_checking
        and not getattr(trainer, "fast_dev_run", False)
    )


def _validates(trainer: Trainer, batch_idx: int) -> bool:
    """Whether a validation follows a batch within its epoch."""
    every = trainer.val_check_batch
    if every is None or every == float("inf"):
        return False
    if trainer.check_val_every_n_epoch is None:
        batch_idx = trainer.fit_loop.epoch_loop.total_batch_idx
    return (batch_idx + 1) % int(every) == 0
