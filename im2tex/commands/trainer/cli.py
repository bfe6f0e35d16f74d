"""LightningCLI over `Im2Tex` and `FormulaDataModule`."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Literal

import torch
from lightning.fabric.plugins.precision.precision import _PRECISION_INPUT
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher
from torch import Tensor

from im2tex.commands.trainer.checkpoint_settings import check_conflicts
from im2tex.commands.trainer.environment import check_launcher_variables, check_world_size
from im2tex.commands.trainer.wandb import set_save_dir
from im2tex.data.datamodule import FormulaDataModule
from im2tex.errors import Im2TexError
from im2tex.model.checkpoint_contents import limit_allocations, require_fit
from im2tex.model.initialization import require_init_from
from im2tex.model.pretrained import StoredModel
from im2tex.training.base_module import GRADIENT_CLIPPING_ERROR
from im2tex.training.callbacks import (
    EMA,
    ConsoleLogger,
    SaveRunConfig,
    TerminalProgressBar,
    ValidationImages,
)
from im2tex.training.callbacks.best_and_last_checkpoint import BestAndLastCheckpoint
from im2tex.training.callbacks.predictions import WritePredictions
from im2tex.training.callbacks.run_folder import reserve_version_folder
from im2tex.training.callbacks.run_summary import RunSummary
from im2tex.training.callbacks.stop_at_nan import StopAtNaN
from im2tex.training.callbacks.stop_at_signal import StopAtSignal, resume_advice
from im2tex.training.callbacks.test_report import TestReport
from im2tex.training.callbacks.validate_resume_state import ValidateResumeState
from im2tex.training.checkpoint_io import AtomicCheckpointIO
from im2tex.training.module import Im2Tex
from im2tex.training.precision import AUTO, resolve_precision
from im2tex.utils.stopping import STOP_REQUEST

RUNS = "runs"
"""The default folder of runs."""


class AutoPrecisionTrainer(Trainer):
    """Lightning's Trainer, for which a configuration may set `precision: auto`.

    Args:
        precision: `auto`, the default, or a precision of Lightning; see `resolve_precision`.
        **arguments: the other arguments of the Trainer.
    """

    def __init__(
        self, *, precision: Literal["auto"] | _PRECISION_INPUT | None = "auto", **arguments: Any
    ) -> None:
        resolved: Any = precision  # `FormulaCLI` replaces auto
        super().__init__(precision=resolved, **arguments)


class FormulaCLI(LightningCLI):
    """LightningCLI over `Im2Tex` and `FormulaDataModule`.

    Args:
        subcommand: `fit`, `validate`, `test` or `predict`.
        arguments: its arguments, with those of all layers.
        checkpoint: the content of the checkpoint that `--ckpt_path` names.
        stored: the model folder that `--ckpt_path` names instead.
    """

    def __init__(
        self,
        subcommand: str,
        arguments: list[str],
        checkpoint: Mapping[str, Any] | None = None,
        stored: StoredModel | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.stored = stored
        super().__init__(
            Im2Tex,
            FormulaDataModule,
            save_config_callback=SaveRunConfig,
            trainer_class=AutoPrecisionTrainer,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={
                name: {"exit_on_error": False} for name in ("fit", "validate", "test", "predict")
            }
            | {"exit_on_error": False, "prog": "im2tex"},
            args=[subcommand, *arguments],
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses `args` and resolves `trainer.precision: auto`, so that the result is saved.

        LightningCLI's own method warns if the arguments are not those of the process.
        """
        self.config = parser.parse_args(args)
        trainer = self.config[self.config.subcommand].trainer
        if trainer.precision == AUTO and "Precision" in str(trainer.plugins):
            trainer.precision = None  # a plugin sets it
        else:
            trainer.precision = resolve_precision(
                trainer.precision,
                accelerator=str(trainer.accelerator),
                devices=trainer.devices,
                training=self.config.subcommand == "fit",
            )

    def _parse_ckpt_path(self) -> None:
        """Does nothing: the settings of a checkpoint are the first layer."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the settings of the callbacks that every run has."""
        parser.add_lightning_class_args(BestAndLastCheckpoint, "checkpoint")
        parser.add_argument(
            "--ema",
            type=float,
            default=0.0,
            help="decay of the moving average of the weights, used in validation; 0 disables it",
        )
        parser.add_argument(
            "--stop_at_nan",
            type=bool,
            default=True,
            help="whether to end a fit when its loss is NaN or infinite",
        )
        parser.add_lightning_class_args(TestReport, "report")
        parser.add_lightning_class_args(WritePredictions, "predictions")

    def instantiate_classes(self) -> None:
        """Builds model, data and trainer, and loads the weights that `--ckpt_path` names."""
        settings = self.config[self.subcommand]
        trained: Mapping[str, Any] | None = None
        state: Mapping[str, Tensor] = {}
        if self.checkpoint is not None:
            trained, state = self.checkpoint["hyper_parameters"], self.checkpoint["state_dict"]
        elif self.stored is not None:
            trained, state = self.stored.settings, self.stored.state
        if trained is not None:
            check_conflicts(settings.model, trained, resume=self.subcommand == "fit")
            # With a vocabulary, the model is built with all its parameters.
            configured, settings.model.vocabulary = settings.model.vocabulary, trained["vocabulary"]
        set_save_dir(
            settings.trainer.get("logger"), settings.trainer.get("default_root_dir") or RUNS
        )
        if trained is None:
            super().instantiate_classes()
        else:
            with limit_allocations(state):
                super().instantiate_classes()
            if self.stored is not None:
                self.model.recognizer.load_stored_weights(self.stored)
                self.model.loaded_from = str(self.stored.path)
            else:
                require_fit(self.model.state_dict(), state, str(settings.ckpt_path))
            self.model.init_from = None  # holds for a new fit only
            settings.model.vocabulary = configured  # the saved configuration has none

    def before_fit(self) -> None:
        """Fails early on settings that would fail after data loading."""
        if self.trainer.gradient_clip_val is not None:
            raise Im2TexError(GRADIENT_CLIPPING_ERROR)
        if self.trainer.max_epochs == -1 and self.trainer.max_steps == -1:
            unused = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
            self.model.schedule.build(unused, math.inf)  # some schedules need an end
        if self.model.init_from:
            require_init_from(self.model.init_from)

    def before_test(self) -> None:
        """Disables Lightning's table of results; `TestReport` prints another."""
        self.config_init["test"]["verbose"] = False

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the trainer, with the default callbacks, and a CSV log if no logger is chosen."""
        settings = self.config_init[self.subcommand]
        trainer = settings.trainer
        if trainer.get("logger") in (None, True):
            kwargs["logger"] = CSVLogger(trainer.get("default_root_dir") or RUNS, name="")
        kwargs["callbacks"] = [*_as_list(trainer.get("callbacks")), *default_callbacks(settings)]
        kwargs["plugins"] = [*_as_list(trainer.get("plugins")), AtomicCheckpointIO()]
        if trainer.get("enable_model_summary") is None:
            kwargs["enable_model_summary"] = False  # RunSummary replaces it
        check_launcher_variables()
        try:
            built = super().instantiate_trainer(**kwargs)
        except ValueError as error:  # an unknown strategy, precision, ...
            raise Im2TexError(" ".join(str(error).split())) from error
        check_world_size(built.world_size)
        for logger in built.loggers:
            reserve_version_folder(logger)
        STOP_REQUEST.advice = partial(resume_advice, built)
        launcher = built.strategy.launcher
        if isinstance(launcher, _MultiProcessingLauncher):
            STOP_REQUEST.pass_on = partial(_send_signal, launcher)
        return built

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        """Removes `BestAndLastCheckpoint` if `enable_checkpointing` is false, as Lightning asks."""
        if config.get("enable_checkpointing") is False:
            callbacks = [call for call in callbacks if not isinstance(call, BestAndLastCheckpoint)]
        return super()._instantiate_trainer(config, callbacks)


def _send_signal(launcher: _MultiProcessingLauncher, signum: int) -> bool:
    """Sends a signal to the processes of a run; returns whether there are any."""
    alive = [p.pid for p in launcher.procs if p.is_alive() and p.pid is not None]
    for pid in alive:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
    return bool(alive)


def _as_list(value: Any) -> list[Any]:
    """A setting that may be one object, a list, or None, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def default_callbacks(settings: Any) -> list[Callback]:
    """The callbacks of every run, besides those of `add_arguments_to_parser`."""
    trainer = settings.trainer
    callbacks: list[Callback] = [
        ConsoleLogger(),
        RunSummary(),
        ValidationImages(),
        StopAtSignal(),
        ValidateResumeState(),
    ]
    if settings.get("stop_at_nan", True):
        callbacks.append(StopAtNaN())
    other_bar = any(isinstance(other, ProgressBar) for other in _as_list(trainer.get("callbacks")))
    if trainer.get("enable_progress_bar") is not False and not other_bar:
        callbacks.insert(0, TerminalProgressBar())
    if settings.ema:
        try:
            callbacks.append(EMA(settings.ema))
        except ValueError as error:
            raise Im2TexError(f"--ema {settings.ema}: {error}") from error
    return callbacks
