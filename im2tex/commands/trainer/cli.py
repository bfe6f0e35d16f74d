"""`im2tex fit`, `validate`, `test` and `predict`: LightningCLI, with layers and checkpoints."""

from __future__ import annotations

import inspect
import json
import logging
import math
import os
import signal
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.multiprocessing.spawn import ProcessException

from im2tex.commands.trainer.checkpoints import (
    checkpoint_layer,
    refuse_conflicts,
    resolve,
    stored_layer,
)
from im2tex.commands.trainer.config_layers import (
    CHOICES,
    Layer,
    drop_stale,
    effective,
    split_layers,
)
from im2tex.commands.trainer.environment import wrong_variables, wrong_world
from im2tex.commands.trainer.error_messages import of_files, of_parser, of_processes, of_restoring
from im2tex.commands.trainer.wandb import own_run, place
from im2tex.data.datamodule import FormulaDataModule
from im2tex.errors import Im2TexError
from im2tex.model.checkpoint import read_checkpoint
from im2tex.model.checkpoint_contents import limited, require_fit
from im2tex.model.folders import is_model_folder
from im2tex.model.initialization import require_init_from
from im2tex.model.pretrained import StoredModel, read_stored
from im2tex.training.callbacks import (
    EMA,
    ConsoleLogger,
    LogLearningRate,
    SaveRunConfig,
    TerminalProgressBar,
    ValidationImages,
)
from im2tex.training.callbacks.best_and_last_checkpoint import BestAndLastCheckpoint
from im2tex.training.callbacks.predictions import WritePredictions
from im2tex.training.callbacks.reserved_folder import reserve_version_folder
from im2tex.training.callbacks.run_summary import RunSummary
from im2tex.training.callbacks.stop_at_nan import StopAtNaN
from im2tex.training.callbacks.stop_at_signal import StopAtSignal, resume_advice
from im2tex.training.callbacks.test_report import TestReport
from im2tex.training.callbacks.validate_resume_state import ValidateResumeState
from im2tex.training.checkpoint_io import AtomicCheckpointIO
from im2tex.training.module import GRADIENT_CLIPPING_ERROR, Im2Tex
from im2tex.utils.stopping import (
    STOP_REQUEST,
    StoppedBySignal,
    started_by_lightning,
    wait_for_launcher_exit,
)

RUNS = "runs"


def run(arguments: Sequence[str]) -> None:
    """Runs one of LightningCLI's commands.

    Args:
        arguments: the subcommand and what follows it.

    Raises:
        Im2TexError: for anything a person can put right.
    """
    subcommand, given = arguments[0], list(arguments[1:])
    layers = split_layers(given)
    checkpoint = stored = None
    path = effective(layers, "ckpt_path")
    if path in (None, "null", ""):
        path = None
    elif is_model_folder(str(path)):
        stored = _stored(subcommand, str(path), layers)
        layers.insert(0, stored_layer(stored))
    else:
        path = resolve(str(path), str(effective(layers, "trainer.default_root_dir") or RUNS))
        checkpoint = read_checkpoint(path)
        layers.insert(0, checkpoint_layer(checkpoint))
    with tempfile.TemporaryDirectory() as folder:
        for number, layer in enumerate(layers):
            if layer.content is not None:
                file = Path(folder) / f"{number}.json"
                file.write_text(json.dumps(layer.content), encoding="utf-8")
                layer.arguments += ["--config", str(file)]
        listed = drop_stale(layers, _defaults())
        if checkpoint is not None:
            listed.append(f"--ckpt_path={path}")
        elif stored is not None:
            listed.append("--ckpt_path=null")  # its weights are loaded with the model
        _warnings()
        try:
            with STOP_REQUEST.listening(), own_run():
                FormulaCLI(subcommand, listed, checkpoint, stored)
        except BaseException as error:
            if started_by_lightning():
                wait_for_launcher_exit()
            told = _told(error, subcommand) or of_restoring(error, path)
            if told is None:
                raise
            raise told from error


def _told(error: BaseException, subcommand: str) -> Exception | None:
    """What to raise instead of what ended a command; None for what nobody foresaw."""
    passed_on = of_processes(error) if isinstance(error, RuntimeError | ProcessException) else error
    if isinstance(passed_on, StoppedBySignal) or STOP_REQUEST.signum is not None:
        message = (
            str(passed_on) if isinstance(passed_on, StoppedBySignal) else STOP_REQUEST.advice()
        )
        first = getattr(rank_zero_only, "rank", 0) == 0
        return StoppedBySignal(message if first else "", STOP_REQUEST.signum or signal.SIGTERM)
    if isinstance(error, ArgumentError):
        return Im2TexError(of_parser(error, subcommand))
    if isinstance(error, MisconfigurationException):
        return Im2TexError(" ".join(str(error).split()))
    if isinstance(error, OSError):
        said = of_files(error)
        return None if said is None else Im2TexError(said)
    return passed_on if isinstance(passed_on, Exception) and passed_on is not error else None


def _stored(subcommand: str, path: str, layers: Sequence[Layer]) -> StoredModel:
    """A model folder or packaged model to validate, test or predict with.

    Raises:
        Im2TexError: for `fit`, or if it is not known what data to use.
    """
    if subcommand == "fit":
        raise Im2TexError(
            f"im2tex fit resumes from a checkpoint, and {path} holds weights only: pass "
            f"--model.init_from {path} to start a new fit from them."
        )
    stored = read_stored(path)
    if not stored.data and effective(layers, "data.source") is None:
        raise Im2TexError(
            f"{path} does not say what data it was trained with: pass --data.source, such as "
            "crohme."
        )
    return stored


class FormulaCLI(LightningCLI):
    """LightningCLI over `Im2Tex` and `FormulaDataModule`.

    Args:
        subcommand: `fit`, `validate`, `test` or `predict`.
        arguments: what follows it, layered.
        checkpoint: the loaded checkpoint that `--ckpt_path` names.
        stored: the model folder that it names instead.
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
        """As given; LightningCLI itself warns of arguments that are not the process's own."""
        self.config = parser.parse_args(args)

    def _parse_ckpt_path(self) -> None:
        """Nothing: the checkpoint's settings came as the first layer, so that flags win."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the callbacks that every run has, each with a group of settings."""
        parser.add_lightning_class_args(BestAndLastCheckpoint, "checkpoint")
        parser.add_argument(
            "--ema",
            type=float,
            default=0.0,
            help="decay of the moving average of the weights used in validation; 0 for none",
        )
        parser.add_argument(
            "--stop_at_nan",
            type=bool,
            default=True,
            help="whether a fit ends once its loss is NaN or infinite; false goes on",
        )
        parser.add_lightning_class_args(TestReport, "report")
        parser.add_lightning_class_args(WritePredictions, "predictions")

    def instantiate_classes(self) -> None:
        """Builds model, data and trainer; a loaded model gets its checkpoint's vocabulary."""
        settings = self.config[self.subcommand]
        trained: Mapping[str, Any] | None = None
        state: Mapping[str, Tensor] = {}
        if self.checkpoint is not None:
            trained, state = self.checkpoint["hyper_parameters"], self.checkpoint["state_dict"]
        elif self.stored is not None:
            trained, state = self.stored.settings, self.stored.state
        if trained is not None:
            refuse_conflicts(settings.model, trained, going_on=self.subcommand == "fit")
            # So that it is built as one that has weights, whatever else its settings say.
            given, settings.model.vocabulary = settings.model.vocabulary, trained["vocabulary"]
        place(settings.trainer.get("logger"), settings.trainer.get("default_root_dir") or RUNS)
        if trained is None:
            super().instantiate_classes()
        else:
            with limited(state):
                super().instantiate_classes()
            if self.stored is not None:
                self.model.recognizer.load_stored_weights(self.stored)
                self.model.loaded_from = str(self.stored.path)
            else:
                require_fit(self.model.state_dict(), state, str(settings.ckpt_path))
            self.model.init_from = None  # for a fresh fit only
            settings.model.vocabulary = given  # a run's configuration holds none

    def before_fit(self) -> None:
        """Refuses now what would be refused once the data are read."""
        if self.trainer.gradient_clip_val is not None:
            raise Im2TexError(GRADIENT_CLIPPING_ERROR)
        if self.trainer.max_epochs == -1 and self.trainer.max_steps == -1:
            unused = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
            self.model.schedule.build(unused, math.inf)  # not every schedule can do without an end
        if self.model.init_from:
            require_init_from(self.model.init_from)

    def before_test(self) -> None:
        """Turns Lightning's own table off: `TestReport` prints one that can be read."""
        self.config_init["test"]["verbose"] = False

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer, with a CSV log in the run's own folder unless another logger is chosen."""
        settings = self.config_init[self.subcommand]
        trainer = settings.trainer
        if trainer.get("logger") in (None, True):
            kwargs["logger"] = CSVLogger(trainer.get("default_root_dir") or RUNS, name="")
        kwargs["callbacks"] = [*_listed(trainer.get("callbacks")), *_callbacks(settings)]
        kwargs["plugins"] = [*_listed(trainer.get("plugins")), AtomicCheckpointIO()]
        if trainer.get("enable_model_summary") is None:
            kwargs["enable_model_summary"] = False  # the run summary says more in fewer lines
        problem = wrong_variables()
        if problem is not None:
            raise Im2TexError(problem)
        try:
            made = super().instantiate_trainer(**kwargs)
        except ValueError as error:  # of a strategy, a precision, ... that there is not
            raise Im2TexError(" ".join(str(error).split())) from error
        problem = wrong_world(made.world_size)
        if problem is not None:
            raise Im2TexError(problem)
        for logger in made.loggers:
            reserve_version_folder(logger)
        STOP_REQUEST.advice = partial(resume_advice, made)
        launcher = made.strategy.launcher
        if isinstance(launcher, _MultiProcessingLauncher):
            STOP_REQUEST.pass_on = partial(_pass_on, launcher)
        return made

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        """Removes `BestAndLastCheckpoint` if `enable_checkpointing` is false, as Lightning asks."""
        if config.get("enable_checkpointing") is False:
            callbacks = [one for one in callbacks if not isinstance(one, BestAndLastCheckpoint)]
        return super()._instantiate_trainer(config, callbacks)


def _pass_on(launcher: _MultiProcessingLauncher, signum: int) -> bool:
    """Sends a signal to the processes of a run; false if there are none."""
    alive = [one.pid for one in launcher.procs if one.is_alive() and one.pid is not None]
    for pid in alive:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
    return bool(alive)


def _listed(value: Any) -> list[Any]:
    """What Lightning takes as one, a list, or none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _callbacks(settings: Any) -> list[Callback]:
    """Those that every run has; our progress bar unless there is to be none, or another one."""
    trainer = settings.trainer
    callbacks: list[Callback] = [
        ConsoleLogger(),
        LogLearningRate(),
        RunSummary(),
        ValidationImages(),
    ]
    callbacks += [StopAtSignal(), ValidateResumeState()]
    if settings.get("stop_at_nan", True):
        callbacks.append(StopAtNaN())
    others = any(isinstance(one, ProgressBar) for one in _listed(trainer.get("callbacks")))
    if trainer.get("enable_progress_bar") is not False and not others:
        callbacks.insert(0, TerminalProgressBar())
    if settings.ema:
        try:
            callbacks.append(EMA(settings.ema))
        except ValueError as error:
            raise Im2TexError(f"--ema {settings.ema}: {error}") from error
    return callbacks


def _defaults() -> dict[str, Any]:
    """The component names that hold where nothing says otherwise."""
    known = {
        f"{group}.{name}": parameter.default
        for group, cls in (("model", Im2Tex), ("data", FormulaDataModule))
        for name, parameter in inspect.signature(cls).parameters.items()
    }
    return {name: known[name] for name in CHOICES}


def _warnings() -> None:
    """Silences what Lightning says of things that are as they should be, and advertisements."""
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_needed)
    for message in (
        ".*does not have many workers.*",
        ".*Precision .* is not supported by the model summary.*",
        ".*isinstance\\(treespec, LeafSpec\\).*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*smaller than the logging interval.*",
        ".*callbacks used to create the checkpoint need to be provided.*",
        ".*sync_dist=True.*",  # the scores are summed over the ranks before they are logged
    ):
        warnings.filterwarnings("ignore", message=message)


def _needed(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(
        ("💡", "TPU available", "\nDetected KeyboardInterrupt", "Detected KeyboardInterrupt")
    )
