"""`BaseModule`: the hooks of `Im2Tex` for checkpoints, optimiser and schedule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from im2tex.errors import Im2TexError
from im2tex.model.checkpoint import (
    TRAINING_DATA,
    add_format_version,
    migrate,
    read_checkpoint,
)
from im2tex.model.checkpoint_contents import rebuild
from im2tex.model.migration import PREFIX
from im2tex.model.predictor import Predictor
from im2tex.model.pretrained import read_stored, source_of
from im2tex.model.recognizer import Recognizer
from im2tex.training.optim import OptimizerFactory, SchedulerFactory

GRADIENT_CLIPPING_ERROR = "set model.clip_norm, not trainer.gradient_clip_val."
"""The error for Lightning's own option of gradient clipping."""


class BaseModule(LightningModule):
    """Checkpoints of all formats, model folders, optimiser and schedule.

    Hooks of Lightning that are implemented: `on_save_checkpoint`, `on_load_checkpoint`,
    `configure_optimizers`, `lr_scheduler_step` and `configure_gradient_clipping`.

    Attributes:
        optimizer: builds the optimiser.
        schedule: builds the learning-rate schedule.
        clip_norm: largest gradient norm; 0 disables clipping.
        recognizer: the model without Lightning.
    """

    optimizer: OptimizerFactory
    schedule: SchedulerFactory
    clip_norm: float
    recognizer: Recognizer

    @property
    def predictor(self) -> Predictor:
        """The model, or its ensemble, for prediction."""
        raise NotImplementedError

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the format version and the training data."""
        add_format_version(checkpoint)
        checkpoint[TRAINING_DATA] = list(self.recognizer.training_data)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Migrates checkpoints of older formats, and restores the training data."""
        migrate(checkpoint, "the checkpoint")
        self._restore_training_data(checkpoint)

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """Loads a model from a checkpoint of any known format.

        It replaces Lightning's method, which reads the hyper-parameters before a hook can migrate
        them.

        Args:
            checkpoint_path: path of the file.
            map_location: device of the model; the CPU if not given.
            hparams_file: must be None.
            strict: whether the names of weights must match exactly; true if not given.
            weights_only: ignored; no code of the file is run.
            **kwargs: arguments that replace the stored hyper-parameters.

        Raises:
            Im2TexError: if the file is missing, damaged, or not written by im2tex.
        """
        if hparams_file is not None:
            raise Im2TexError("hparams_file: pass settings as keyword arguments instead.")
        content = read_checkpoint(checkpoint_path)
        settings, state = content["hyper_parameters"], content["state_dict"]
        model = rebuild(cls, settings, state, str(checkpoint_path), strict is not False, kwargs)
        model._restore_training_data(content)
        return model if map_location is None else model.to(map_location)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path) -> Self:
        """Loads a trained model, with the ensemble and scales it was exported with.

        Example:
            >>> Im2Tex.from_pretrained("handwritten_small").transcribe("photo.png")[0].latex

        Args:
            name_or_path: name of a packaged model, or a folder written by `im2tex export`.

        Returns:
            The model in eval mode.

        Raises:
            Im2TexError: if there is no such model, or one of its files cannot be read.
        """
        stored = read_stored(name_or_path)
        state = {PREFIX + name: value for name, value in stored.state.items()}
        ensemble = {"ensemble": list(stored.members), "tta_scales": list(stored.scales)}
        model = rebuild(cls, stored.settings, state, str(stored.path), overrides=ensemble).eval()
        model.recognizer.training_data = stored.training_data
        return model

    def save_pretrained(self, folder: str | Path) -> int:
        """Writes settings and half-precision weights for `from_pretrained`.

        Returns:
            The size of all weights in bytes.

        Raises:
            Im2TexError: if a weight exceeds half precision, or the folder cannot be written.
        """
        return self.predictor.save_pretrained(folder)

    def _restore_training_data(self, checkpoint: Mapping[str, Any]) -> None:
        known = checkpoint.get(TRAINING_DATA)
        data = checkpoint.get("datamodule_hyper_parameters", {})
        self.recognizer.training_data = known or source_of(data)

    def configure_optimizers(self) -> Any:
        """Builds the optimiser and the learning-rate schedule."""
        optimizer = self.optimizer.build(self)
        total = float(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": self.schedule.build(optimizer, total)}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Steps a schedule, except `ReduceLROnPlateau`.

        Lightning would step that one after the checkpoint of the validation is written, so that a
        resumed run lacks the step, and also in epochs without a validation. See
        `step_plateau_schedules`.
        """
        if metric is None:
            super().lr_scheduler_step(scheduler, metric)

    def step_plateau_schedules(self, metric: Tensor) -> None:
        """Steps `ReduceLROnPlateau` schedules at the end of a validation in a fit."""
        if self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            for config in self.trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, ReduceLROnPlateau):
                    config.scheduler.step(metric)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the gradient norm to `clip_norm`; logs the norm before clipping and the rate."""
        if gradient_clip_val is not None:
            raise Im2TexError(GRADIENT_CLIPPING_ERROR)
        norm = nn.utils.clip_grad_norm_(self.parameters(), self.clip_norm or float("inf"))
        self.log("train/grad_norm", norm)
        self.log("train/lr", optimizer.param_groups[0]["lr"])
