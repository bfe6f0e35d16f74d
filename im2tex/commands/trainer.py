"""`im2tex fit`, `validate`, `test` and `predict`: LightningCLI, with layers and checkpoints."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger
from lightning.fabric.utilities.exceptions import MisconfigurationException

from im2tex.callbacks import EMA, LogLine, Progress, SaveRunConfig, ValidationPictures
from im2tex.callbacks.predictions import WritePredictions
from im2tex.callbacks.run_summary import RunSummary
from im2tex.callbacks.test_report import TestReport
from im2tex.checkpoint import load
from im2tex.commands.layers import Layer, drop_stale, effective, flatten, split_layers
from im2tex.data.datamodule import FormulaDataModule
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import Vocabulary
from im2tex.module import Im2Tex

RUNS = "runs"
_ARCHITECTURE = ("encoder", "attention", "decoder")
_FORGOTTEN = ("vocabulary",)  # hyper-parameters that do not travel through a configuration


def run(arguments: Sequence[str]) -> None:
    """Runs one of LightningCLI's commands.

    Args:
        arguments: the subcommand and what follows it.

    Raises:
        Im2TexError: for anything a person can put right.
    """
    subcommand, given = arguments[0], list(arguments[1:])
    layers = split_layers(given)
    checkpoint = None
    path = effective(layers, "ckpt_path")
    if path in (None, "null", ""):
        path = None
    else:
        path = _resolve(str(path), layers)
        checkpoint = load(path)
        layers.insert(0, _checkpoint_layer(checkpoint))
    listed = drop_stale(layers)
    with tempfile.TemporaryDirectory() as folder:
        if checkpoint is not None:
            first = Path(folder) / "checkpoint.json"
            first.write_text(json.dumps(layers[0].values["settings"]), encoding="utf-8")
            listed = ["--config", str(first), *listed, f"--ckpt_path={path}"]
        _warnings()
        try:
            FormulaCLI(subcommand, listed, checkpoint)
        except ArgumentError as error:
            raise Im2TexError(f"{error}. See `im2tex {subcommand} --help`.") from error
        except MisconfigurationException as error:
            raise Im2TexError(str(error)) from error
        except RuntimeError as error:
            inner = _from_worker(error)
            if inner is None:
                raise
            raise Im2TexError(inner) from error


class FormulaCLI(LightningCLI):
    """LightningCLI over `Im2Tex` and `FormulaDataModule`.

    Args:
        subcommand: `fit`, `validate`, `test` or `predict`.
        arguments: what follows it, layered.
        checkpoint: the loaded checkpoint that `--ckpt_path` names.
    """

    def __init__(
        self, subcommand: str, arguments: list[str], checkpoint: Mapping[str, Any] | None
    ) -> None:
        self.checkpoint = checkpoint
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
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val/perplexity",
                "checkpoint.mode": "min",
                "checkpoint.filename": "best",
                "checkpoint.save_last": True,
                "checkpoint.auto_insert_metric_name": False,
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.add_argument(
            "--ema",
            type=float,
            default=0.0,
            help="decay of the moving average of the weights used in validation; 0 for none",
        )
        parser.add_lightning_class_args(TestReport, "report")
        parser.add_lightning_class_args(WritePredictions, "predictions")

    def instantiate_classes(self) -> None:
        """Builds model, data and trainer; a loaded model gets its checkpoint's vocabulary."""
        settings = self.config[self.subcommand]
        if self.checkpoint is not None:
            _refuse_conflicts(settings.model, self.checkpoint["hyper_parameters"])
        super().instantiate_classes()
        if self.checkpoint is not None:
            self.model.bind(Vocabulary(self.checkpoint["hyper_parameters"]["vocabulary"]))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer, with a CSV log in the run's own folder unless another logger is chosen."""
        settings = self.config_init[self.subcommand]
        trainer = settings.trainer
        if trainer.get("logger") in (None, True):
            kwargs["logger"] = CSVLogger(trainer.get("default_root_dir") or RUNS, name="")
        kwargs["callbacks"] = [*(trainer.get("callbacks") or []), *_callbacks(settings)]
        if trainer.get("enable_model_summary") is None:
            kwargs["enable_model_summary"] = False  # the run summary says more in fewer lines
        return super().instantiate_trainer(**kwargs)


def _callbacks(settings: Any) -> list[Callback]:
    callbacks: list[Callback] = [Progress(), LogLine(), RunSummary(), ValidationPictures()]
    if settings.ema:
        callbacks.append(EMA(settings.ema))
    return callbacks


def _resolve(path: str, layers: Sequence[Layer]) -> str:
    """A checkpoint's path; `last` is the newest `last.ckpt` below the folder of runs.

    Raises:
        Im2TexError: if there is none.
    """
    if path != "last":
        return path
    root = Path(str(effective(layers, "trainer.default_root_dir") or RUNS))
    found = sorted(root.glob("**/checkpoints/last.ckpt"), key=lambda file: file.stat().st_mtime)
    if not found:
        raise Im2TexError(
            f"--ckpt_path last: there is no checkpoints/last.ckpt below {root}. Give the path of "
            "a checkpoint, or set --trainer.default_root_dir to the folder of the run."
        )
    return str(found[-1])


def _checkpoint_layer(checkpoint: Mapping[str, Any]) -> Layer:
    """A checkpoint's model and data settings as a layer."""
    model = checkpoint["hyper_parameters"]
    settings = {
        "model": {name: value for name, value in model.items() if name not in _FORGOTTEN},
        "data": dict(checkpoint.get("datamodule_hyper_parameters", {})),
    }
    values = flatten(settings)
    values["settings"] = settings
    return Layer([], values)


def _refuse_conflicts(asked: Any, trained: Mapping[str, Any]) -> None:
    """A checkpoint's weights fit its own architecture only.

    Raises:
        Im2TexError: if a setting asks for another one.
    """
    for part in _ARCHITECTURE:
        for name in (part, f"{part}_args"):
            wanted, known = asked.get(name), trained.get(name)
            if (wanted or None) != (known or None):
                raise Im2TexError(
                    f"model.{name} is {wanted!r}, but the checkpoint was trained with {known!r}. "
                    "The architecture comes from the checkpoint: leave the setting out, or use "
                    "model.init_from to start another model from its weights."
                )


def _from_worker(error: RuntimeError) -> str | None:
    """The message of our own error, where a loader process passed it on within a traceback."""
    mark = "im2tex.errors.Im2TexError: "
    text = str(error)
    return text.rsplit(mark, 1)[1].strip() if mark in text else None


def _warnings() -> None:
    """Silences what Lightning says of things that are as they should be."""
    for message in (
        ".*does not have many workers.*",
        ".*Precision .* is not supported by the model summary.*",
        ".*isinstance\\(treespec, LeafSpec\\).*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*smaller than the logging interval.*",
    ):
        warnings.filterwarnings("ignore", message=message)
