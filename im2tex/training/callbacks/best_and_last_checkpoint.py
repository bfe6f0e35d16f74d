"""Checkpoints of a run: the best by a score of its validations, and the last."""

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
from torch import Tensor

from im2tex.errors import Im2TexError
from im2tex.model.checkpoint import ENDED
from im2tex.training.callbacks.stop_at_nan import require_finite
from im2tex.training.callbacks.stop_at_signal import is_stop_agreed, is_validation_due


class BestAndLastCheckpoint(ModelCheckpoint):
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
        self._ended = False
        self._from: Path | None = None  # folder of the checkpoint that the fit goes on from

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Writes `last.ckpt` when it is time, unless a validation comes first."""
        due = bool(self.steps) and trainer.global_step % self.steps == 0
        if not (due or is_stop_agreed(trainer)):
            return
        if trainer.is_last_batch or is_validation_due(trainer, batch_idx):
            return
        if _training(trainer) and trainer.global_step != self._last_global_step_saved:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes `best.ckpt` if this validation's score is the best so far."""
        if not _training(trainer):
            return
        self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))
        if (self.steps or is_stop_agreed(trainer)) and not trainer.is_last_batch:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Writes `last.ckpt`."""
        if _training(trainer):
            self._ended = _at_its_end(trainer)
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing: the last epoch's end has written it."""

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        """Writes nothing that is broken."""
        require_finite(trainer)
        super()._save_checkpoint(trainer, filepath)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Says whether the fit came to its end, for whoever goes on from it or waits for it."""
        checkpoint[ENDED] = self._ended

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Notes where the checkpoint lies, which the best one lies beside."""
        self._from = Path(str(trainer.ckpt_path)).parent

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remembers the best so far, whatever folder it is in.

        A run whose folder was moved has its best checkpoint where it was, seen from the one that
        the fit goes on from.

        Raises:
            Im2TexError: if the state is none.
        """
        state = _checked(state_dict)
        before = state["dirpath"]
        names = {name: self._moved(name, before) for name in state["best_k_models"]}
        for key in ("best_model_path", "kth_best_model_path", "last_model_path"):
            state[key] = self._moved(state[key], before)
        state["best_k_models"] = {names[name]: one for name, one in state["best_k_models"].items()}
        super().load_state_dict({**state, "dirpath": self.dirpath})
        best = self.best_model_path
        if best and not Path(best).is_file():
            rank_zero_warn(
                f"the best checkpoint so far, {best}, is not there. Until a validation is better "
                "than it was, this run has no best.ckpt: put it there, or start a new fit."
            )

    def _moved(self, path: str, before: str | None) -> str:
        """Where a file lies that lay at `path` when the run's checkpoints lay in `before`."""
        if not path or not before or self._from is None or Path(path).is_file():
            return path
        places = [self._from / os.path.relpath(path, before), self._from / Path(path).name]
        return next((os.path.normpath(one) for one in places if one.is_file()), path)


def _checked(state: dict[str, Any]) -> dict[str, Any]:
    """The state with what Lightning would miss.

    Raises:
        Im2TexError: for a value of another type.
    """
    kinds: dict[str, tuple[type, ...]] = {
        "best_model_score": (Tensor, type(None)),
        "best_model_path": (str,),
        "kth_best_model_path": (str,),
        "kth_value": (Tensor,),
        "best_k_models": (dict,),
        "last_model_path": (str,),
        "dirpath": (str, type(None)),
    }
    empty: dict[str, Any] = {
        "best_model_score": None,
        "kth_value": torch.tensor(math.inf),
        "best_k_models": {},
        "dirpath": None,
    }
    found = {name: state.get(name, empty.get(name, "")) for name in kinds}
    good = all(isinstance(found[name], kind) for name, kind in kinds.items())
    scores = [*found["best_k_models"].values()] if good else []
    scores += [one for one in (found["best_model_score"], found["kth_value"]) if one is not None]
    good = good and all(isinstance(one, Tensor) and one.ndim == 0 for one in scores)
    if not good or not all(isinstance(name, str) for name in found["best_k_models"]):
        raise Im2TexError(
            "the checkpoint's record of the best so far is damaged: go on from another one, or "
            "start a fit from its weights with --model.init_from."
        )
    return found


def _at_its_end(trainer: Trainer) -> bool:
    """Whether the epoch that ends now is the fit's last one."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    progress: Any = trainer.fit_loop.epoch_progress.current
    return (
        (epochs is not None and 0 <= epochs <= progress.processed)
        or 0 <= steps <= trainer.global_step
        or trainer.should_stop
    )


def _training(trainer: Trainer) -> bool:
    """Whether this is a training whose results are kept."""
    return (
        trainer.state.fn == TrainerFn.FITTING
        and not trainer.sanity_checking
        and not getattr(trainer, "fast_dev_run", False)
    )
