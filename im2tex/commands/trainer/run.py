"""`im2tex fit`, `validate`, `test` and `predict`: layers of settings in, one-line errors out."""

from __future__ import annotations

import inspect
import json
import logging
import signal
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities import rank_zero_only
from torch.multiprocessing.spawn import ProcessException

from im2tex.commands.trainer.checkpoint_settings import (
    checkpoint_layer,
    find_checkpoint,
    model_folder_layer,
)
from im2tex.commands.trainer.cli import RUNS, FormulaCLI
from im2tex.commands.trainer.config_layers import (
    COMPONENT_ARGUMENTS,
    ConfigLayer,
    last_value,
    reset_replaced_arguments,
    split_layers,
    use_current_arguments,
)
from im2tex.commands.trainer.error_messages import (
    explain_os_error,
    explain_parser_error,
    explain_restore_error,
    explain_worker_error,
)
from im2tex.commands.trainer.wandb import wandb_run_scope
from im2tex.data.datamodule import FormulaDataModule
from im2tex.errors import Im2TexError
from im2tex.model.checkpoint import read_checkpoint
from im2tex.model.folders import is_model_folder
from im2tex.model.pretrained import StoredModel, read_stored
from im2tex.training.module import Im2Tex
from im2tex.utils.stopping import (
    STOP_REQUEST,
    StoppedBySignal,
    started_by_lightning,
    wait_for_launcher_exit,
)

_PACKAGE = Path(__file__).parents[2]
_FORMAT_WARNING = warnings.formatwarning

# Warnings of Lightning without a problem, and advertisements.
_IGNORED_WARNINGS = (
    ".*does not have many workers.*",
    ".*Precision .* is not supported by the model summary.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*smaller than the logging interval.*",
    ".*callbacks used to create the checkpoint need to be provided.*",
    ".*sync_dist=True.*",  # the scores are summed over the ranks before they are logged
)
_IGNORED_LOG_LINES = (
    *("💡", "TPU available"),
    *("\nDetected KeyboardInterrupt", "Detected KeyboardInterrupt"),
)


def run(subcommand: str, arguments: Sequence[str]) -> None:
    """Runs one of LightningCLI's commands.

    Args:
        subcommand: `fit`, `validate`, `test` or `predict`.
        arguments: the command line after it.

    Raises:
        Im2TexError: for errors that the user can correct.
        StoppedBySignal: after SIGTERM or Ctrl-C.
    """
    warnings.formatwarning = _format_warning
    layers = split_layers(arguments)
    checkpoint = stored = None
    path = last_value(layers, "ckpt_path")
    if path in (None, "null", ""):
        path = None
    elif is_model_folder(str(path)):
        stored = _read_model_folder(subcommand, str(path), layers)
        layers.insert(0, model_folder_layer(stored))
    else:
        folder = last_value(layers, "trainer.default_root_dir") or RUNS
        path = find_checkpoint(str(path), str(folder))
        checkpoint = read_checkpoint(path)
        layers.insert(0, checkpoint_layer(checkpoint))
    use_current_arguments(layers, component_defaults())
    with tempfile.TemporaryDirectory() as temporary:
        for number, layer in enumerate(layers):
            if layer.content is not None:
                file = Path(temporary) / f"{number}.yaml"
                plain = json.loads(json.dumps(layer.content, default=str))
                file.write_text(yaml.safe_dump(plain), encoding="utf-8")  # JSON has no NaN
                layer.arguments = ["--config", str(file)]
        given = reset_replaced_arguments(layers, component_defaults())
        if checkpoint is not None:
            given.append(f"--ckpt_path={path}")
        elif stored is not None:
            given.append("--ckpt_path=null")  # its weights are loaded with the model
        _silence_lightning()
        try:
            with STOP_REQUEST.listening(), wandb_run_scope():
                FormulaCLI(subcommand, given, checkpoint, stored)
        except BaseException as error:
            if started_by_lightning():
                wait_for_launcher_exit()
            explained = _explain(error, subcommand) or explain_restore_error(error, path)
            if explained is None:
                raise
            raise explained from error


def component_defaults() -> dict[str, Any]:
    """The names of the components that are used where no layer names one."""
    defaults = {
        f"{group}.{name}": parameter.default
        for group, cls in (("model", Im2Tex), ("data", FormulaDataModule))
        for name, parameter in inspect.signature(cls).parameters.items()
    }
    return {name: defaults[name] for name in COMPONENT_ARGUMENTS}


def _read_model_folder(subcommand: str, path: str, layers: Sequence[ConfigLayer]) -> StoredModel:
    """A model folder or packaged model to validate, test or predict with.

    Raises:
        Im2TexError: for `fit`, or if it is not known which data to use.
    """
    if subcommand == "fit":
        raise Im2TexError(
            f"im2tex fit resumes from a checkpoint, and {path} holds weights only: pass "
            f"--model.init_from {path} to start a new fit from them."
        )
    stored = read_stored(path)
    if not stored.data and last_value(layers, "data.source") is None:
        raise Im2TexError(
            f"{path} does not state its training data: pass --data.source, such as crohme."
        )
    return stored


def _explain(error: BaseException, subcommand: str) -> Exception | None:
    """Returns the error for the user that replaces an error; None for an unexpected error."""
    cause = (
        explain_worker_error(error) if isinstance(error, RuntimeError | ProcessException) else error
    )
    if isinstance(cause, StoppedBySignal) or STOP_REQUEST.signum is not None:
        message = str(cause) if isinstance(cause, StoppedBySignal) else STOP_REQUEST.advice()
        first = getattr(rank_zero_only, "rank", 0) == 0
        return StoppedBySignal(message if first else "", STOP_REQUEST.signum or signal.SIGTERM)
    if isinstance(error, ArgumentError):
        return explain_parser_error(error, subcommand)
    if isinstance(error, MisconfigurationException):
        return Im2TexError(" ".join(str(error).split()))
    if isinstance(error, OSError):
        return explain_os_error(error)
    return cause if isinstance(cause, Exception) and cause is not error else None


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """A warning of this package as one line, without the place in the code."""
    if Path(filename).is_relative_to(_PACKAGE):
        return f"im2tex: warning: {' '.join(str(message).split())}\n"
    return _FORMAT_WARNING(message, category, filename, lineno, line)


def _silence_lightning() -> None:
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(_is_needed)
    for message in _IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def _is_needed(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_IGNORED_LOG_LINES)
