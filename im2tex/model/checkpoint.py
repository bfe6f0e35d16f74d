"""Reads checkpoints of `im2tex fit`: format version, migration, checks."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from im2tex.errors import Im2TexError
from im2tex.model.checkpoint_contents import (
    require_plain,
    require_settings,
    require_state,
    require_texts,
)
from im2tex.model.migration import migrate_checkpoint, rename_settings, rename_weights
from im2tex.utils.version import __version__

FORMAT = 3
_KEY = "im2tex"
Migration = Callable[[dict[str, Any]], None]
ENDED = "fit_ended"
"""The key in a checkpoint for whether its fit has ended."""

TRAINING_DATA = "training_data"
"""The key in a checkpoint for what the weights were trained on, see `StoredModel`."""

_TYPES: dict[str, type] = {
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
}
"""Types of Lightning's own entries."""


def add_format_version(checkpoint: dict[str, Any]) -> None:
    """Writes the format version into a checkpoint."""
    checkpoint[_KEY] = {"format": FORMAT, "version": __version__}


def migrate(checkpoint: dict[str, Any], where: str, change: Migration = migrate_checkpoint) -> None:
    """Checks the format version, and changes files of older formats to the current one, in place.

    Args:
        checkpoint: as loaded.
        where: its name in messages.
        change: changes a file of format 1, in place.

    Raises:
        Im2TexError: if it is no checkpoint of im2tex, or of a format this version cannot read.
    """
    found = checkpoint.get(_KEY)
    if not isinstance(found, dict):
        raise Im2TexError(f"{where} was not written by im2tex.")
    if found.get("format") not in range(1, FORMAT + 1):
        raise Im2TexError(
            f"{where} has format {found.get('format')} (im2tex {found.get('version')}); this is "
            f"im2tex {__version__}, which reads formats 1 to {FORMAT}. Use the version that wrote "
            "it."
        )
    if found["format"] == 1:
        change(checkpoint)
    checkpoint[_KEY] = {**found, "format": FORMAT}
    try:
        rename_settings(checkpoint)
    except Im2TexError as error:
        raise Im2TexError(f"{where}: {error}") from None
    for name in ("state_dict", "current_model_state"):  # the latter: weights without EMA
        if name in checkpoint:
            checkpoint[name] = rename_weights(checkpoint[name], checkpoint.get("hyper_parameters"))


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU, without running code from it, and checks its contents.

    Raises:
        Im2TexError: if it is missing, damaged, or not written by im2tex.
    """
    where = str(path)
    checkpoint = read_file(Path(path))
    if not isinstance(checkpoint, dict):
        raise Im2TexError(f"{where} is no checkpoint.")
    migrate(checkpoint, where)
    require_state(checkpoint.get("state_dict"), where)
    require_settings(checkpoint.get("hyper_parameters"), where)
    require_texts(checkpoint.get(TRAINING_DATA, []), where, TRAINING_DATA)
    data = checkpoint.get("datamodule_hyper_parameters", {})
    require_settings(data, where, "datamodule_hyper_parameters")
    for name, value in checkpoint.items():
        if name not in ("state_dict", "hyper_parameters", "datamodule_hyper_parameters"):
            require_plain(value, f"{where}: {ascii(name)[:80]}", tensors=True)
    for name, expected in _TYPES.items():
        value = checkpoint.get(name)
        if name in checkpoint and (not isinstance(value, expected) or isinstance(value, bool)):
            raise Im2TexError(
                f"{where}: its {name} must be of type {expected.__name__}, got "
                f"{type(value).__name__}. The file is damaged: take another checkpoint."
            )
    for name in ("epoch", "global_step"):
        if not 0 <= checkpoint.get(name, 0) < 2**62:
            raise Im2TexError(f"{where}: its {name} is out of range. The file is damaged.")
    states = checkpoint.get("callbacks", {})
    if not all(isinstance(name, str) and isinstance(one, dict) for name, one in states.items()):
        raise Im2TexError(f"{where}: its callbacks must be states by name. The file is damaged.")
    return checkpoint


def read_file(path: Path) -> Any:
    """The contents of a file: tensors and plain values only.

    Raises:
        Im2TexError: if it is not a regular file that torch wrote.
    """
    try:
        if not path.exists():
            last = path.with_name("last.ckpt")
            advice = f" There is {last}: had the fit a validation?" if last.exists() else ""
            raise Im2TexError(f"there is no checkpoint {path}.{advice}")
        if not path.is_file():
            raise Im2TexError(f"{path} cannot be read as a checkpoint: it is no regular file.")
        # torch does not compress: a file that would expand is not its own.
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise zipfile.BadZipFile("it would expand")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Im2TexError:
        raise
    except (UnpicklingError, zipfile.BadZipFile) as error:
        # torch's own message has many lines, and advises to trust the file.
        raise Im2TexError(
            f"{path} cannot be read as a checkpoint: it is damaged, or no file of im2tex."
        ) from error
    except Exception as error:
        message = " ".join(str(error).split())[:200] or type(error).__name__
        raise Im2TexError(f"{path} cannot be read as a checkpoint: {message}") from error
