"""Trained models as folders: settings, weights without pickled code, a card and a licence.

A folder holds `config.json` (a format version, the model's hyper-parameters, vocabulary included,
and how it reads), `model.safetensors` (weights in half precision, buffers as they are),
`README.md` (the model card) and `LICENSE`. Where several models read together, the others lie in
folders below it, `member_1` and so on. The models that come with the package lie in
`im2tex/models/`, each under its name.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from im2tex.checkpoint import stamp, verify
from im2tex.errors import Im2TexError
from im2tex.files import replacing

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MODELS = Path(__file__).parent / "models"


def names() -> list[str]:
    """The models that come with the package."""
    return sorted(path.parent.name for path in MODELS.glob(f"*/{CONFIG}"))


def locate(name_or_path: str | Path) -> Path:
    """The folder of a model: one of the package's by name, or a path.

    Raises:
        Im2TexError: if there is neither.
    """
    known = names()
    if str(name_or_path) in known:
        return MODELS / name_or_path
    path = Path(name_or_path)
    if (path / CONFIG).is_file():
        return path
    near = difflib.get_close_matches(str(name_or_path), known, n=1)
    raise Im2TexError(
        f"there is no model '{name_or_path}': it is neither a folder with {CONFIG}, which `im2tex "
        f"export` makes of a checkpoint, nor one of {', '.join(known) or 'the package: none'}."
        + (f" Did you mean {near[0]}?" if near else "")
    )


def member(folder: Path, number: int) -> Path:
    """Where the model of that number lies, of those that read with the one in the folder."""
    return folder / f"member_{number}"


def write_model(
    folder: Path,
    hyper_parameters: Mapping[str, Any],
    state: Mapping[str, Tensor],
    parameters: set[str],
    reading: Mapping[str, Any],
) -> int:
    """Writes settings and weights; each file is complete or not there.

    Args:
        folder: made if need be.
        hyper_parameters: of the model, vocabulary included.
        state: its weights and buffers.
        parameters: names of those that are weights, kept in half precision.
        reading: `views` it sees and `members` that read with it, if not the usual one and none.

    Returns:
        The size of the weights' file in bytes.

    Raises:
        Im2TexError: if a weight is too large for half precision, or the folder cannot be written.
    """
    kept: dict[str, Tensor] = {}
    for name, value in state.items():
        small = value.half() if name in parameters else value
        if name in parameters and not torch.isfinite(small).all():
            raise Im2TexError(f"the weight {name} holds values that half precision cannot hold.")
        kept[name] = small.contiguous().clone()
    settings: dict[str, Any] = {"hyper_parameters": dict(hyper_parameters)}
    if reading:
        settings["reading"] = dict(reading)
    stamp(settings)
    try:
        with replacing(folder / WEIGHTS) as part:
            save_file(kept, part)
            part.chmod(0o666 & ~_umask())
        with replacing(folder / CONFIG) as part:
            part.write_text(json.dumps(settings, ensure_ascii=False) + "\n", encoding="utf-8")
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Im2TexError(f"cannot write {folder}: {reason}. Choose another --out.") from error
    return (folder / WEIGHTS).stat().st_size


def _umask() -> int:
    """The mask of new files' rights, which safetensors' own do not follow."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Any]]:
    """Settings, weights, in single precision, and way of reading, as it was written.

    Raises:
        Im2TexError: if a file is missing, damaged, or of another format.
    """
    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Im2TexError(f"{folder / CONFIG} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise Im2TexError(f"{folder / CONFIG} holds no settings.")
    verify(settings, str(folder / CONFIG))
    if not isinstance(settings.get("hyper_parameters"), dict):
        raise Im2TexError(f"{folder / CONFIG} holds no settings.")
    try:
        state = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise Im2TexError(
            f"{folder / WEIGHTS} cannot be read: {error}. Fetch or export the model again."
        ) from error
    half = torch.float16
    weights = {name: t.float() if t.dtype == half else t for name, t in state.items()}
    return settings["hyper_parameters"], weights, settings.get("reading", {})
