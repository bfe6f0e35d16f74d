"""Trained models as folders: settings, weights without pickled code, a card and a licence.

A folder holds `config.json`, `model.safetensors` (weights in half precision, buffers unchanged),
`README.md` (the model card) and `LICENSE`. `config.json` holds a format version and

- `model`: the arguments of `Recognizer`, vocabulary included;
- `ensemble`: `members`, the number of further models, in the folders `member_1`, ...; `scales`;
- `data`: the arguments of `FormulaDataModule` that the model was trained with, where known;
- `training_data`: what the weights were trained on, a text for each with its licence; where known.

The models of the package are in `im2tex/model/weights/`, each under its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from im2tex.errors import Im2TexError
from im2tex.model.checkpoint import (
    TRAINING_DATA,
    add_format_version,
    migrate,
    read_checkpoint,
)
from im2tex.model.checkpoint_contents import (
    require_plain,
    require_settings,
    require_state,
    require_texts,
)
from im2tex.model.folders import CONFIG, WEIGHTS, locate, member
from im2tex.model.migration import (
    migrate_config,
    recognizer_settings,
    rename_weights,
    without_prefix,
)
from im2tex.utils.files import atomic_write, wrap_os_errors
from im2tex.utils.wording import counted


@dataclass(frozen=True)
class StoredModel:
    """A model as its file or folder holds it.

    Attributes:
        path: of the file or folder.
        settings: arguments of `Recognizer`, vocabulary included.
        state: its `state_dict`, in single precision.
        members: folders of the further models of its ensemble.
        scales: test-time scales of its ensemble.
        data: arguments of `FormulaDataModule` that it was trained with; empty where not known.
        training_data: what the weights were trained on, each with its licence.
    """

    path: Path
    settings: dict[str, Any]
    state: dict[str, Tensor]
    members: Sequence[str] = ()
    scales: Sequence[float] = (1.0,)
    data: Mapping[str, Any] = field(default_factory=dict)
    training_data: Sequence[str] = ()


def write_model(
    folder: Path,
    settings: Mapping[str, Any],
    module: nn.Module,
    *,
    members: int = 0,
    scales: Sequence[float] = (1.0,),
    data: Mapping[str, Any] | None = None,
    training_data: Sequence[str] = (),
) -> int:
    """Writes settings and weights; each file is complete or absent.

    Args:
        folder: created if it does not exist.
        settings: arguments of `Recognizer`, vocabulary included.
        module: its parameters are stored in half precision, its buffers as they are.
        members: number of further models of the ensemble.
        scales: test-time scales of the ensemble.
        data: arguments of `FormulaDataModule` that it was trained with.
        training_data: what the weights were trained on, each with its licence.

    Returns:
        The size of the weights' file in bytes.

    Raises:
        Im2TexError: if a weight exceeds half precision, or the folder cannot be written.
    """
    parameters = {name for name, _ in module.named_parameters()}
    state = module.state_dict()
    stored: dict[str, Tensor] = {}
    for name, value in state.items():
        half = value.half() if name in parameters else value
        if name in parameters and not torch.isfinite(half).all():
            raise Im2TexError(f"the weight {name} has values beyond the range of half precision.")
        stored[name] = half.contiguous().clone()
    config: dict[str, Any] = {
        "model": dict(settings),
        "ensemble": {"members": members, "scales": list(scales)},
        "data": dict(data or {}),
        "training_data": list(training_data),
    }
    add_format_version(config)
    errors = (OSError, SafetensorError)
    with wrap_os_errors(f"write {folder}", "Choose another --folder.", errors):
        with atomic_write(folder / WEIGHTS) as part:
            part.write_bytes(save(stored))
        with atomic_write(folder / CONFIG) as part:
            part.write_text(json.dumps(config, ensure_ascii=False) + "\n", encoding="utf-8")
    return (folder / WEIGHTS).stat().st_size


def read_model(folder: Path) -> StoredModel:
    """Reads a model folder.

    Raises:
        Im2TexError: if a file is missing, damaged, or of another format.
    """
    file, weights = folder / CONFIG, folder / WEIGHTS
    config = _read_config(file)
    migrate(config, str(file), migrate_config)
    if "model" not in config:
        raise Im2TexError(f"{file} has no settings.")
    require_settings(config["model"], str(file))
    ensemble, data = config.get("ensemble", {}), config.get("data", {})
    require_settings(data, str(file), "data")
    training_data = require_texts(config.get("training_data", []), str(file), "training_data")
    _require_ensemble(ensemble, folder)
    try:
        if not weights.is_file():
            raise OSError("there is no such file")
        state = rename_weights(load_file(weights), config["model"])
    except Exception as error:  # a malformed file may raise anything
        reason = " ".join(str(error).split())[:200]
        raise Im2TexError(f"{weights} cannot be read: {reason}. {_AGAIN}") from error
    require_state(state, str(weights))
    half = torch.float16
    return StoredModel(
        path=folder,
        settings=config["model"],
        state={name: t.float() if t.dtype == half else t for name, t in state.items()},
        members=[str(member(folder, k)) for k in range(1, 1 + ensemble.get("members", 0))],
        scales=ensemble.get("scales", [1.0]),
        data=data,
        training_data=training_data or source_of(data),
    )


def read_stored(name_or_path: str | Path) -> StoredModel:
    """Reads a checkpoint, a model folder or a packaged model.

    Raises:
        Im2TexError: if there is none, or it cannot be read.
    """
    path = Path(name_or_path)
    if not path.is_file() and path.suffix != ".ckpt":
        return read_model(locate(name_or_path))
    checkpoint = read_checkpoint(name_or_path)
    data = checkpoint.get("datamodule_hyper_parameters", {})
    return StoredModel(
        path=path,
        settings=recognizer_settings(checkpoint["hyper_parameters"]),
        state=without_prefix(checkpoint["state_dict"]),
        data=data,
        training_data=checkpoint.get(TRAINING_DATA) or source_of(data),
    )


def source_of(data: Mapping[str, Any]) -> list[str]:
    """The training data of a model of an older version, which states its source only."""
    return [str(data["source"])] if "source" in data else []


_AGAIN = "Fetch or export the model again."
_MAX_CONFIG_BYTES = 2**24
_MAX_MEMBERS = 64


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise OSError("there is no such file")
        if path.stat().st_size > _MAX_CONFIG_BYTES:
            raise OSError(f"it is larger than {_MAX_CONFIG_BYTES} bytes")
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Im2TexError(f"{path} cannot be read: {reason}. {_AGAIN}") from error
    if not isinstance(settings, dict):
        raise Im2TexError(f"{path} must hold settings, got a {type(settings).__name__}. {_AGAIN}")
    require_plain(settings, str(path))
    return settings


def _require_ensemble(ensemble: Any, folder: Path) -> None:
    """Checks the options of an ensemble, and that the folders of its models exist."""
    path = folder / CONFIG
    if not isinstance(ensemble, dict) or not ensemble.keys() <= {"scales", "members"}:
        raise Im2TexError(f"{path}: `ensemble` must hold scales and members only. {_AGAIN}")
    members, scales = ensemble.get("members", 0), ensemble.get("scales", [1.0])
    if type(members) is not int or not 0 <= members <= _MAX_MEMBERS:
        raise Im2TexError(
            f"{path}: `members` must be 0 to {_MAX_MEMBERS}, got {members!r:.40}. {_AGAIN}"
        )
    for index in range(1, 1 + members):
        if not (member(folder, index) / CONFIG).is_file():
            raise Im2TexError(
                f"{path}: the ensemble has {counted(members, 'further model')}, but "
                f"{member(folder, index)} holds no {CONFIG}. {_AGAIN}"
            )
    numbers = isinstance(scales, list) and all(type(scale) in (int, float) for scale in scales)
    if not numbers or len(scales) > _MAX_MEMBERS:
        raise Im2TexError(f"{path}: `scales` must be a list of factors, such as [1.0]. {_AGAIN}")
