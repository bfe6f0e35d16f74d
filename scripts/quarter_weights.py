"""Checkpoints as small files: weights in bfloat16, in parts of limited size, for `gpu_quarter.py`.

A smaller form of a checkpoint has less of a fit's state. Read back, it is an ordinary checkpoint,
from which `im2tex fit --ckpt_path` resumes at the same step of the same schedule.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from im2tex.model.checkpoint import read_checkpoint

PART_BYTES = 15_000_000
_RAW = "current_model_state"  # the weights before averaging; `state_dict` has the average


def _everything(checkpoint: dict[str, Any]) -> dict[str, Any]:
    return checkpoint


def _rounded(checkpoint: dict[str, Any]) -> dict[str, Any]:
    return {name: _convert(one, torch.float32, torch.bfloat16) for name, one in checkpoint.items()}


def _without_moments(checkpoint: dict[str, Any]) -> dict[str, Any]:
    optimizers = [{**one, "state": {}} for one in checkpoint["optimizer_states"]]
    return _rounded({**checkpoint, "optimizer_states": optimizers})


def _averages_only(checkpoint: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in _without_moments(checkpoint).items() if name != _RAW}


FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "everything": _everything,
    "everything, rounded to bfloat16": _rounded,
    "weights in bfloat16, with and without averaging; the optimizer's moments are lost": (
        _without_moments
    ),
    "averaged weights in bfloat16; the optimizer's moments and the weights before averaging are "
    "lost": _averages_only,
}
"""The forms of a checkpoint by what they keep, from the largest to the smallest."""

WEIGHTS = list(FORMS)[-1]


def shrink(checkpoint: dict[str, Any], limit: int, forms: Sequence[str]) -> tuple[str, bytes]:
    """The largest form of a checkpoint within a limit.

    Args:
        checkpoint: as torch loads it.
        limit: most bytes; the smallest form is taken even if it is larger.
        forms: of `FORMS`, from the largest to the smallest.

    Returns:
        The form and its bytes.
    """
    for form in forms:
        smaller = FORMS[form](checkpoint)
        if _tensor_bytes(smaller) <= limit or form == forms[-1]:
            stream = io.BytesIO()
            torch.save(smaller, stream)
            data = stream.getvalue()
            if len(data) <= limit or form == forms[-1]:
                break
    return form, data


def write_parts(data: bytes, folder: Path, name: str) -> dict[str, Any]:
    """Writes `NAME.1`, `NAME.2`, … in place of earlier ones, and returns a record of them."""
    remove_parts(folder, name)
    starts = range(0, len(data), PART_BYTES)
    for number, start in enumerate(starts, 1):
        (folder / f"{name}.{number}").write_bytes(data[start : start + PART_BYTES])
    return {"parts": len(starts), "bytes": len(data), "sha256": sha256(data).hexdigest()}


def remove_parts(folder: Path, name: str) -> None:
    """Removes all parts of a name."""
    for path in folder.glob(f"{name}.[0-9]*"):
        path.unlink()


def read_parts(folder: Path, name: str, record: dict[str, Any]) -> dict[str, Any] | None:
    """The checkpoint in parts, with all weights in float32; None if a part is missing or changed.

    Args:
        folder: of the parts.
        name: of the parts.
        record: as `write_parts` returned it.
    """
    paths = [folder / f"{name}.{number}" for number in range(1, record["parts"] + 1)]
    if not all(path.is_file() for path in paths):
        return None
    data = b"".join(path.read_bytes() for path in paths)
    if sha256(data).hexdigest() != record["sha256"]:
        return None
    checkpoint = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return {name: _convert(one, torch.bfloat16, torch.float32) for name, one in checkpoint.items()}


def save(path: Path, out: Path, name: str, record: Path, limit: int, final: bool) -> int:
    """Writes a checkpoint to OUT, and its record to a file; called in a process of its own.

    Args:
        path: of the checkpoint.
        out: folder of the parts.
        name: of the parts.
        record: file of the record.
        limit: most bytes of a fit under way.
        final: whether the weights alone are needed.
    """
    checkpoint = read_checkpoint(path)
    forms = [WEIGHTS] if final else list(FORMS)
    kept, data = shrink(checkpoint, limit, forms)
    written = write_parts(data, out, name)
    step = int(checkpoint["global_step"])
    record.write_text(json.dumps({"step": step, "kept": kept, **written}), encoding="utf-8")
    return 0


def restore(out: Path, name: str, record: dict[str, Any], path: Path) -> int:
    """Writes the checkpoint in parts as a file; returns 1 if it is damaged. Called in a process."""
    checkpoint = read_parts(out, name, record)
    if checkpoint is None:
        return 1
    torch.save(checkpoint, path)
    return 0


def join_weights(out: Path, folder: Path) -> int:
    """Writes the weights in OUT as checkpoints to a folder; returns the number of damaged ones."""
    damaged = 0
    state = json.loads((out / "quarter.json").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for name, record in state["weights"].items():
        path = folder / f"{record['fit']}.ckpt"
        failed = restore(out, name, record, path)
        damaged += failed
        print(f"{name}: damaged" if failed else f"{path}: step {record['step']}, {record['kept']}")
    return damaged


def _convert(value: Any, old: torch.dtype, new: torch.dtype) -> Any:
    """A structure with its tensors of one type in another; vectors keep float32, being small."""
    if isinstance(value, torch.Tensor):
        return value.to(new) if value.dtype == old and value.ndim > 1 else value
    if isinstance(value, dict):
        return type(value)((key, _convert(one, old, new)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return type(value)(_convert(one, old, new) for one in value)
    return value


def _tensor_bytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if isinstance(value, dict):
        return sum(map(_tensor_bytes, value.values()))
    return sum(map(_tensor_bytes, value)) if isinstance(value, list | tuple) else 0
