"""Trained models as folders: settings, weights without pickled code, a card and a licence.

A folder holds `config.json` (a format version, the model's hyper-parameters, vocabulary included,
and how it reads), `model.safetensors` (weights in half precision, buffers as they are),
`README.md` (the model card) and `LICENSE`. Where several models read together, the others lie in
folders below it, `member_1` and so on. The models that come with the package lie in
`im2tex/model/weights/`, each under its name.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from im2tex.errors import Im2TexError
from im2tex.model.checkpoint import stamp, verify
from im2tex.model.checkpoint_contents import require_plain, require_settings, require_state
from im2tex.utils.files import replacing

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MODELS = Path(__file__).parent / "weights"


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
            part.write_bytes(save(kept))
        with replacing(folder / CONFIG) as part:
            part.write_text(json.dumps(settings, ensure_ascii=False) + "\n", encoding="utf-8")
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Im2TexError(f"cannot write {folder}: {reason}. Choose another --out.") from error
    return (folder / WEIGHTS).stat().st_size


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Any]]:
    """Settings, weights, in single precision, and way of reading, as it was written.

    Raises:
        Im2TexError: if a file is missing, damaged, or of another format.
    """
    about, file = folder / CONFIG, folder / WEIGHTS
    settings = _read_settings(about)
    verify(settings, str(about))
    if "hyper_parameters" not in settings:
        raise Im2TexError(f"{about} holds no settings.")
    require_settings(settings["hyper_parameters"], str(about))
    reading = settings.get("reading", {})
    _require_reading(reading, folder)
    try:
        if not file.is_file():
            raise OSError("there is no such file")
        state = load_file(file)
    except Exception as error:  # whatever a file makes the reader say
        said = " ".join(str(error).split())[:200]
        raise Im2TexError(f"{file} cannot be read: {said}. {_AGAIN}") from error
    require_state(state, str(file))
    half = torch.float16
    weights = {name: t.float() if t.dtype == half else t for name, t in state.items()}
    return settings["hyper_parameters"], weights, reading


_AGAIN = "Fetch or export the model again."
_LARGEST_CONFIG = 2**24  # bytes
_MOST_MEMBERS = 64


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise OSError("there is no such file")
        if path.stat().st_size > _LARGEST_CONFIG:
            raise OSError(f"it is larger than {_LARGEST_CONFIG} bytes")
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise Im2TexError(f"{path} cannot be read: {said}. {_AGAIN}") from error
    if not isinstance(settings, dict):
        raise Im2TexError(f"{path} holds no settings, but a {type(settings).__name__}. {_AGAIN}")
    require_plain(settings, str(path))
    return settings


def _require_reading(reading: Any, folder: Path) -> None:
    """Checks how a model reads: the sizes it sees, and the other models, which must be there."""
    path = folder / CONFIG
    if not isinstance(reading, dict) or not reading.keys() <= {"views", "members"}:
        raise Im2TexError(f"{path}: `reading` holds views and members only. {_AGAIN}")
    members, views = reading.get("members", 0), reading.get("views")
    if type(members) is not int or not 0 <= members <= _MOST_MEMBERS:
        raise Im2TexError(
            f"{path}: `members` is 0 to {_MOST_MEMBERS}, not {members!r:.40}. {_AGAIN}"
        )
    for number in range(1, 1 + members):
        if not (member(folder, number) / CONFIG).is_file():
            raise Im2TexError(
                f"{path}: {members} other models read with it, but {member(folder, number)} holds "
                f"no {CONFIG}. {_AGAIN}"
            )
    numbers = isinstance(views, list) and all(type(one) in (int, float) for one in views)
    if views is not None and not (numbers and len(views) <= _MOST_MEMBERS):
        raise Im2TexError(f"{path}: `views` is a list of sizes, such as [1.0]. {_AGAIN}")
