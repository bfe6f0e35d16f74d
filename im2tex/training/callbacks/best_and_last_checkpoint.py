"""Checkpoints of a run: the best by a validation metric, and the last."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn

from im2tex.model.checkpoint import ENDED
from im2tex.training.callbacks.stop_at_nan import require_finite
from im2tex.training.callbacks.stop_at_signal import is_stop_agreed, is_validation_due
from im2tex.training.callbacks.validate_resume_state import check_same_structure
from im2tex.utils.checks import check_settings


class BestAndLastCheckpoint(ModelCheckpoint):
    """Writes `best.ckpt` after validations, and `last.ckpt` after epochs or more often.

    It differs from Lightning's callback, which has one schedule for both files:

    - `last.ckpt` is also written before the first validation.
    - `last.ckpt` is not written between a step and the validation after it, because a resumed fit
      would skip that validation.
    - The best score is kept when a run resumes in another folder. Until a validation is better,
      `best_model_path` is the file of the earlier run.

    Example:
        >>> checkpoints = BestAndLastCheckpoint("val/token_exact", "max", every_n_train_steps=500)
        >>> Trainer(callbacks=[checkpoints]).fit(model, data)

    Args:
        monitor: the metric of the best checkpoint.
        mode: whether the lowest (`min`) or highest (`max`) value is the best.
        save_top_k: number of best checkpoints kept; with more than one, set a `filename` that
            differs between them.
        filename: name of the best checkpoint, which may contain metrics: `"{step}"`.
        every_n_train_steps: number of steps between two writes of `last.ckpt` within an epoch; 0
            writes it after epochs only.
        dirpath: folder of the files; `checkpoints/` in the run's folder if not given.

    Raises:
        Im2TexError: if `every_n_train_steps` is negative.
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
        check_settings("checkpoint.", 0, every_n_train_steps=every_n_train_steps)
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
        self._has_ended = False
        self._resumed_from: Path | None = None  # folder of the checkpoint

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Writes `last.ckpt` if it is due and no validation follows."""
        is_due = bool(self.steps) and trainer.global_step % self.steps == 0
        if not (is_due or is_stop_agreed(trainer)):
            return
        if trainer.is_last_batch or is_validation_due(trainer, batch_idx):
            return
        if _is_training(trainer) and trainer.global_step != self._last_global_step_saved:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes `best.ckpt` if the score is the best so far."""
        if not _is_training(trainer):
            return
        self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
        if (self.steps or is_stop_agreed(trainer)) and not trainer.is_last_batch:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes `last.ckpt`."""
        if _is_training(trainer):
            self._has_ended = _is_last_epoch(trainer)
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Does nothing; `on_train_epoch_end` has written the checkpoint."""

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        require_finite(trainer)
        super()._save_checkpoint(trainer, filepath)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Stores whether the fit has ended, for commands that wait for it."""
        checkpoint[ENDED] = self._has_ended

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Records the folder of the checkpoint."""
        self._resumed_from = Path(str(trainer.ckpt_path)).parent

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best score and its file, also if the run's folder has moved.

        Raises:
            Im2TexError: if the state is damaged.
        """
        state = _validate_state(state_dict)
        old_folder = state["dirpath"]
        for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
            state[key] = self._current_path(state[key], old_folder)
        state["best_k_models"] = {
            self._current_path(path, old_folder): score
            for path, score in state["best_k_models"].items()
        }
        super().load_state_dict({**state, "dirpath": self.dirpath})
        best = self.best_model_path
        if best and not Path(best).is_file():
            rank_zero_warn(
                f"the best checkpoint so far, {best}, does not exist. Until a validation is "
                "better, this run has no best.ckpt: restore the file, or start a new fit."
            )

    def _current_path(self, path: str, old_folder: str | None) -> str:
        """The path of a checkpoint that had `path` when the folder was `old_folder`."""
        folder = self._resumed_from
        if not path or not old_folder or folder is None or Path(path).is_file():
            return path
        candidates = [folder / os.path.relpath(path, old_folder), folder / Path(path).name]
        return next(
            (os.path.normpath(candidate) for candidate in candidates if candidate.is_file()), path
        )


def _validate_state(stored: dict[str, Any]) -> dict[str, Any]:
    """The stored state, with defaults for missing values.

    Raises:
        Im2TexError: if a value has another type.
    """
    score = torch.tensor(math.inf)
    paths = dict.fromkeys(("best_model_path", "kth_best_model_path", "last_model_path"), "")
    defaults: dict[str, Any] = {**paths, "kth_value": score, "best_k_models": {}}
    state = defaults | {"best_model_score": None, "dirpath": None}
    state |= {name: value for name, value in stored.items() if name in state}
    where = "the checkpoint's record of the best so far"
    check_same_structure(defaults, state, where)
    for path, value in state["best_k_models"].items():
        check_same_structure(("", score), (path, value), where)
    for name, expected in (("best_model_score", score), ("dirpath", "")):
        if state[name] is not None:
            check_same_structure(expected, state[name], f"{where}, {name}")
    return state


def _is_last_epoch(trainer: Trainer) -> bool:
    """Whether the fit ends with the current epoch."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    progress: Any = trainer.fit_loop.epoch_progress.current
    return (
        (epochs is not None and 0 <= epochs <= progress.processed)
        or 0 <= steps <= trainer.global_step
        or trainer.should_stop
    )


def _is_training(trainer: Trainer) -> bool:
    """Whether this is a training that writes files."""
    return (
        trainer.state.fn == TrainerFn.FITTING
        and not trainer.sanity_checking
        and not getattr(trainer, "fast_dev_run", False)
    )
